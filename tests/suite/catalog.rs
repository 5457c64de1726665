//! The catalogue as its users see it: on disk, across processes, with hand-made documents.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use bundle_format::digest::{Sha1, Sha256};
use rusqlite::Connection;
use tidegate::{
    catalog::{
        AddOutcome, Catalog, CatalogError, FIRST_LOCAL_REVISION_ID, GraphNode, Numbering,
        PayloadRow, PayloadState, RevisionFilter,
    },
    update::{
        Clause, EulaFile, LocalizedProperties, Properties, RevisionId, UpdateDocument, UpdateFile,
        UpdateType,
    },
};
use uuid::Uuid;

use crate::support::{
    clock::exactly_now,
    documents::{identity, numbered},
    stores,
};

/// A document as a parser would give it; only what a test sets matters to it.
fn document(n: u128, revision: u32) -> UpdateDocument {
    UpdateDocument {
        identity: identity(n, revision),
        update_type: UpdateType::Software,
        properties: Properties {
            default_language: Some("de".to_owned()),
            explicitly_deployable: true,
            is_public: true,
            ..Properties::default()
        },
        localized: vec![
            LocalizedProperties {
                language: "de".to_owned(),
                title: format!("Übung {n}"),
                description: None,
            },
            LocalizedProperties {
                language: "en".to_owned(),
                title: format!("Exercise {n}"),
                description: None,
            },
        ],
        eulas: Vec::new(),
        prerequisites: Vec::new(),
        bundled: Vec::new(),
        superseded: Vec::new(),
        files: Vec::new(),
        category_type: None,
        drivers: Vec::new(),
        oddity: None,
    }
}

fn xml(document: &UpdateDocument) -> Vec<u8> {
    format!("<Update>{}</Update>", document.identity).into_bytes()
}

fn file(name: &str, size: u64, with_sha256: bool) -> UpdateFile {
    UpdateFile {
        sha1: Sha1::hash(name.as_bytes()),
        sha256: with_sha256.then(|| Sha256::hash(name.as_bytes())),
        name: name.to_owned(),
        size,
        patching_type: None,
    }
}

fn payload(name: &str, size: u64, present: bool) -> PayloadRow {
    PayloadRow {
        sha256: Sha256::hash(name.as_bytes()),
        sha1: Sha1::hash(name.as_bytes()),
        size,
        chunks: vec![Sha256::hash(b"chunk")],
        present,
        not_carried: None,
    }
}

/// Adds documents, numbered by this store, in a transaction of their own.
fn add(catalog: &mut Catalog, documents: &[UpdateDocument]) -> Vec<AddOutcome> {
    let mut writer = catalog.write().unwrap();
    let added = documents
        .iter()
        .map(|d| writer.add_revision(d, &xml(d), Numbering::Assign, exactly_now()).unwrap())
        .collect();
    writer.commit().unwrap();
    added
}

fn nodes(catalog: &Catalog) -> Vec<GraphNode> {
    let mut nodes = Vec::new();
    catalog.nodes(&mut |node| nodes.push(node)).unwrap();
    nodes
}

fn found(catalog: &Catalog, filter: &RevisionFilter) -> Vec<i32> {
    let mut ids = Vec::new();
    catalog.find(filter, &mut |summary| ids.push(summary.revision_id.0)).unwrap();
    ids
}

