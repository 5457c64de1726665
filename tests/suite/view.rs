//! The server's view over real stores: what a computer is offered, and what it hears of changes.

use std::{collections::BTreeMap, fs, path::Path};

use bundle_format::digest::{Sha1, Sha256};
use jiff::Timestamp;
use tidegate::{
    catalog::{Catalog, Numbering, PayloadRow},
    data_dir::{DataDir, Side},
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin, UNASSIGNED_COMPUTERS},
    protocol::client::Action,
    server::{
        pack::FragmentKind,
        view::{Offer, SyncAnswer, SyncQuery, View, ViewOptions},
    },
    update::{DocumentLimits, RevisionId, UpdateDocument, UpdateId, UpdateIdentity},
};
use uuid::Uuid;

use crate::support::{clock::now, documents, real_data::real_data};

fn update(n: u32) -> UpdateId {
    documents::numbered(n.into())
}

/// An update document of our own: update `n`, revision 1.
struct Document {
    id: UpdateId,
    revision: u32,
    kind: &'static str,
    prerequisites: String,
    bundled: String,
    files: String,
}

impl Document {
    fn new(n: u32, kind: &'static str) -> Self {
        Self {
            id: update(n),
            revision: 1,
            kind,
            prerequisites: String::new(),
            bundled: String::new(),
            files: String::new(),
        }
    }

    fn revision(mut self, revision: u32) -> Self {
        self.revision = revision;
        self
    }

