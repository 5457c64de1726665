//! What belongs to revisions without standing in their documents travels; and a connected side that
//! was lost is rebuilt from its own bundle.

use std::{collections::BTreeMap, fs};

use bundle_format::digest::Sha1;
use tidegate::{
    catalog::{AddOutcome, Catalog, Numbering, RevisionFilter},
    data_dir::{DataDir, Side},
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin},
    transfer::{ImportOptions, SealOptions, TransferError, seal, seed},
    update::{DocumentLimits, RevisionId, UpdateDocument},
};
use uuid::Uuid;

use crate::support::{
    clock::now,
    sides::{Mirror, Site, bytes, copy_folder, document, update},
};

/// The SHA-1 of the only file of a revision.
fn file_of(catalog: &Catalog, id: i32) -> Sha1 {
    catalog.files(RevisionId(id)).unwrap()[0].sha1
}

fn put_key(mirror: &Mirror, sha1: &Sha1, key: &[u8]) {
    let mut catalog = mirror.catalog();
    let mut writer = catalog.write().unwrap();
    assert!(writer.store_key(sha1, key).unwrap());
    writer.commit().unwrap();
}

fn put_set(mirror: &Mirror, n: u128, xml: Option<&str>) {
    let mut catalog = mirror.catalog();
    let mut writer = catalog.write().unwrap();
    assert!(writer.store_driver_set(&Uuid::from_u128(n), xml).unwrap());
    writer.commit().unwrap();
}

fn sets(catalog: &Catalog) -> Vec<(u128, String)> {
    let mut sets = Vec::new();
    catalog.driver_sets(&mut |id, xml| sets.push((id.as_u128(), xml))).unwrap();
    sets
}

#[test]
fn keys_and_driver_sets_travel_change_and_go() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000)]);
    mirror.add(2, 100, &[bytes(2, 5000)]);
    let (one, two) = (file_of(&mirror.catalog(), 1), file_of(&mirror.catalog(), 2));
    put_key(&mirror, &one, b"first key");
    put_set(&mirror, 5, Some("<set/>"));
    put_set(&mirror, 6, Some("<other/>"));
    let exported = mirror.export("plant-7");
    let site = Site::new("plant-7", &mirror.root);
    let report = site.import(&exported.volumes).unwrap();
    let changes = report.switched.unwrap();
    assert_eq!((changes.keys_changed, changes.driver_sets_changed), (1, 2));
    let here = || Catalog::open(&site.data.catalog()).unwrap();
    assert_eq!(here().keys_of(RevisionId(1)).unwrap(), [(one, b"first key".to_vec())]);
    assert_eq!(sets(&here()), [(5, "<set/>".to_owned()), (6, "<other/>".to_owned())]);

    // Nothing new: nothing is sealed.
    let again = seal(&mirror.data, now(), &SealOptions::default(), &()).unwrap();
    assert!(!again.new, "{:?}", again.reasons);

    put_key(&mirror, &one, b"changed key");
    put_key(&mirror, &two, b"second key");
    put_set(&mirror, 5, None);
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    let changes = report.switched.unwrap();
    assert_eq!((changes.keys_changed, changes.driver_sets_changed), (2, 1));
    assert_eq!(here().key_of(&one).unwrap().unwrap(), b"changed key");
    assert_eq!(sets(&here()), [(6, "<other/>".to_owned())]);

    // A site that begins now has the same, also through merged segments.
    put_key(&mirror, &one, b"last key");
    let merged = mirror.export_compacting("plant-7", 1);
    let late = Site::new("plant-7", &mirror.root);
    late.import(&mirror.export_full("plant-7").volumes).unwrap();
    site.import(&merged.volumes).unwrap();
    for site in [&site, &late] {
        let catalog = Catalog::open(&site.data.catalog()).unwrap();
        assert_eq!(catalog.key_of(&one).unwrap().unwrap(), b"last key");
        assert_eq!(catalog.key_of(&two).unwrap().unwrap(), b"second key");
        assert_eq!(sets(&catalog), [(6, "<other/>".to_owned())]);
    }
}

/// All revisions with their numbers.
fn numbers(data: &DataDir) -> BTreeMap<String, i32> {
    let mut numbers = BTreeMap::new();
    let catalog = Catalog::open(&data.catalog()).unwrap();
    let each = &mut |r: tidegate::catalog::RevisionSummary| {
        numbers.insert(r.identity.to_string(), r.revision_id.0);
    };
    catalog.find(&RevisionFilter::default(), each).unwrap();
    numbers
}