#[test]
fn a_revision_comes_back_as_it_went_in() {
    let (_folder, _, mut catalog) = stores::catalog();
    let mut d = document(7, 200);
    d.properties.kb_article_ids = vec!["5000002".to_owned(), "5000001".to_owned()];
    d.properties.msrc_severity = Some("Critical".to_owned());
    d.properties.eula_id = Some("eula-1".to_owned());
    d.properties.creation_date = Some("2026-01-01T00:00:00Z".to_owned());
    let bytes = "<Update>ä\0 &#13;</Update>".repeat(1000).into_bytes();

    let mut writer = catalog.write().unwrap();
    let added = writer.add_revision(&d, &bytes, Numbering::Assign, exactly_now()).unwrap();
    writer.commit().unwrap();

    assert_eq!(added, AddOutcome::New(RevisionId(1)));
    assert_eq!(catalog.document(RevisionId(1)).unwrap().unwrap(), bytes);
    assert_eq!(catalog.document(RevisionId(2)).unwrap(), None);
    assert_eq!(catalog.revision_id(&identity(7, 200)).unwrap(), Some(RevisionId(1)));
    assert_eq!(catalog.revision_id(&identity(7, 201)).unwrap(), None);
    let summary = catalog.revision(RevisionId(1)).unwrap().unwrap();
    assert_eq!(summary.identity, identity(7, 200));
    assert_eq!(summary.update_type, UpdateType::Software);
    assert_eq!(summary.title, "Exercise 7", "English comes before the default language");
    assert_eq!(summary.kb, ["5000001", "5000002"]);
    assert_eq!(summary.severity.as_deref(), Some("Critical"));
    assert_eq!(summary.eula_id.as_deref(), Some("eula-1"));
    assert_eq!(summary.created.as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(summary.arrived, exactly_now());
    assert!(summary.explicitly_deployable && !summary.expired);
    assert!(!summary.withdrawn && !summary.local);
}

#[test]
fn the_second_time_changes_nothing() {
    let (_folder, _, mut catalog) = stores::catalog();
    let d = document(1, 1);
    let row = payload("a", 5, true);
    let mut changes = Vec::new();
    let mut results = Vec::new();
    for _ in 0..2 {
        let mut writer = catalog.write().unwrap();
        writer.set_mirror_id(Uuid::from_u128(9)).unwrap();
        results.push((
            writer.add_revision(&d, &xml(&d), Numbering::Assign, exactly_now()).unwrap(),
            writer.store_payload(&row).unwrap(),
        ));
        changes.push(writer.commit().unwrap());
    }
    let id = RevisionId(1);
    assert_eq!(results, [(AddOutcome::New(id), true), (AddOutcome::Same(id), false)]);
    assert_eq!(changes, [1, 1]);
    assert_eq!(catalog.change().unwrap(), 1);
    assert_eq!(catalog.mirror_id().unwrap(), Some(Uuid::from_u128(9)));
    let error = catalog.write().unwrap().set_mirror_id(Uuid::from_u128(8)).unwrap_err();
    assert!(matches!(error, CatalogError::OtherMirror { .. }), "{error}");
    assert!(!error.is_about_the_document());
}

#[test]
fn other_bytes_of_the_same_revision_are_the_same_revision() {
    let (_folder, _, mut catalog) = stores::catalog();
    let d = document(1, 1);
    add(&mut catalog, std::slice::from_ref(&d));
    let mut writer = catalog.write().unwrap();
    let added = writer.add_revision(&d, b"<Update />", Numbering::Assign, exactly_now()).unwrap();
    assert_eq!(writer.commit().unwrap(), 1, "nothing changed");
    assert_eq!(added, AddOutcome::OtherBytes(RevisionId(1)));
    assert_eq!(catalog.document(RevisionId(1)).unwrap().unwrap(), xml(&d), "the first bytes stay");
}

#[test]
fn of_several_revisions_the_greatest_number_is_the_newest() {
    let (_folder, _, mut catalog) = stores::catalog();
    add(
        &mut catalog,
        &[document(1, 101), document(1, 300), document(1, 200), document(2, u32::MAX)],
    );
    assert_eq!(catalog.newest(numbered(1)).unwrap().unwrap().identity.revision, 300);
    assert_eq!(catalog.newest(numbered(2)).unwrap().unwrap().identity.revision, u32::MAX);
    assert_eq!(catalog.newest(numbered(3)).unwrap(), None);
    assert_eq!(found(&catalog, &RevisionFilter::default()), [1, 2, 3, 4]);
    assert_eq!(
        found(&catalog, &RevisionFilter { newest: true, ..RevisionFilter::default() }),
        [2, 4]
    );
    assert_eq!(nodes(&catalog).len(), 4, "all revisions are normal");
    let counts = catalog.counts().unwrap();
    assert_eq!((counts.updates, counts.revisions, counts.withdrawn), (2, 4, 0));
}

#[test]
fn a_withdrawn_revision_may_come_again() {
    let (_folder, path, mut catalog) = stores::catalog();
    let (first, second) = (document(1, 1), document(1, 2));
    add(&mut catalog, &[first.clone(), second.clone()]);

    let mut writer = catalog.write().unwrap();
    assert!(writer.withdraw(&second.identity).unwrap());
    assert!(!writer.withdraw(&second.identity).unwrap(), "once only");
    assert!(!writer.withdraw(&identity(77, 1)).unwrap(), "not known");
    assert_eq!(writer.commit().unwrap(), 2);
    assert_eq!(catalog.newest(numbered(1)).unwrap().unwrap().identity, first.identity);
    assert_eq!(nodes(&catalog).len(), 1);
    assert!(catalog.revision(RevisionId(2)).unwrap().unwrap().withdrawn);
    assert_eq!(catalog.counts().unwrap().withdrawn, 1);

    // As if a snapshot had carried the revision and then its withdrawal.
    Connection::open(&path)
        .unwrap()
        .execute("UPDATE revision SET sealed = 1, withdrawal_sealed = withdrawn + 1", [])
        .unwrap();
    add(&mut catalog, std::slice::from_ref(&second));
    assert_eq!(catalog.change().unwrap(), 3);
    assert_eq!(catalog.newest(numbered(1)).unwrap().unwrap().identity, second.identity);
    assert_eq!(nodes(&catalog).len(), 2);
    let sealed: (Option<i64>, Option<i64>) = Connection::open(&path)
        .unwrap()
        .query_row(
            "SELECT sealed, withdrawal_sealed FROM revision WHERE revision_id = 2",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    assert_eq!(sealed, (None, None), "a later snapshot carries it again");
}

#[test]
fn numbers_are_given_once() {
    let (_folder, _, mut catalog) = stores::catalog();
    let mut writer = catalog.write().unwrap();
    let mut add = |n, numbering| {
        let d = document(n, 1);
        writer.add_revision(&d, &xml(&d), numbering, exactly_now())
    };
    let given = |id| Numbering::Given(RevisionId(id));
    assert_eq!(add(1, given(500)).unwrap(), AddOutcome::New(RevisionId(500)));
    assert_eq!(add(2, given(20)).unwrap(), AddOutcome::New(RevisionId(20)));
    assert_eq!(add(3, Numbering::Assign).unwrap(), AddOutcome::New(RevisionId(501)), "goes on");
    let local = FIRST_LOCAL_REVISION_ID;
    assert_eq!(add(4, Numbering::Local).unwrap(), AddOutcome::New(RevisionId(local)));
    assert_eq!(add(5, Numbering::Local).unwrap(), AddOutcome::New(RevisionId(local + 1)));
    assert_eq!(add(1, given(500)).unwrap(), AddOutcome::Same(RevisionId(500)));
    for (n, id) in [(6, 20), (1, 501), (1, 7), (6, 0), (6, -1), (6, local), (6, i32::MIN)] {
        let error = add(n, given(id)).unwrap_err();
        assert!(matches!(error, CatalogError::UnfitDocument { .. }), "{n} {id}: {error}");
    }
    // What the site published first and the mirror has now gets the mirror's number.
    assert_eq!(add(4, given(900)).unwrap(), AddOutcome::New(RevisionId(900)));
    writer.commit().unwrap();
    assert_eq!(catalog.revision_id(&identity(4, 1)).unwrap(), Some(RevisionId(900)));
    assert!(!catalog.revision(RevisionId(900)).unwrap().unwrap().local);
    assert!(catalog.revision(RevisionId(local + 1)).unwrap().unwrap().local);
    assert_eq!(catalog.revision(RevisionId(local)).unwrap(), None);
    assert_eq!(
        nodes(&catalog).iter().map(|n| n.revision_id.0).collect::<Vec<_>>(),
        [20, 500, 501, 900, local + 1]
    );
}

#[test]
fn nodes_come_in_order_with_all_that_belongs_to_them() {
    let (_folder, _, mut catalog) = stores::catalog();
    let clause = |is_category, ids: &[u128]| Clause {
        is_category,
        any_of: ids.iter().copied().map(numbered).collect(),
    };
    let mut bundle = document(1, 3);
    // 99 to 97 are nowhere in the catalogue, and out of order.
    bundle.prerequisites = vec![clause(false, &[99]), clause(true, &[98, 2, 97])];
    bundle.bundled = vec![
        Clause { is_category: false, any_of: vec![identity(5, 7)] },
        Clause { is_category: false, any_of: vec![identity(96, 1), identity(2, 1)] },
    ];
    bundle.superseded = vec![numbered(95), numbered(94)];
    bundle.properties.expired = true;
    let mut gone = document(2, 1);
    gone.prerequisites = vec![clause(false, &[1])];
    gone.files = vec![file("gone", 1, true)];
    let mut last = document(3, 1);
    last.update_type = UpdateType::Driver;
    last.files = vec![
        file("present", 10, true),
        file("missing", 11, true),
        file("refused", 12, true),
        file("by sha1", 13, false),
        file("unknown", 14, false),
    ];
    last.eulas =
        vec![EulaFile { language: "en".to_owned(), geo_id: None, file: file("eula", 15, true) }];
    add(&mut catalog, &[bundle.clone(), gone.clone(), last.clone()]);
    let mut writer = catalog.write().unwrap();
    writer.withdraw(&gone.identity).unwrap();
    writer.store_payload(&payload("present", 10, true)).unwrap();
    writer.store_payload(&payload("by sha1", 13, true)).unwrap();
    let refused =
        PayloadRow { not_carried: Some("too large".to_owned()), ..payload("refused", 12, false) };
    writer.store_payload(&refused).unwrap();
    // Another payload with the same SHA-1, known but absent, is not taken for the present one.
    let twin = PayloadRow { sha256: Sha256::from_bytes([0; 32]), ..payload("by sha1", 13, false) };
    writer.store_payload(&twin).unwrap();
    writer.commit().unwrap();

    let nodes = nodes(&catalog);
    assert_eq!(nodes.len(), 2);
    assert_eq!(nodes[0].revision_id, RevisionId(1));
    assert_eq!(nodes[0].identity, bundle.identity);
    assert!(nodes[0].expired);
    assert_eq!(nodes[0].prerequisites, bundle.prerequisites);
    assert_eq!(nodes[0].bundled, bundle.bundled);
    assert_eq!(nodes[0].superseded, bundle.superseded);
    assert!(nodes[0].files.is_empty());
    assert_eq!(nodes[1].revision_id, RevisionId(3));
    assert_eq!(nodes[1].update_type, UpdateType::Driver);
    assert!(nodes[1].prerequisites.is_empty() && nodes[1].bundled.is_empty());
    let files: Vec<_> = nodes[1].files.iter().map(|f| (f.name.as_str(), f.size, f.state)).collect();
    assert_eq!(
        files,
        [
            ("present", 10, PayloadState::Present),
            ("missing", 11, PayloadState::Missing),
            ("refused", 12, PayloadState::NotCarried),
            ("by sha1", 13, PayloadState::Present),
            ("unknown", 14, PayloadState::Missing),
        ]
    );
    assert_eq!(nodes[1].files[3].sha256, Some(Sha256::hash(b"by sha1")));
    assert_eq!(nodes[1].files[4].sha256, None);

    let mut missing = Vec::new();
    catalog.missing_files(&mut |_, _, _, name| missing.push(name)).unwrap();
    missing.sort_unstable();
    assert_eq!(missing, ["eula", "missing", "unknown"], "what is not carried is not missing");
    let mut missing = Vec::new();
    catalog
        .missing_and_express_files(&mut |sha1, sha256, size, name| {
            missing.push((name, sha1, sha256, size))
        })
        .unwrap();
    missing.sort_unstable();
    let names: Vec<_> = missing.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["eula", "missing", "refused", "unknown"], "not those of withdrawn ones");
    assert_eq!(missing[1].1, Sha1::hash(b"missing"));
    assert_eq!((missing[1].2, missing[1].3), (Some(Sha256::hash(b"missing")), 11));
    assert_eq!(missing[3].2, None);
    assert_eq!(catalog.counts().unwrap().files, 7);
    let eulas: Vec<_> = nodes[1].eulas.iter().map(|f| (f.name.as_str(), f.state)).collect();
    assert_eq!(eulas, [("eula", PayloadState::Missing)]);
}

#[test]
fn a_prerequisite_clause_of_nothing_is_kept_in_its_place() {
    let (_folder, _, mut catalog) = stores::catalog();
    let nothing = |is_category| Clause { is_category, any_of: Vec::new() };
    let one = |n| Clause { is_category: false, any_of: vec![numbered(n)] };
    let mut all = Vec::new();
    for (n, clauses) in [
        (1, vec![one(7), nothing(true), one(8), nothing(false)]),
        (2, vec![nothing(true)]),
        (3, vec![one(7)]),
    ] {
        let mut d = document(n, 1);
        d.prerequisites = clauses;
        all.push(d);
    }
    let mut writer = catalog.write().unwrap();
    for d in &all {
        writer.add_revision(d, &xml(d), Numbering::Assign, exactly_now()).unwrap();
    }
    writer.commit().unwrap();
    let mut read = Vec::new();
    catalog.nodes(&mut |node| read.push(node.prerequisites)).unwrap();
    assert_eq!(read, all.iter().map(|d| d.prerequisites.clone()).collect::<Vec<_>>());
}

#[test]
fn a_bundle_of_nothing_is_refused_and_leaves_nothing() {
    let (_folder, _, mut catalog) = stores::catalog();
    let mut d = document(1, 1);
    d.bundled = vec![Clause { is_category: false, any_of: Vec::new() }];
    let mut writer = catalog.write().unwrap();
    let error = writer.add_revision(&d, &xml(&d), Numbering::Assign, exactly_now()).unwrap_err();
    assert!(matches!(error, CatalogError::UnfitDocument { .. }), "{error}");
    assert!(error.is_about_the_document());
    writer.commit().unwrap();
    assert_eq!(catalog.counts().unwrap().revisions, 0);
}

#[test]
fn revisions_are_found_by_what_people_know() {
    let (_folder, _, mut catalog) = stores::catalog();
    let mut a = document(1, 1);
    a.properties.kb_article_ids = vec!["5001".to_owned()];
    a.localized[1].title = "Сервер 100% Ä_x".to_owned();
    let mut b = document(2, 1);
    b.properties.kb_article_ids = vec!["50010".to_owned(), "5001".to_owned()];
    b.update_type = UpdateType::Category;
    b.category_type = Some("Product".to_owned());
    b.properties.explicitly_deployable = false;
    add(&mut catalog, &[a, b]);
    let kb = |kb: &str| RevisionFilter { kb: Some(kb.to_owned()), ..RevisionFilter::default() };
    let title =
        |title: &str| RevisionFilter { title: Some(title.to_owned()), ..RevisionFilter::default() };
    assert_eq!(found(&catalog, &kb("5001")), [1, 2]);
    assert_eq!(found(&catalog, &kb("50010")), [2]);
    assert_eq!(found(&catalog, &kb("500")), [0; 0]);
    assert_eq!(found(&catalog, &title("сЕРВЕР 100% ä_")), [1], "any letter case, no wildcards");
    assert_eq!(found(&catalog, &title("%")), [1]);
    assert_eq!(found(&catalog, &RevisionFilter { deployable: true, ..kb("5001") }), [1]);
    let category =
        RevisionFilter { update_type: Some(UpdateType::Category), ..RevisionFilter::default() };
    assert_eq!(found(&catalog, &category), [2]);
    assert_eq!(
        catalog.newest(numbered(2)).unwrap().unwrap().category_type.as_deref(),
        Some("Product")
    );
}

#[test]
fn payload_rows_say_what_is_known_and_never_take_bytes_back() {
    let (_folder, path, mut catalog) = stores::catalog();
    let absent = payload("p", 40_000_000, false);
    let mut writer = catalog.write().unwrap();
    assert!(writer.store_payload(&absent).unwrap());
    assert!(writer.store_payload(&PayloadRow { present: true, ..absent.clone() }).unwrap());
    assert!(!writer.store_payload(&absent).unwrap(), "present stays");
    let bare = PayloadRow {
        chunks: Vec::new(),
        not_carried: Some("by choice".to_owned()),
        ..absent.clone()
    };
    assert!(writer.store_payload(&bare).unwrap());
    let liar = PayloadRow { size: 1, ..absent.clone() };
    assert!(matches!(writer.store_payload(&liar), Err(CatalogError::UnfitDocument { .. })));
    writer.commit().unwrap();
    let row = catalog.payload(&absent.sha256).unwrap().unwrap();
    assert!(row.present);
    assert_eq!(row.chunks, absent.chunks, "digests of chunks are not forgotten");
    assert_eq!(row.not_carried.as_deref(), Some("by choice"));
    assert_eq!(catalog.payload_by_sha1(&absent.sha1).unwrap(), Some(row.clone()));
    assert_eq!(catalog.payload(&Sha256::hash(b"x")).unwrap(), None);
    let counts = catalog.counts().unwrap();
    assert_eq!((counts.payloads, counts.present, counts.present_bytes), (1, 1, 40_000_000));

    let other = Connection::open(&path).unwrap();
    let sealed = || -> Option<i64> {
        other.query_row("SELECT sealed FROM payload", [], |row| row.get(0)).unwrap()
    };
    other.execute("UPDATE payload SET sealed = 3", []).unwrap();
    let mut writer = catalog.write().unwrap();
    writer.payload_lost(&absent.sha256).unwrap();
    assert!(writer.store_payload(&row).unwrap());
    writer.commit().unwrap();
    assert_eq!(sealed(), Some(3), "where the bytes are is not what a snapshot says");
    let mut writer = catalog.write().unwrap();
    assert!(writer.store_payload(&PayloadRow { not_carried: None, ..row }).unwrap());
    writer.commit().unwrap();
    assert_eq!(sealed(), None, "a snapshot has to say it anew");
    let mut writer = catalog.write().unwrap();
    writer.payload_lost(&absent.sha256).unwrap();
    writer.commit().unwrap();
    assert!(!catalog.payload(&absent.sha256).unwrap().unwrap().present);
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    let (_folder, path, mut catalog) = stores::catalog();
    let d = document(1, 1);
    let mut writer = catalog.write().unwrap();
    writer.add_revision(&d, &xml(&d), Numbering::Assign, exactly_now()).unwrap();
    writer.store_payload(&payload("a", 1, true)).unwrap();
    drop(writer);
    assert_eq!(catalog.counts().unwrap(), tidegate::catalog::CatalogCounts::default());
    assert_eq!(catalog.change().unwrap(), 0);
    assert_eq!(add(&mut catalog, &[d]), [AddOutcome::New(RevisionId(1))], "nor a number");
    assert_eq!(Catalog::open(&path).unwrap().counts().unwrap().revisions, 1);
}

#[test]
fn an_empty_file_becomes_a_catalogue() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    assert!(Catalog::open_read_only(&path).is_err(), "reading makes no file");
    assert!(!path.exists());
    fs::write(&path, b"").unwrap();
    assert!(matches!(Catalog::open_read_only(&path), Err(CatalogError::OlderSchema { .. })));
    drop(Catalog::open(&path).unwrap());
    let catalog = Catalog::open(&path).unwrap();
    assert_eq!(catalog.change().unwrap(), 0);
    let mut catalog = Catalog::open_read_only(&path).unwrap();
    assert!(catalog.write().unwrap().withdraw(&identity(1, 1)).is_err(), "reads only");
}

