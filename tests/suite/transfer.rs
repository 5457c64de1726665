//! The way across: seal, export, verify, import; deltas, gaps, late bundles, policy, compaction.

use std::{fs, io::Read as _, path::PathBuf};

use bundle_format::{
    container::{ObjectEntry, VolumeNote, VolumeWriter},
    digest::{CHUNK_SIZE, Sha256},
    trust::Head,
};
use serde_json::json;
use tidegate::{
    catalog::{Catalog, RevisionFilter},
    content::ContentStore,
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin},
    transfer::{
        Blame, ExportOptions, ImportOptions, KeyRotation, KeysOptions, PolicyChangeKind,
        SealOptions, SealOutcome, TransferError, TrustAdded, VerifyAgainst, VerifyOptions, check,
        countersign, export, import, inspect_for_signing, inspect_root, keys_init, keys_rotate,
        seal, trust_add, verify,
    },
    update::{RevisionId, UpdateIdentity},
};

use crate::support::{
    clock::{days, now},
    sides::{Mirror, Site, bytes, document, sealed, served, tree, update},
};

fn options() -> VerifyOptions {
    VerifyOptions::new(now())
}

/// Why a snapshot was sealed, as its JSON says.
fn reasons(sealed: &SealOutcome) -> serde_json::Value {
    serde_json::to_value(sealed).unwrap()["because"].clone()
}

/// [`CHUNK_SIZE`], as a length of bytes in memory.
const CHUNK: usize = 16 * 1024 * 1024;

/// A mirror with three updates, one of them with a payload of several chunks.
fn mirror() -> Mirror {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000)]);
    mirror.add(2, 100, &[bytes(2, 2 * CHUNK + 12_345), bytes(3, 0)]);
    mirror.add(3, 100, &[]);
    mirror
}

#[test]
fn everything_that_was_sealed_is_served_on_the_other_side() {
    let mirror = mirror();
    let exported = mirror.export("plant-7");
    assert_eq!(exported.volumes.len(), 1);
    assert_eq!((exported.snapshot, exported.segments, exported.payloads), (1, 2, 3));
    assert_eq!(fs::metadata(&exported.volumes[0]).unwrap().len(), exported.bytes);
    let name = exported.volumes[0].file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("tidegate-plant-7-000001-") && name.ends_with("-1of1.tar"), "{name}");

    let site = Site::new("plant-7", &mirror.root);
    let verified =
        verify(&exported.volumes, VerifyAgainst::Root(&mirror.root), &options(), &()).unwrap();
    let volume = &verified.volumes[0];
    assert_eq!((volume.snapshot, volume.payloads_here, volume.segments_here), (1, 3, 2));
    assert_eq!(volume.sites, ["plant-7"]);
    assert_eq!(volume.warnings, Vec::<String>::new());

    let report = site.import(&exported.volumes).unwrap();
    assert!(report.is_complete());
    assert_eq!((report.before, report.in_force), (None, Some(1)));
    assert_eq!((report.new_objects, report.held_objects), (5, 0));
    assert_eq!(report.switched.unwrap().revisions_added, 3);
    let good = check(&site.data, now(), false, &()).unwrap();
    assert_eq!(good.problems, Vec::<String>::new());
    assert_eq!((good.payloads, good.segments, good.unnamed), (3, 2, 0));

    let (here, there) = (mirror.catalog(), Catalog::open(&site.data.catalog()).unwrap());
    for n in 1..=3 {
        let id = RevisionId(n);
        assert_eq!(here.document(id).unwrap(), there.document(id).unwrap());
        assert!(here.document(id).unwrap().is_some());
    }
    assert_eq!(here.counts().unwrap(), there.counts().unwrap());
    assert_eq!(here.mirror_id().unwrap(), there.mirror_id().unwrap());
    assert!(!site.data.incoming().exists(), "nothing is left in incoming/");
}

#[test]
fn a_second_import_changes_nothing_and_says_so() {
    let mirror = mirror();
    let volumes = mirror.export("plant-7").volumes;
    let site = Site::new("plant-7", &mirror.root);
    site.import(&volumes).unwrap();
    let before = site.tree();
    let again = site.import(&volumes).unwrap();
    assert!(again.is_unchanged() && again.is_complete());
    assert_eq!((again.new_objects, again.held_objects), (0, 5));
    assert_eq!(site.tree(), before);
}