#[test]
fn a_mirror_that_was_lost_goes_on_numbering_from_its_own_bundle() {
    let lost = Mirror::new(7);
    lost.add(1, 100, &[bytes(1, 5000)]);
    lost.add(2, 100, &[]);
    lost.add(3, 100, &[]);
    let site = Site::new("plant-7", &lost.root);
    site.import(&lost.export("plant-7").volumes).unwrap();
    // The newest number is of a revision that is withdrawn: it must not be given again.
    lost.withdraw(3, 100);
    put_key(&lost, &file_of(&lost.catalog(), 1), b"a key");
    let mut fleet = Fleet::open(&lost.data.fleet()).unwrap();
    let install = ApprovalAction::Install;
    fleet.approve(update(1), ALL_COMPUTERS, install, None, Origin::Local, now()).unwrap();
    drop(fleet);
    let full = lost.export_full("plant-7");
    let before = numbers(&lost.data);

    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("data");
    let options = ImportOptions::new(now());
    // Left by a killed run; and one that is at work.
    let left = |name: &str| {
        let folder = folder.path().join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("sync.lock"), b"").unwrap();
        folder
    };
    let (killed, at_work) = (left(".tidegate-seed-killed"), left(".tidegate-seed-at-work"));
    let lock = fs::File::open(at_work.join("sync.lock")).unwrap();
    lock.lock().unwrap();
    let report = seed(&target, &full.volumes, &lost.root, None, &options, &()).unwrap();
    assert!(!killed.exists() && at_work.exists());
    fs::remove_dir_all(&at_work).unwrap();
    assert_eq!((report.mirror_id, report.snapshot, report.revisions), (Uuid::from_u128(7), 2, 3));
    let data = DataDir::open(&target).unwrap();
    assert_eq!(*data.side(), Side::Connected { mirror_id: Uuid::from_u128(7) });
    assert_eq!(numbers(&data), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");

    // With the keys of the backup there is nothing to seal: it is what was sealed last.
    copy_folder(&lost.data.keys(), &data.keys());
    let again = seal(&data, now(), &SealOptions::default(), &()).unwrap();
    assert_eq!((again.new, again.snapshot), (false, 2), "{:?}", again.reasons);

    // Known revisions keep their numbers, a new one gets the next; the site takes it all.
    let mut catalog = Catalog::open(&data.catalog()).unwrap();
    let mut writer = catalog.write().unwrap();
    let mut add = |n| {
        let xml = document(n, 100, &[]);
        let parsed = UpdateDocument::parse(xml.as_bytes(), &DocumentLimits::default()).unwrap();
        writer.add_revision(&parsed, xml.as_bytes(), Numbering::Assign, now()).unwrap()
    };
    assert_eq!(add(2), AddOutcome::Same(RevisionId(2)));
    assert_eq!(add(4), AddOutcome::New(RevisionId(4)));
    writer.commit().unwrap();
    let rebuilt = Mirror { folder, data, root: lost.root.clone() };
    let next = rebuilt.export("plant-7");
    assert_eq!(next.snapshot, 3);
    let report = site.import(&next.volumes).unwrap();
    assert_eq!(report.in_force, Some(3), "{report:?}");
    assert_eq!(numbers(&site.data), numbers(&rebuilt.data));
    let fleet = Fleet::open(&site.data.fleet()).unwrap();
    assert_eq!(fleet.approvals().unwrap().len(), 1, "its decisions are there too");
}

#[test]
fn a_bundle_that_is_not_whole_or_not_its_own_rebuilds_nothing() {
    let lost = Mirror::new(7);
    lost.add(1, 100, &[bytes(1, 5000)]);
    lost.export("plant-7");
    lost.add(2, 100, &[]);
    let delta = lost.export("plant-7");
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("data");
    let options = ImportOptions::new(now());
    let refused = seed(&target, &delta.volumes, &lost.root, None, &options, &()).unwrap_err();
    assert!(refused.to_string().contains("the whole mirror"), "{refused}");
    let stranger = Mirror::new(8);
    assert!(seed(&target, &delta.volumes, &stranger.root, None, &options, &()).is_err());
    let full = lost.export_full("plant-7");
    let wrong = Some("00");
    let refused = seed(&target, &full.volumes, &lost.root, wrong, &options, &()).unwrap_err();
    assert!(matches!(refused, TransferError::Fingerprint { .. }), "{refused}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("something"), "").unwrap();
    let refused = seed(&target, &full.volumes, &lost.root, None, &options, &()).unwrap_err();
    assert!(refused.to_string().contains("something in"), "{refused}");
}

#[test]
fn a_folder_with_nothing_but_what_systems_put_there_is_taken_and_that_stays() {
    let lost = Mirror::new(7);
    lost.add(1, 100, &[bytes(1, 5000)]);
    let full = lost.export_full("plant-7");
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("data");
    fs::create_dir_all(target.join("System Volume Information")).unwrap();
    fs::write(target.join(".DS_Store"), b"x").unwrap();
    let options = ImportOptions::new(now());
    let report = seed(&target, &full.volumes, &lost.root, None, &options, &()).unwrap();
    assert_eq!((report.snapshot, report.revisions), (1, 1));
    assert!(matches!(DataDir::open(&target).unwrap().side(), Side::Connected { .. }));
    assert!(target.join("System Volume Information").is_dir());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}