#[test]
fn newer_and_foreign_files_are_refused_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    drop(Catalog::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 1000).unwrap();
    for error in [Catalog::open(&path).err(), Catalog::open_read_only(&path).err()] {
        assert!(matches!(error, Some(CatalogError::NewerSchema { found: 1000, .. })), "{error:?}");
    }

    let foreign = folder.path().join("foreign");
    fs::write(&foreign, b"this is not a database, but it is long enough to be looked at").unwrap();
    let database = folder.path().join("database");
    Connection::open(&database).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let fleet = folder.path().join("fleet");
    drop(tidegate::fleet::Fleet::open(&fleet).unwrap());
    for path in [&foreign, &database, &fleet] {
        let before = fs::read(path).unwrap();
        let error = Catalog::open(path).err().unwrap();
        assert!(matches!(error, CatalogError::Foreign { .. }), "{error:?}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        assert_eq!(fs::read(path).unwrap(), before);
    }
}

#[test]
fn damaged_bytes_are_named() {
    let (_folder, path, mut catalog) = stores::catalog();
    let d = document(1, 1);
    add(&mut catalog, &[d]);
    let other = Connection::open(&path).unwrap();
    // Well-packed, but not what was stored.
    let bomb = zstd::encode_all(&vec![0_u8; 50_000_000][..], 1).unwrap();
    other.execute("UPDATE document SET zstd = ?1", [bomb]).unwrap();
    let error = catalog.document(RevisionId(1)).unwrap_err();
    assert!(matches!(error, CatalogError::Damaged { .. }), "{error}");
    other.execute("UPDATE document SET zstd = x'00'", []).unwrap();
    assert!(catalog.document(RevisionId(1)).is_err());
}