#[test]
fn after_no_change_an_export_carries_little_more_than_the_signatures() {
    let mirror = mirror();
    mirror.export("plant-7");
    let second = mirror.export("plant-7");
    assert!(!sealed(&second).new, "{:?}", sealed(&second).reasons);
    assert_eq!((second.snapshot, second.segments, second.payloads), (1, 0, 0));
    assert!(second.bytes < 16 * 1024, "{}", second.bytes);

    mirror.add(4, 100, &[bytes(40, 7000)]);
    let third = mirror.export("plant-7");
    assert_eq!((third.snapshot, third.segments, third.payloads), (2, 2, 1));
    assert!(third.bytes < 7000 + 20 * 1024, "{}", third.bytes);
}

#[test]
fn the_same_mirror_packs_the_same_bytes() {
    let (one, two) = (mirror(), mirror());
    let (a, b) = (one.export_full("plant-7"), one.export_full("plant-7"));
    assert_eq!(a.volumes, b.volumes, "the same set has the same name");
    // Another mirror with the same numbering seals the same index; only the keys differ.
    assert_eq!(sealed(&a).index, sealed(&two.export_full("plant-7")).index);
    let first = fs::read(&a.volumes[0]).unwrap();
    fs::remove_file(&a.volumes[0]).unwrap();
    let c = one.export_full("plant-7");
    assert!(fs::read(&c.volumes[0]).unwrap() == first);
}

#[test]
fn deltas_follow_one_another_and_lead_to_what_a_full_bundle_gives() {
    let mirror = mirror();
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    mirror.add(4, 100, &[bytes(41, 100_000)]);
    mirror.add(1, 101, &[bytes(1, 5000)]);
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!(report.in_force, Some(2));
    assert_eq!((report.new_objects, report.held_objects), (3, 0));
    mirror.withdraw(3, 100);
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!(report.switched.unwrap().revisions_withdrawn, 1);
    // Offered again.
    mirror.add(3, 100, &[]);
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!(report.in_force, Some(4));

    let fresh = Site::new("plant-7", &mirror.root);
    let full = fresh.import(&mirror.export_full("plant-7").volumes).unwrap();
    assert!(full.is_complete());
    let skip = |text: String| -> Vec<String> {
        text.lines()
            .filter(|line| !line.contains("number=") && !line.contains("state="))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(skip(site.served()), skip(fresh.served()));
    let mut found = Vec::new();
    let catalog = Catalog::open(&site.data.catalog()).unwrap();
    catalog
        .find(&RevisionFilter::default(), &mut |s| found.push((s.revision_id.0, s.withdrawn)))
        .unwrap();
    assert_eq!(found, [(1, false), (2, false), (3, false), (4, false), (5, false)]);
}

#[test]
fn a_lost_delta_shows_as_an_exact_list_and_any_order_will_do() {
    let mirror = mirror();
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    mirror.add(4, 100, &[bytes(42, 3000)]);
    let second = mirror.export("plant-7");
    mirror.add(5, 100, &[bytes(43, 4000)]);
    let third = mirror.export("plant-7");

    let early = site.import(&third.volumes).unwrap();
    assert!(!early.is_complete());
    assert_eq!((early.before, early.in_force), (Some(1), Some(1)));
    assert_eq!(early.pending.len(), 1);
    assert_eq!(early.pending[0].snapshot, 3);
    assert_eq!(early.pending[0].missing.segments.len(), 2, "both segments of snapshot 2");
    assert_eq!(early.new_objects, 3);
    assert_eq!(check(&site.data, now(), false, &()).unwrap().problems, Vec::<String>::new());

    // Snapshot 2 is newer than what is served, and completes snapshot 3 as well.
    let late = site.import(&second.volumes).unwrap();
    assert!(late.is_complete());
    assert_eq!(late.in_force, Some(3));

    let twin = Site::new("plant-7", &mirror.root);
    twin.import(&[mirror.out()]).unwrap();
    let lines = |site: &Site| -> Vec<String> {
        site.served().lines().filter(|l| !l.contains("state=")).map(str::to_owned).collect()
    };
    let (ours, twins) = (lines(&site), lines(&twin));
    assert!(twins.iter().all(|line| ours.contains(line)), "{twins:#?}");
}

#[test]
fn a_missing_payload_is_named_and_a_repair_completes_the_snapshot() {
    let mirror = mirror();
    let first = mirror.export("plant-7");
    mirror.add(4, 100, &[bytes(44, 3000)]);
    let second = mirror.export("plant-7");
    let site = Site::new("plant-7", &mirror.root);
    // The first bundle was lost: its segments are missing, its payloads not known yet.
    let report = site.import(&second.volumes).unwrap();
    assert_eq!(report.in_force, None);
    assert_eq!(report.pending[0].missing.segments.len(), 2);
    let report = site.import(&first.volumes).unwrap();
    assert_eq!((report.in_force, report.pending.len()), (Some(2), 0));
}

#[test]
fn a_late_older_bundle_only_fills_gaps() {
    let mirror = mirror();
    let first = mirror.export_full("plant-7").volumes;
    let first: Vec<PathBuf> = first
        .iter()
        .map(|path| {
            let kept = mirror.folder.path().join("first.tar");
            fs::copy(path, &kept).unwrap();
            kept
        })
        .collect();
    mirror.add(4, 100, &[bytes(45, 3000)]);
    let second = mirror.export_full("plant-7").volumes;
    let site = Site::new("plant-7", &mirror.root);
    site.import(&second).unwrap();
    let before = site.served();
    let late = site.import(&first).unwrap_err();
    assert_eq!(late.blame(), Blame::Refused);
    assert!(late.to_string().contains("snapshot 1 is older than snapshot 2"), "{late}");
    assert_eq!(site.served(), before);

    // A payload rots; the check finds it, and the older bundle has it.
    let rotten = bytes(1, 5000);
    let path = ContentStore::open(&site.data.content()).unwrap().path(&Sha256::hash(&rotten));
    let mut changed = rotten.clone();
    changed[77] ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, &changed).unwrap();
    let found = check(&site.data, now(), true, &()).unwrap();
    assert_eq!(found.damaged_payloads, [Sha256::hash(&rotten)]);
    assert!(!path.exists());
    let filled = site.import(&first).unwrap();
    assert_eq!((filled.new_objects, filled.in_force), (1, Some(2)));
    assert!(fs::read(&path).unwrap() == rotten);
    assert!(check(&site.data, now(), false, &()).unwrap().is_good());
    assert_eq!(site.served(), before);
}