    fn needs(mut self, n: u32) -> Self {
        self.prerequisites += &format!(r#"<UpdateIdentity UpdateID="{}" />"#, update(n));
        self
    }

    fn belongs_to(mut self, n: u32) -> Self {
        self.prerequisites += &format!(
            r#"<AtLeastOne IsCategory="true"><UpdateIdentity UpdateID="{}" /></AtLeastOne>"#,
            update(n)
        );
        self
    }

    fn bundles(mut self, n: u32) -> Self {
        self.bundled += &format!(
            r#"<AtLeastOne><UpdateIdentity UpdateID="{}" RevisionNumber="1" /></AtLeastOne>"#,
            update(n)
        );
        self
    }

    fn file(mut self, content: &str, name: &str) -> Self {
        self.files += &documents::file(name, content.as_bytes());
        self
    }

    fn xml(&self) -> String {
        let Self { id, revision, kind, prerequisites, bundled, files } = self;
        let deployable = if *kind == "Software" { r#" ExplicitlyDeployable="true""# } else { "" };
        let category = if *kind == "Category" {
            r#"<HandlerSpecificData><CategoryInformation CategoryType="Product" /></HandlerSpecificData>"#
        } else {
            ""
        };
        let part = |name: &str, inner: &str| {
            if inner.is_empty() { String::new() } else { format!("<{name}>{inner}</{name}>") }
        };
        let relationships = part(
            "Relationships",
            &(part("Prerequisites", prerequisites) + &part("BundledUpdates", bundled)),
        );
        let files = part("Files", files);
        format!(
            r#"<Update xmlns="http://schemas.microsoft.com/msus/2002/12/Update"><UpdateIdentity UpdateID="{id}" RevisionNumber="{revision}" /><Properties DefaultPropertiesLanguage="en" UpdateType="{kind}"{deployable} /><LocalizedPropertiesCollection><LocalizedProperties><Language>en</Language><Title>Update {id}</Title></LocalizedProperties></LocalizedPropertiesCollection>{relationships}{files}{category}</Update>"#
        )
    }
}

/// A data folder of the isolated side.
struct Site {
    folder: tempfile::TempDir,
    data: DataDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = "plant-7".to_owned();
        let data = DataDir::init(folder.path(), Side::Isolated { site }).unwrap();
        Catalog::open(&data.catalog()).unwrap();
        Self { folder, data }
    }

    fn add(&self, id: i32, xml: &[u8]) {
        let document = UpdateDocument::parse(xml, &DocumentLimits::default()).unwrap();
        let mut catalog = Catalog::open(&self.data.catalog()).unwrap();
        let mut writer = catalog.write().unwrap();
        let numbering = Numbering::Given(RevisionId(id));
        writer.add_revision(&document, xml, numbering, now()).unwrap();
        writer.commit().unwrap();
    }

    fn add_all(&self, documents: impl IntoIterator<Item = (i32, Document)>) {
        for (id, document) in documents {
            self.add(id, document.xml().as_bytes());
        }
    }

    fn fleet(&self) -> Fleet {
        Fleet::open(&self.data.fleet()).unwrap()
    }

    fn approve(&self, id: UpdateId, group: Uuid, action: ApprovalAction) {
        self.fleet().approve(id, group, action, None, Origin::Local, now()).unwrap();
    }

    fn payload(&self, sha256: Sha256, sha1: Sha1, size: u64, present: bool, why: Option<&str>) {
        let mut catalog = Catalog::open(&self.data.catalog()).unwrap();
        let mut writer = catalog.write().unwrap();
        let chunks = if present { vec![sha256] } else { Vec::new() };
        let not_carried = why.map(str::to_owned);
        let row = PayloadRow { sha256, sha1, size, chunks, present, not_carried };
        writer.store_payload(&row).unwrap();
        writer.commit().unwrap();
    }

    fn carry(&self, content: &str) {
        let bytes = content.as_bytes();
        let size = bytes.len() as u64;
        self.payload(Sha256::hash(bytes), Sha1::hash(bytes), size, true, None);
    }

    fn load(&self, previous: Option<&View>) -> View {
        View::load(&self.data, &ViewOptions::default(), previous).unwrap()
    }

    fn is_current(&self, view: &View) -> bool {
        let catalog = Catalog::open_read_only(&self.data.catalog()).unwrap().change().unwrap();
        view.is_current(catalog, self.fleet().change().unwrap())
    }
}

fn everybody() -> Vec<Uuid> {
    let mut groups = vec![ALL_COMPUTERS, UNASSIGNED_COMPUTERS];
    groups.sort();
    groups
}

fn ids(offers: &[Offer]) -> Vec<i32> {
    offers.iter().map(|offer| offer.revision_id.0).collect()
}

fn actions(offers: &[Offer]) -> BTreeMap<i32, Action> {
    offers.iter().map(|o| (o.revision_id.0, o.deployment.action)).collect()
}

fn ask(view: &View, groups: &[Uuid], installed: &[i32], cached: &[i32], anchor: u64) -> SyncAnswer {
    view.sync(&SyncQuery { groups, installed, cached, anchor, ..SyncQuery::default() })
}

/// Product 1, detectoid 2, update 3 of the product that bundles 4, which needs the detectoid and has
/// a file; update 5 of the product, with nothing to it.
fn small_site() -> Site {
    let site = Site::new();
    site.add_all([
        (10, Document::new(1, "Category")),
        (20, Document::new(2, "Detectoid")),
        (30, Document::new(3, "Software").belongs_to(1).bundles(4)),
        (40, Document::new(4, "Software").needs(2).file("payload", "setup.exe")),
        (50, Document::new(5, "Software").belongs_to(1)),
    ]);
    site
}

#[test]
fn an_approval_delivers_the_update_with_all_that_it_brings() {
    let site = small_site();
    site.carry("payload");
    let empty = site.load(None);
    assert_eq!(ask(&empty, &everybody(), &[], &[], 0).new, []);

    site.approve(update(3), ALL_COMPUTERS, ApprovalAction::Install);
    assert!(!site.is_current(&empty));
    let view = site.load(Some(&empty));
    assert!(site.is_current(&view));
    let first = ask(&view, &everybody(), &[], &[], 0);
    assert_eq!(actions(&first.new), [(10, Action::Evaluate), (20, Action::Evaluate)].into());
    assert!(first.new.iter().all(|offer| !offer.is_leaf));
    let second = ask(&view, &everybody(), &[10, 20], &[], first.anchor);
    assert_eq!(actions(&second.new), [(30, Action::Install), (40, Action::Bundle)].into());
    assert!(second.new.iter().all(|offer| offer.is_leaf));
    assert!(second.driver_sync_not_needed && !second.truncated);
    let last = ask(&view, &everybody(), &[10, 20], &[30, 40], second.anchor);
    assert_eq!((ids(&last.new), ids(&last.changed), last.out_of_scope), (vec![], vec![], vec![]));

    // Each deployment has an id of its own.
    let mut deployments: Vec<i32> =
        first.new.iter().chain(&second.new).map(|offer| offer.deployment.id).collect();
    deployments.sort_unstable();
    deployments.dedup();
    assert_eq!(deployments.len(), 4);

    let core = view.fragment(RevisionId(40), FragmentKind::Core).unwrap().unwrap();
    let text = String::from_utf8(core.escaped().unwrap().to_vec()).unwrap();
    assert!(text.starts_with(&format!(r#"&lt;UpdateIdentity UpdateID="{}""#, update(4))), "{text}");
    let texts = view.localized(RevisionId(30), &["en-US", "en"]).unwrap();
    assert_eq!(texts.len(), 1);
    let [file] = view.files(RevisionId(40)) else { panic!("one file") };
    assert_eq!((file.sha1, file.present), (Sha1::hash(b"payload"), true));
    assert_eq!(view.file(&file.sha1), Some(file));
    assert_eq!(view.category_type(update(1)), Some("Product".to_owned()));
    assert_eq!(view.category_type(update(3)), None);
    let identity = UpdateIdentity { id: update(3), revision: 1 };
    assert_eq!(view.lookup(&identity), Some(RevisionId(30)));
    assert_eq!(view.identity(RevisionId(30)), Some(identity));
    assert_eq!(view.offer(&everybody(), RevisionId(50)), None);
}

#[test]
fn agents_hear_of_every_change_once() {
    let site = small_site();
    site.carry("payload");
    site.approve(update(3), ALL_COMPUTERS, ApprovalAction::Install);
    site.approve(update(5), ALL_COMPUTERS, ApprovalAction::Detect);
    let view = site.load(None);
    let (installed, cached) = ([10, 20], [30, 40, 50]);
    let told = ask(&view, &everybody(), &installed, &cached, 0);
    // Nothing is known of this agent: it hears of all it has.
    assert_eq!(ids(&told.changed), [10, 20, 30, 40, 50]);
    let again = ask(&view, &everybody(), &installed, &cached, told.anchor);
    assert_eq!((ids(&again.changed), again.anchor), (vec![], told.anchor));

    site.approve(update(5), ALL_COMPUTERS, ApprovalAction::OptionalInstall);
    let next = site.load(Some(&view));
    let changed = ask(&next, &everybody(), &installed, &cached, told.anchor);
    assert_eq!(actions(&changed.changed), [(50, Action::OptionalInstall)].into());
    assert_eq!(ids(&ask(&next, &everybody(), &installed, &cached, changed.anchor).changed), [0; 0]);
    let before = view.offer(&everybody(), RevisionId(50)).unwrap().deployment;
    let after = next.offer(&everybody(), RevisionId(50)).unwrap().deployment;
    assert_eq!(before.id, after.id);

    // A deadline is a change too; a view that changes nothing tells nothing.
    let due: Timestamp = "2026-12-24T00:00:00Z".parse().unwrap();
    let mut fleet = site.fleet();
    let action = ApprovalAction::Install;
    fleet.approve(update(3), ALL_COMPUTERS, action, Some(due), Origin::Local, now()).unwrap();
    let third = site.load(Some(&next));
    let deadline = ask(&third, &everybody(), &installed, &cached, changed.anchor);
    assert_eq!(ids(&deadline.changed), [30]);
    assert_eq!(deadline.changed[0].deployment.deadline, Some(due));
    let restarted = site.load(None);
    assert!(restarted.number() > third.number());
    assert_eq!(
        ids(&ask(&restarted, &everybody(), &installed, &cached, deadline.anchor).changed),
        [0; 0]
    );
    assert_eq!(
        restarted.offer(&everybody(), RevisionId(40)),
        view.offer(&everybody(), RevisionId(40))
    );

    // Taken back, it leaves, and so does what only it needed.
    fleet.unapprove(update(3), ALL_COMPUTERS).unwrap();
    fleet.decline(update(5), Origin::Local, now()).unwrap();
    let gone = ask(&site.load(None), &everybody(), &installed, &cached, deadline.anchor);
    assert_eq!(gone.out_of_scope, [10, 20, 30, 40, 50]);
}

#[test]
fn a_computer_that_was_moved_hears_what_holds_for_its_new_groups() {
    let site = small_site();
    let lab = site.fleet().create_group("Lab", None).unwrap().id;
    site.approve(update(5), ALL_COMPUTERS, ApprovalAction::Detect);
    site.approve(update(5), lab, ApprovalAction::OptionalInstall);
    let mut lab_groups = vec![ALL_COMPUTERS, lab];
    lab_groups.sort();
    let view = site.load(None);
    let before = ask(&view, &everybody(), &[10], &[50], 0);
    assert_eq!(actions(&before.changed)[&50], Action::PreDeploymentCheck);
    let after = ask(&view, &lab_groups, &[10], &[50], before.anchor);
    assert_eq!(actions(&after.changed)[&50], Action::OptionalInstall);
    assert_eq!(ids(&ask(&view, &lab_groups, &[10], &[50], after.anchor).changed), [0; 0]);

    // A set of groups that nobody prepared is answered all the same, and stays consistent.
    let other = site.fleet().create_group("Other", None).unwrap().id;
    let mut both = vec![ALL_COMPUTERS, lab, other];
    both.sort();
    let late = ask(&view, &both, &[10], &[50], after.anchor);
    assert_eq!(
        actions(&late.changed),
        [(10, Action::Evaluate), (50, Action::OptionalInstall)].into()
    );
    assert_eq!(ids(&ask(&view, &both, &[10], &[50], late.anchor).changed), [0; 0]);
    // The next view records it with ids of its own; the agent hears of them.
    let mut fleet = site.fleet();
    fleet.introduce("computer-1", "pc1.plant", None, now()).unwrap();
    fleet.assign("computer-1", &[lab, other]).unwrap();
    assert_eq!(fleet.groups_of("computer-1").unwrap(), both);
    let next = site.load(Some(&view));
    let recorded = ask(&next, &both, &[10], &[50], late.anchor);
    assert_eq!(ids(&recorded.changed), [10, 50]);
    assert_ne!(recorded.changed[1].deployment.id, late.changed[1].deployment.id);
}

#[test]
fn what_has_no_files_is_not_offered_until_they_come() {
    let site = small_site();
    site.approve(update(3), ALL_COMPUTERS, ApprovalAction::Install);
    let view = site.load(None);
    let action = |view: &View| view.offer(&everybody(), RevisionId(30)).unwrap().deployment.action;
    assert_eq!(action(&view), Action::PreDeploymentCheck);
    assert!(!view.file(&Sha1::hash(b"payload")).unwrap().present);
    let (sha256, sha1) = (Sha256::hash(b"payload"), Sha1::hash(b"payload"));
    site.payload(sha256, sha1, 7, false, Some("excluded"));
    let view = site.load(Some(&view));
    assert_eq!(action(&view), Action::PreDeploymentCheck);
    let told = ask(&view, &everybody(), &[10, 20], &[30, 40], 0);
    site.carry("payload");
    assert!(!site.is_current(&view));
    let view = site.load(Some(&view));
    assert_eq!(action(&view), Action::Install);
    let changed = ask(&view, &everybody(), &[10, 20], &[30, 40], told.anchor);
    assert_eq!(actions(&changed.changed), [(30, Action::Install)].into());
    assert!(view.file(&sha1).unwrap().present);
}

#[test]
fn an_import_brings_new_revisions_and_turns_leaves() {
    let site = small_site();
    site.approve(update(5), ALL_COMPUTERS, ApprovalAction::Install);
    let old = site.load(None);
    let told = ask(&old, &everybody(), &[10], &[50], 0);
    assert!(told.changed.iter().find(|o| o.revision_id.0 == 50).unwrap().is_leaf);
    // An update that needs 5, and a new revision of the product.
    site.add_all([
        (60, Document::new(6, "Software").needs(5)),
        (70, Document::new(1, "Category").revision(2)),
    ]);
    let view = site.load(Some(&old));
    let answer = ask(&view, &everybody(), &[10], &[50], told.anchor);
    assert_eq!((ids(&answer.new), answer.out_of_scope), (vec![70], vec![10]));
    assert_eq!(ids(&answer.changed), [50]);
    assert!(!answer.changed[0].is_leaf);
    // The old view answers as before: requests under way are not disturbed.
    assert_eq!(ask(&old, &everybody(), &[10], &[50], 0).changed, told.changed);

    // Withdrawn by the mirror: gone, and the older revision stands again.
    let mut catalog = Catalog::open(&site.data.catalog()).unwrap();
    let mut writer = catalog.write().unwrap();
    writer.withdraw(&UpdateIdentity { id: update(1), revision: 2 }).unwrap();
    writer.commit().unwrap();
    let view = site.load(Some(&view));
    let answer = ask(&view, &everybody(), &[70], &[50], 0);
    assert_eq!(answer.out_of_scope, [50, 70]);
    assert_eq!(ids(&answer.new), [10]);
}

#[test]
fn a_category_scan_walks_the_categories_though_nothing_is_approved() {
    let site = small_site();
    let view = site.load(None);
    let filter = [update(1)];
    let groups = everybody();
    let query =
        SyncQuery { groups: &groups, filter: &filter, two_groups: true, ..SyncQuery::default() };
    let first = view.sync(&query);
    assert_eq!(actions(&first.new), [(10, Action::Evaluate)].into());
    let second = view.sync(&SyncQuery { installed: &[10], anchor: first.anchor, ..query });
    assert_eq!(
        second,
        SyncAnswer { anchor: first.anchor, driver_sync_not_needed: true, ..SyncAnswer::default() }
    );
    // Its deployment is the same in the next view and for other groups.
    let offer = view.offer(&[ALL_COMPUTERS], RevisionId(10)).unwrap();
    assert_eq!(Some(offer), site.load(None).offer(&groups, RevisionId(10)));
    // An ordinary scan does not know it.
    assert_eq!(ask(&view, &groups, &[10], &[], first.anchor).out_of_scope, [10]);
}

#[test]
fn packs_are_made_once_and_again_when_they_are_gone() {
    let site = small_site();
    site.approve(update(5), ALL_COMPUTERS, ApprovalAction::Install);
    let view = site.load(None);
    let packs = site.folder.path().join("packs");
    let list = |folder: &Path| {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let first = list(&packs);
    assert_eq!(first, ["1.pack", "lock"]);
    site.load(None);
    assert_eq!(list(&packs), first);
    fs::remove_dir_all(&packs).unwrap();
    // The view that runs reads on.
    assert!(view.fragment(RevisionId(50), FragmentKind::Core).unwrap().unwrap().framed().is_ok());
    let view = site.load(None);
    assert!(view.fragment(RevisionId(50), FragmentKind::Core).unwrap().unwrap().framed().is_ok());
}

/// The nine captured documents with their captured revision IDs, where these are known.
fn captured_site(folder: &Path) -> Site {
    let ids = BTreeMap::from([
        ("56309036-4c77-4dd9-951a-99ee9c246a94", 108_226),
        ("6964aab4-c5b5-43bd-a17d-ffb4346a8e1d", 108_231),
        ("dd78b8a1-0b20-45c1-add6-4da72e9364cf", 72_571),
        ("a2fef9b0-7951-4c2c-a42b-9e351dd1c1fe", 200_996),
    ]);
    let site = Site::new();
    let mut next = 300_000;
    let mut added = 0;
    for entry in fs::read_dir(folder.join("captures/metadata/documents")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        next += 1;
        site.add(*ids.get(&name[..36]).unwrap_or(&next), &fs::read(path).unwrap());
        added += 1;
    }
    assert_eq!(added, 9);
    site
}

/// What a captured answer says of each new revision: action, leaf, escaped fragment.
fn captured(folder: &Path, name: &str) -> BTreeMap<i32, (String, bool, String)> {
    let body = fs::read_to_string(folder.join("captures/agent-win11-25h2").join(name)).unwrap();
    let between = |text: &str, from: &str, to: &str| {
        let rest = text.split_once(from).unwrap().1;
        rest.split_once(to).unwrap().0.to_owned()
    };
    body.split("<UpdateInfo>")
        .skip(1)
        .map(|info| {
            let id = between(info, "<ID>", "</ID>").parse().unwrap();
            let action = between(info, "<Action>", "</Action>");
            let is_leaf = between(info, "<IsLeaf>", "</IsLeaf>") == "true";
            (id, (action, is_leaf, between(info, "<Xml>", "</Xml>")))
        })
        .collect()
}

fn delivered(view: &View, offers: &[Offer]) -> BTreeMap<i32, (String, bool, String)> {
    offers
        .iter()
        .map(|offer| {
            let fragment = view.fragment(offer.revision_id, FragmentKind::Core).unwrap().unwrap();
            let xml = String::from_utf8(fragment.escaped().unwrap().to_vec()).unwrap();
            let action = offer.deployment.action.to_string();
            (offer.revision_id.0, (action, offer.is_leaf, xml))
        })
        .collect()
}

#[test]
fn the_captured_category_scan_is_answered_as_captured() {
    let Some(real) = real_data() else { return };
    let site = captured_site(&real);
    let view = site.load(None);
    let filter = ["dd78b8a1-0b20-45c1-add6-4da72e9364cf".parse().unwrap()];
    let groups = everybody();
    let mut anchor = 0;
    for (installed, answer) in [
        (&[][..], "scan-000006-SyncUpdates.response.xml"),
        (&[108_226][..], "scan-000007-SyncUpdates.response.xml"),
        (&[108_226, 108_231][..], "scan-000008-SyncUpdates.response.xml"),
    ] {
        let found = view.sync(&SyncQuery {
            groups: &groups,
            installed,
            filter: &filter,
            anchor,
            two_groups: true,
            ..SyncQuery::default()
        });
        assert_eq!(delivered(&view, &found.new), captured(&real, answer), "{answer}");
        assert_eq!(
            found,
            SyncAnswer {
                new: found.new.clone(),
                anchor: found.anchor,
                driver_sync_not_needed: true,
                ..SyncAnswer::default()
            }
        );
        anchor = found.anchor;
    }
}

#[test]
fn the_captured_bundle_is_delivered_as_captured() {
    let Some(real) = real_data() else { return };
    let site = captured_site(&real);
    let bundle: UpdateId = "a2fef9b0-7951-4c2c-a42b-9e351dd1c1fe".parse().unwrap();
    site.approve(bundle, ALL_COMPUTERS, ApprovalAction::Install);
    let action = |view: &View, id| view.offer(&everybody(), id).map(|o| o.deployment.action);
    let find = |view: &View, id: &str| {
        let id: UpdateId = id.parse().unwrap();
        view.lookup(&UpdateIdentity { id, revision: 200 }).unwrap()
    };
    let view = site.load(None);
    let parent = RevisionId(200_996);
    // Its files are named, but nobody has brought them yet.
    assert_eq!(action(&view, parent), Some(Action::PreDeploymentCheck));
    let members = [
        "ccb78947-6453-4ecc-9de8-bc0305c98f2d",
        "1f9bd9bb-7390-4aa3-bbdb-ded99fac2583",
        "266f6222-c89d-43f2-9f8a-69340271e677",
        // A member of a member.
        "ff36f0b5-dded-4780-8664-cd78af8b62c1",
    ]
    .map(|id| find(&view, id));
    for member in members {
        for file in view.files(member) {
            site.payload(file.sha256.unwrap(), file.sha1, file.size, true, None);
        }
    }
    // What it requires was not captured: stand-ins with the right names.
    let named: Vec<UpdateId> = [
        "be4048db-157c-4532-9582-7f05099590c9",
        "0aac58ee-82a0-4452-a7fa-19f68398f1fa",
        "e0789628-ce08-4437-be74-2495b842f43b",
        "8c3fcc84-7410-4a95-8b89-a166a0190486",
    ]
    .map(|id| id.parse().unwrap())
    .to_vec();
    let mut installed = Vec::new();
    for (id, number) in named.iter().zip(1..) {
        let mut document = Document::new(0, "Category");
        document.id = *id;
        site.add(number, document.xml().as_bytes());
        installed.push(number);
    }
    let view = site.load(Some(&view));
    assert_eq!(action(&view, parent), Some(Action::Install));
    for member in members {
        assert_eq!(action(&view, member), Some(Action::Bundle), "{member}");
    }
    // An older sibling that nothing approved bundles.
    assert_eq!(action(&view, find(&view, "7366a74a-ef29-44e1-b738-570b516aca1f")), None);
    assert_eq!(action(&view, RevisionId(1)), Some(Action::Evaluate));

    let answer = ask(&view, &everybody(), &installed, &[], 0);
    let ours = delivered(&view, &answer.new);
    let theirs = captured(&real, "flow-000012-SyncUpdates.response.excerpt.xml");
    assert_eq!(ours[&200_996], theirs[&200_996]);
    let before: Vec<i32> = ids(&ask(&view, &everybody(), &installed[..3], &[], 0).new);
    assert!(!before.contains(&200_996), "one prerequisite is not installed: {before:?}");
}