/// Another process reads while this one writes: it sees whole commits only.
#[test]
fn another_process_reads_while_one_writes() {
    if let Ok(path) = std::env::var("TIDEGATE_TEST_READER") {
        return read_until_told(Path::new(&path));
    }
    let (_folder, path, mut catalog) = stores::catalog();
    let mut reader = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "catalog::another_process_reads_while_one_writes", "--nocapture"])
        .env("TIDEGATE_TEST_READER", &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ask = reader.stdin.take().unwrap();
    let mut answers = BufReader::new(reader.stdout.take().unwrap()).lines();
    let mut seen = || {
        ask.write_all(b"count\n").unwrap();
        loop {
            let line = answers.next().expect("the reader lives").unwrap();
            // The test harness may print its own words before ours on the same line.
            if let Some((_, numbers)) = line.rsplit_once("SEES ") {
                return numbers.to_owned();
            }
        }
    };
    assert_eq!(seen(), "0 0");
    for round in 1..=3_u128 {
        let before = format!("{} {}", round - 1, (round - 1) * 100);
        let mut writer = catalog.write().unwrap();
        for n in 0..100 {
            let d = document(round * 1000 + n, 1);
            writer.add_revision(&d, &xml(&d), Numbering::Assign, exactly_now()).unwrap();
            if n == 50 {
                assert_eq!(seen(), before, "a transaction is open");
            }
        }
        writer.commit().unwrap();
        assert_eq!(seen(), format!("{round} {}", round * 100));
    }
    drop(ask);
    assert!(reader.wait().unwrap().success());
}