#[test]
fn a_dry_run_says_what_would_change_and_changes_nothing() {
    let mirror = mirror();
    let volumes = mirror.export("plant-7").volumes;
    let site = Site::new("plant-7", &mirror.root);
    let before = site.tree();
    let dry = site.dry_run(&volumes).unwrap();
    assert!(dry.dry_run && dry.is_complete());
    assert_eq!((dry.in_force, dry.new_objects), (Some(1), 5));
    assert_eq!(site.tree(), before);
    let real = site.import(&volumes).unwrap();
    assert_eq!(dry.switched.as_ref().unwrap().revisions_added, 3);
    assert_eq!(real.new_bytes, dry.new_bytes);

    mirror.add(9, 1, &[]);
    let before = site.tree();
    let dry = site.dry_run(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!((dry.before, dry.in_force), (Some(1), Some(2)));
    assert_eq!(site.tree(), before);
}

#[test]
fn approvals_travel_and_what_was_decided_here_stays() {
    let mirror = mirror();
    let site = Site::new("plant-7", &mirror.root);
    let mut there = Fleet::open(&mirror.data.fleet()).unwrap();
    let servers = there.create_group("Servers", None).unwrap();
    let approve = |fleet: &mut Fleet, n, group, origin| {
        let action = ApprovalAction::Install;
        fleet.approve(update(n), group, action, Some(days(30)), origin, now()).unwrap()
    };
    approve(&mut there, 1, servers.id, Origin::Local);
    approve(&mut there, 2, ALL_COMPUTERS, Origin::Local);
    there.decline(update(3), Origin::Local, now()).unwrap();
    there.accept_eula("licence-1", now()).unwrap();
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    let kinds: Vec<_> = report.policy.iter().map(|change| change.kind).collect();
    use PolicyChangeKind::{
        AcceptEula, Approve, CreateGroup, Decline, KeptLocal, Unapprove, Undecline,
    };
    assert_eq!(kinds, [CreateGroup, Approve, Approve, AcceptEula, Decline]);
    let mut here = Fleet::open(&site.data.fleet()).unwrap();
    assert_eq!(here.accepted_eulas().unwrap(), ["licence-1"]);
    let group = here.group("servers").unwrap();
    let approvals = here.approvals().unwrap();
    assert_eq!(approvals.len(), 2);
    assert!(approvals.iter().all(|a| a.origin == Origin::Policy && a.deadline == Some(days(30))));

    // Here somebody decides otherwise, there a decision is taken back and another one made.
    here.approve(update(2), ALL_COMPUTERS, ApprovalAction::Block, None, Origin::Local, now())
        .unwrap();
    there.unapprove(update(1), servers.id).unwrap();
    there.undecline(update(3)).unwrap();
    there
        .approve(update(2), ALL_COMPUTERS, ApprovalAction::Uninstall, None, Origin::Local, now())
        .unwrap();
    let exported = mirror.export("plant-7");
    assert_eq!(reasons(sealed(&exported)), json!(["approvals, declines or groups changed"]));
    assert_eq!((exported.segments, exported.payloads), (0, 0));
    let dry = site.dry_run(&exported.volumes).unwrap();
    let report = site.import(&exported.volumes).unwrap();
    assert_eq!(dry.policy, report.policy);
    let kinds: Vec<_> = report.policy.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [Unapprove, KeptLocal, Undecline]);
    let approvals = here.approvals().unwrap();
    assert_eq!(approvals.len(), 1);
    assert_eq!(approvals[0].action, ApprovalAction::Block);
    assert!(approvals.iter().all(|a| a.group != group.id));
    assert!(here.declined().unwrap().is_empty());

    // What an administrator has taken back here does not come again with any policy.
    here.unapprove(update(2), ALL_COMPUTERS).unwrap();
    mirror.add(11, 1, &[]);
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    let kinds: Vec<_> = report.policy.iter().map(|change| change.kind).collect();
    assert_eq!((kinds, report.in_force), (vec![KeptLocal], Some(3)));
    assert!(here.approvals().unwrap().is_empty());
}