fn read_until_told(path: &Path) {
    let catalog = Catalog::open_read_only(path).unwrap();
    for line in std::io::stdin().lines() {
        assert_eq!(line.unwrap(), "count");
        let mut count = 0;
        catalog.nodes(&mut |_| count += 1).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "SEES {} {count}", catalog.change().unwrap()).unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn many_may_open_a_new_catalogue_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    std::thread::scope(|scope| {
        for n in 0..8 {
            let path = &path;
            scope.spawn(move || add(&mut Catalog::open(path).unwrap(), &[document(n, 1)]));
        }
    });
    let catalog = Catalog::open(&path).unwrap();
    assert_eq!(catalog.change().unwrap(), 8);
    let ids: Vec<_> = nodes(&catalog).iter().map(|n| n.revision_id.0).collect();
    assert_eq!(ids, (1..=8).collect::<Vec<_>>());
}

/// As large as real ones: 20,000 revisions in one transaction, a document of 47 MB.
#[test]
fn real_sizes_go_in_and_out() {
    let (_folder, _, mut catalog) = stores::catalog();
    let mut writer = catalog.write().unwrap();
    for n in 0..20_000_u128 {
        let mut d = document(n + 1, 1);
        d.prerequisites = vec![
            Clause { is_category: true, any_of: vec![numbered(n / 10 + 1)] },
            Clause { is_category: false, any_of: vec![numbered(n / 3 + 1), numbered(n / 5 + 1)] },
        ];
        d.files = vec![file(&format!("file {n}"), 1000, true)];
        let bytes = xml(&d).repeat(30);
        writer.add_revision(&d, &bytes, Numbering::Assign, exactly_now()).unwrap();
    }
    let large = b"<Update>some words of a document </Update>".repeat(47_000_000 / 43);
    let d = document(1_000_000, 1);
    writer.add_revision(&d, &large, Numbering::Assign, exactly_now()).unwrap();
    writer.commit().unwrap();
    assert_eq!(catalog.document(RevisionId(20_001)).unwrap().unwrap(), large);
    let (mut last, mut count) = (0, 0);
    catalog
        .nodes(&mut |node| {
            assert!(node.revision_id.0 > last);
            last = node.revision_id.0;
            count += 1;
            assert!(last == 20_001 || node.prerequisites[1].any_of.len() == 2);
        })
        .unwrap();
    assert_eq!(count, 20_001);
}