#[test]
fn compaction_keeps_the_list_short_and_sites_follow() {
    let mirror = mirror();
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export_compacting("plant-7", 4).volumes).unwrap();
    for n in 0..12_u32 {
        mirror.add(100 + u128::from(n), 1, &[bytes(u64::from(n) + 500, 300)]);
        if n == 5 {
            mirror.withdraw(2, 100);
        }
        if n == 8 {
            mirror.add(2, 100, &[]);
        }
        let exported = mirror.export_compacting("plant-7", 4);
        assert!(sealed(&exported).segments <= 10, "{}", sealed(&exported).segments);
        let report = site.import(&exported.volumes).unwrap();
        assert_eq!(report.in_force, Some(u64::from(n) + 2));
        let switched = report.switched.unwrap();
        assert_eq!((switched.revisions_removed, switched.payloads_removed), (0, 0), "{n}");
        assert!(check(&site.data, now(), false, &()).unwrap().is_good());
    }
    let (here, there) = (
        mirror.catalog().counts().unwrap(),
        Catalog::open(&site.data.catalog()).unwrap().counts().unwrap(),
    );
    assert_eq!(here, there);
    assert_eq!(here.withdrawn, 0);
}

#[test]
fn volumes_of_a_set_come_in_any_order() {
    let mirror = Mirror::new(7);
    mirror.add(1, 1, &[bytes(1, 3 * CHUNK + 999), bytes(2, 100_000)]);
    mirror.add(2, 1, &[bytes(3, CHUNK)]);
    let most = CHUNK_SIZE + 200_000;
    let options = ExportOptions { volume_size: Some(most), ..ExportOptions::default() };
    let exported = mirror.export_with("plant-7", &options).unwrap();
    assert!(exported.volumes.len() > 3);
    for volume in &exported.volumes {
        assert!(fs::metadata(volume).unwrap().len() <= most);
        verify(
            std::slice::from_ref(volume),
            VerifyAgainst::Root(&mirror.root),
            &self::options(),
            &(),
        )
        .unwrap();
    }
    let site = Site::new("plant-7", &mirror.root);
    let mut volumes = exported.volumes.clone();
    volumes.reverse();
    let report = site.import(&volumes).unwrap();
    assert_eq!((report.in_force, report.pending.len()), (Some(1), 0));
    assert!(check(&site.data, now(), false, &()).unwrap().is_good());
    assert_eq!(check(&site.data, now(), false, &()).unwrap().payloads, 3);
}

#[test]
fn a_root_is_trusted_once_and_its_successors_follow_by_themselves() {
    let mirror = mirror();
    let summary = inspect_root(&mirror.root).unwrap();
    let site = Site::without_trust("plant-7");
    let wrong = trust_add(&site.data, &mirror.root, Some("0000")).unwrap_err();
    assert_eq!(wrong.blame(), Blame::Refused);
    assert_eq!(
        trust_add(&site.data, &mirror.root, Some(&summary.fingerprint)).unwrap(),
        TrustAdded::Added
    );
    assert_eq!(
        trust_add(&site.data, &mirror.root, Some(&summary.fingerprint_hex)).unwrap(),
        TrustAdded::Already
    );
    let other = Mirror::new(8);
    assert!(trust_add(&site.data, &other.root, None).is_err());

    site.import(&mirror.export("plant-7").volumes).unwrap();
    let all = KeyRotation { root: true, content: true, policy: true, ..KeyRotation::default() };
    let rotated = keys_rotate(&mirror.data, all, None, now()).unwrap();
    let exported = mirror.export("plant-7");
    assert_eq!(reasons(sealed(&exported)), json!(["the root changed"]));
    let report = site.import(&exported.volumes).unwrap();
    assert_eq!(report.in_force, Some(2));
    // A new site pins the newest root.
    let fresh = Site::new("plant-7", &rotated.root);
    assert_eq!(fresh.import(&mirror.export_full("plant-7").volumes).unwrap().in_force, Some(2));
}

#[test]
fn a_second_signature_is_needed_where_the_root_says_so() {
    let keys = KeysOptions { countersigners: 1, threshold: 2, ..KeysOptions::new(now()) };
    let mirror = Mirror::with_keys(7, &keys);
    mirror.add(1, 1, &[bytes(1, 100)]);
    let outcome = seal(&mirror.data, now(), &SealOptions::default(), &()).unwrap();
    assert_eq!(outcome.signatures, (1, 2));
    let error = mirror.export_with("plant-7", &ExportOptions::default()).unwrap_err();
    assert!(error.to_string().contains("countersigned"), "{error}");
    let key = mirror.data.keys().join("countersigner-1.pem");
    let summary =
        countersign(&mirror.data, &inspect_for_signing(&mirror.data).unwrap(), &key, None).unwrap();
    assert_eq!(summary.signatures, (2, 2));
    let exported = mirror.export("plant-7");
    let site = Site::new("plant-7", &mirror.root);
    assert!(site.import(&exported.volumes).unwrap().is_complete());
}

#[test]
fn a_rotten_payload_is_not_packed() {
    let mirror = mirror();
    let content = ContentStore::open(&mirror.data.content()).unwrap();
    let path = content.path(&Sha256::hash(&bytes(1, 5000)));
    let mut changed = fs::read(&path).unwrap();
    changed[0] ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, changed).unwrap();
    let error = mirror.export_with("plant-7", &ExportOptions::default()).unwrap_err();
    assert_eq!(error.blame(), Blame::Machine);
    assert_eq!(fs::read_dir(mirror.out()).unwrap().count(), 0, "no half volume is left");
    // Nothing counts as packed.
    assert!(!check(&mirror.data, now(), true, &()).unwrap().is_good());
    mirror.add(1, 100, &[bytes(1, 5000)]);
    assert_eq!(mirror.export("plant-7").payloads, 3);
}

/// A signature must not make rotten bytes the truth.
#[test]
fn a_rotten_document_is_not_sealed() {
    let mirror = mirror();
    let rotten = zstd::encode_all(document(1, 100, &[]).as_bytes(), 3).unwrap();
    rusqlite::Connection::open(mirror.data.catalog())
        .unwrap()
        .execute("UPDATE document SET zstd = ?1 WHERE revision_id = 1", [rotten])
        .unwrap();
    let error = seal(&mirror.data, now(), &SealOptions::default(), &()).unwrap_err();
    assert!(error.to_string().contains("revision id 1"), "{error}");
    assert_eq!(mirror.catalog().snapshots().unwrap(), []);
}