/// 300,000 files pass through a process whose memory does not grow with them.
#[test]
#[cfg(target_os = "linux")]
fn nodes_need_no_memory_for_the_whole() {
    let peak = || -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    if let Ok(path) = std::env::var("TIDEGATE_TEST_NODES") {
        let catalog = Catalog::open_read_only(Path::new(&path)).unwrap();
        let (before, mut files) = (peak(), 0);
        catalog.nodes(&mut |node| files += node.files.len()).unwrap();
        println!("NODES {files} {}", peak() - before);
        return;
    }
    let (_folder, path, mut catalog) = stores::catalog();
    let mut writer = catalog.write().unwrap();
    for n in 0..1_000_u128 {
        let mut d = document(n, 1);
        d.files =
            (0..300).map(|i| file(&format!("a file of some name {n} {i}"), 1, true)).collect();
        writer.add_revision(&d, b"<Update/>", Numbering::Assign, exactly_now()).unwrap();
    }
    writer.commit().unwrap();
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "catalog::nodes_need_no_memory_for_the_whole", "--nocapture"])
        .env("TIDEGATE_TEST_NODES", &path)
        .output()
        .unwrap();
    let out = String::from_utf8(out.stdout).unwrap();
    let mut numbers = out.rsplit_once("NODES ").expect(&out).1.split_whitespace();
    let mut number = || numbers.next().unwrap().parse::<u64>().unwrap();
    assert_eq!(number(), 300_000);
    let grown = number();
    assert!(grown < 16 * 1024, "the peak grew by {grown} KiB");
}