#[test]
fn a_payload_that_the_mirror_lost_does_not_hold_up_a_site() {
    let mirror = mirror();
    let content = ContentStore::open(&mirror.data.content()).unwrap();
    mirror.export("plant-7");
    fs::remove_file(content.path(&Sha256::hash(&bytes(1, 5000)))).unwrap();
    check(&mirror.data, now(), true, &()).unwrap();
    let exported = mirror.export_full("plant-7");
    assert_eq!((exported.snapshot, exported.payloads), (2, 2));
    let site = Site::new("plant-7", &mirror.root);
    let report = site.import(&exported.volumes).unwrap();
    assert!(report.is_complete());
    // And when it is back, it comes.
    mirror.add(1, 100, &[bytes(1, 5000)]);
    let exported = mirror.export_full("plant-7");
    assert_eq!((exported.snapshot, exported.payloads), (3, 3));
    let report = site.import(&exported.volumes).unwrap();
    assert!(report.is_complete());
    assert_eq!(check(&site.data, now(), false, &()).unwrap().payloads, 3);
}

#[test]
fn a_document_that_contradicts_a_payload_is_left_out_of_the_snapshot() {
    let mirror = mirror();
    let mut digests = bundle_format::digest::PayloadHasher::new();
    digests.update(&bytes(1, 5000));
    let mut digests = digests.finish();
    digests.sha256 = Sha256::hash(b"something else");
    mirror.add_document(&document(50, 1, &[digests]));
    for new in [true, false] {
        let sealed = seal(&mirror.data, now(), &SealOptions::default(), &()).unwrap();
        assert_eq!(sealed.new, new);
        assert_eq!(sealed.left_out.len(), 1, "named every time: {sealed:?}");
        assert_eq!(sealed.left_out[0].identity, UpdateIdentity { id: update(50), revision: 1 });
        assert!(sealed.left_out[0].to_string().contains("Update 50"), "{sealed:?}");
    }
    let site = Site::new("plant-7", &mirror.root);
    assert!(site.import(&mirror.export("plant-7").volumes).unwrap().is_complete());
    let catalog = Catalog::open(&site.data.catalog()).unwrap();
    assert!(catalog.newest(update(1)).unwrap().is_some());
    assert_eq!(catalog.newest(update(50)).unwrap(), None);
}

#[test]
fn other_programs_can_open_a_volume_and_check_its_sums() {
    let mirror = mirror();
    let exported = mirror.export("plant-7");
    let folder = tempfile::tempdir().unwrap();
    let tar = std::process::Command::new("tar")
        .arg("-xf")
        .arg(&exported.volumes[0])
        .arg("-C")
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(tar.status.success() && tar.stderr.is_empty(), "{tar:?}");
    let sums = std::process::Command::new("sha256sum")
        .args(["-c", "--strict", "SHA256SUMS"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(sums.status.success(), "{sums:?}");
    let mut text = String::new();
    fs::File::open(folder.path().join("SHA256SUMS")).unwrap().read_to_string(&mut text).unwrap();
    let files = tree(folder.path());
    assert_eq!(text.lines().count(), files.len() - 1, "every other file is summed");
}

#[test]
fn an_expired_bundle_warns_or_is_refused() {
    let mirror = mirror();
    let volumes = mirror.export("plant-7").volumes;
    let site = Site::new("plant-7", &mirror.root);
    let late = ImportOptions { refuse_expired: true, ..ImportOptions::new(days(1000)) };
    let error = import(&site.data, &volumes, &late, &()).unwrap_err();
    assert_eq!(error.blame(), Blame::Refused);
    let report = import(&site.data, &volumes, &ImportOptions::new(days(1000)), &()).unwrap();
    assert!(report.warnings.iter().any(|w| w.contains("expired")), "{:?}", report.warnings);
    assert_eq!(report.in_force, Some(1));
    // The mirror seals anew in time, although nothing else has changed.
    let again =
        export(&mirror.data, "plant-7", &mirror.out(), days(700), &ExportOptions::default(), &());
    assert_eq!(reasons(sealed(&again.unwrap())), json!(["the signatures expire soon"]));
}

#[test]
fn another_site_gets_its_own_deltas() {
    let mirror = mirror();
    mirror.export("plant-7");
    let first = mirror.export("plant-8");
    assert_eq!((first.snapshot, first.payloads), (2, 3));
    assert_eq!(sealed(&first).sites, ["plant-7", "plant-8"]);
    let site = Site::new("plant-8", &mirror.root);
    assert_eq!(site.import(&first.volumes).unwrap().in_force, Some(2));
    assert!(served(site.data.root()).contains("Update 2"));
}

/// What was published on the isolated side stays, even when the list of segments is a new one.
#[test]
fn what_was_published_here_outlives_every_switch() {
    let mirror = mirror();
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export_compacting("plant-7", 1).volumes).unwrap();
    let payload = bytes(700, 900);
    site.publish(900, &payload);
    let catalog = Catalog::open(&site.data.catalog()).unwrap();

    mirror.add(10, 1, &[bytes(10, 10)]);
    let report = site.import(&mirror.export_compacting("plant-7", 1).volumes).unwrap();
    assert_eq!(report.in_force, Some(2));
    let standing = catalog.newest(update(900)).unwrap().unwrap();
    assert!(standing.local && !standing.withdrawn);
    assert!(catalog.payload(&Sha256::hash(&payload)).unwrap().unwrap().present);
    assert!(check(&site.data, now(), false, &()).unwrap().is_good());

    // The mirror comes to have the same update: its number is the one for all servers.
    mirror.add(900, 1, &[payload]);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    let theirs = mirror.catalog().newest(update(900)).unwrap().unwrap();
    let ours = catalog.newest(update(900)).unwrap().unwrap();
    assert_eq!((ours.revision_id, ours.local), (theirs.revision_id, false));
}

#[test]
fn keys_under_a_passphrase_open_with_it_alone() {
    let keys = KeysOptions { passphrase: Some("tide".to_owned()), ..KeysOptions::new(now()) };
    let mirror = Mirror::with_keys(7, &keys);
    assert!(seal(&mirror.data, now(), &SealOptions::default(), &()).is_err());
    let sealing = |passphrase: &str| SealOptions {
        passphrase: Some(passphrase.to_owned()),
        ..SealOptions::default()
    };
    assert!(seal(&mirror.data, now(), &sealing("ebb"), &()).is_err());
    assert_eq!(mirror.catalog().snapshots().unwrap(), []);
    assert_eq!(seal(&mirror.data, now(), &sealing("tide"), &()).unwrap().snapshot, 1);
    assert!(keys_init(&mirror.data, &keys).is_err(), "never a second time");
}

/// The room is proven from the signed index and the note, before the first object is read: of this
/// bundle there is nothing but the head.
#[test]
fn a_bundle_that_cannot_fit_is_not_begun() {
    let mirror = Mirror::new(7);
    let site = Site::new("plant-7", &mirror.root);
    let options = SealOptions { add_site: Some("plant-7".to_owned()), ..SealOptions::default() };
    seal(&mirror.data, now(), &options, &()).unwrap();
    let mut head = Head::default();
    for part in ["metadata", "targets"] {
        for entry in fs::read_dir(mirror.data.snapshot(1).join(part)).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{part}/{}", entry.file_name().to_str().unwrap());
            head.files.insert(name, fs::read(entry.path()).unwrap().into());
        }
    }
    let size = 8 * 1024 * 1024 * 1024 - 512;
    let mut objects: Vec<ObjectEntry> = (0..2000_u32)
        .map(|n| ObjectEntry { sha256: Sha256::hash(&n.to_le_bytes()), offset: None, size })
        .collect();
    objects.sort_by_key(|object| object.sha256);
    let note = VolumeNote {
        format_version: 1,
        set: uuid::Uuid::from_u128(1),
        volume: 1,
        of: 1,
        site: "plant-7".to_owned(),
        snapshot: 1,
        objects,
    };
    let path = site.folder.path().join("huge.tar");
    drop(VolumeWriter::new(fs::File::create(&path).unwrap(), &note, &head).unwrap());
    let before = site.tree();
    let error = site.import(&[path]).unwrap_err();
    assert!(matches!(error, TransferError::NoSpace { .. }), "{error}");
    assert_eq!(error.blame(), Blame::Machine);
    assert!(error.to_string().contains("bytes free"), "{error}");
    assert_eq!(site.tree(), before);
}
