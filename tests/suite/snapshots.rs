//! What changed from one snapshot to another: as `import` says it, and as `snapshots diff` does.

use std::fs;

use tidegate::{
    catalog::SnapshotState,
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin},
    transfer::{
        PruneOptions, SnapshotDiff, UpdateChanges, UpdateSummary, list_snapshots, prune,
        snapshot_diff,
    },
    update::DocumentLimits,
};

use crate::support::{
    clock::{days, now},
    sides::{Mirror, Site, bytes, update},
};

fn titles(updates: &[UpdateSummary]) -> Vec<&str> {
    updates.iter().map(|update| update.title.as_str()).collect()
}

fn assert_changes(changes: &UpdateChanges, new: &[&str], revised: &[&str], withdrawn: &[&str]) {
    assert_eq!(
        (titles(&changes.new), titles(&changes.revised), titles(&changes.withdrawn)),
        (new.to_vec(), revised.to_vec(), withdrawn.to_vec())
    );
}

fn diff(data: &tidegate::data_dir::DataDir, from: u64, to: u64) -> SnapshotDiff {
    snapshot_diff(data, (from, to), &DocumentLimits::default(), now()).unwrap()
}

/// A mirror with two snapshots; the second has a new, a revised and a withdrawn update, and decisions.
fn two_snapshots(site: &str) -> (Mirror, [Vec<std::path::PathBuf>; 2]) {
    let mirror = Mirror::new(7);
    for n in 1..=3 {
        mirror.add(n, 100, &[bytes(u64::try_from(n).unwrap(), 5000)]);
    }
    let first = mirror.export(site).volumes;
    mirror.add(2, 101, &[bytes(20, 6000)]);
    mirror.withdraw(3, 100);
    mirror.add(4, 100, &[bytes(4, 7000)]);
    let mut fleet = Fleet::open(&mirror.data.fleet()).unwrap();
    let install = ApprovalAction::Install;
    fleet.approve(update(4), ALL_COMPUTERS, install, None, Origin::Local, now()).unwrap();
    fleet.decline(update(1), Origin::Local, now()).unwrap();
    let second = mirror.export(site).volumes;
    (mirror, [first, second])
}

#[test]
fn import_names_what_is_new_revised_and_withdrawn() {
    let (mirror, [first, second]) = two_snapshots("plant-7");
    let site = Site::new("plant-7", &mirror.root);
    for report in [site.dry_run(&first).unwrap(), site.import(&first).unwrap()] {
        assert_changes(&report.updates.unwrap(), &["Update 1", "Update 2", "Update 3"], &[], &[]);
    }
    for report in [site.dry_run(&second).unwrap(), site.import(&second).unwrap()] {
        let changes = report.updates.unwrap();
        assert_changes(&changes, &["Update 4"], &["Update 2"], &["Update 3"]);
        assert_eq!(changes.unread_segments, 0);
    }
    assert!(site.import(&second).unwrap().updates.is_none(), "nothing was switched");
}

/// A list that was compacted names everything again, and only what differs is told.
#[test]
fn a_compacted_list_changes_nothing() {
    let (mirror, [first, second]) = two_snapshots("plant-7");
    let site = Site::new("plant-7", &mirror.root);
    site.import(&first).unwrap();
    site.import(&second).unwrap();
    mirror.add(5, 100, &[]);
    let third = mirror.export_compacting("plant-7", 2);
    let report = site.import(&third.volumes).unwrap();
    assert_changes(&report.updates.unwrap(), &["Update 5"], &[], &[]);
    assert_changes(&diff(&site.data, 2, 3).updates, &["Update 5"], &[], &[]);
    assert_changes(&diff(&mirror.data, 2, 3).updates, &["Update 5"], &[], &[]);
}

#[test]
fn two_snapshots_are_compared_on_both_sides() {
    let (mirror, [first, second]) = two_snapshots("plant-7");
    let site = Site::new("plant-7", &mirror.root);
    site.import(&first).unwrap();
    site.import(&second).unwrap();
    for data in [&mirror.data, &site.data] {
        let diff = diff(data, 1, 2);
        assert_changes(&diff.updates, &["Update 4"], &["Update 2"], &["Update 3"]);
        assert!(diff.is_complete(), "{:?}", diff.decisions_unread);
        assert_eq!((diff.updates.new_files, diff.updates.new_bytes), (2, 13_000));
        let decisions: Vec<(&str, Option<&str>)> = diff
            .decisions
            .iter()
            .map(|one| (one.named.title.as_str(), one.is.as_deref()))
            .collect();
        assert_eq!(decisions, [("Update 1", Some("decline")), ("Update 4", Some("install"))]);
        let error = snapshot_diff(data, (1, 9), &DocumentLimits::default(), now()).unwrap_err();
        assert!(error.to_string().contains("snapshot 9 is not known here"), "{error}");
    }
}

/// What is gone of an old snapshot is said, and what is there is compared.
#[test]
fn a_snapshot_whose_parts_are_gone_is_said_to_be_so() {
    let (mirror, [first, second]) = two_snapshots("plant-7");
    let site = Site::new("plant-7", &mirror.root);
    site.import(&first).unwrap();
    site.import(&second).unwrap();
    site.import(&mirror.export_compacting("plant-7", 1).volumes).unwrap();
    mirror.add(5, 100, &[]);
    site.import(&mirror.export_compacting("plant-7", 1).volumes).unwrap();
    let options =
        PruneOptions { dry_run: false, payloads: false, unneeded: false, now: days(36_500) };
    prune(&site.data, &options).unwrap();
    let catalog = tidegate::catalog::Catalog::open(&site.data.catalog()).unwrap();
    let listed = list_snapshots(&site.data, &catalog).unwrap();
    let gone: Vec<(SnapshotState, bool)> =
        listed.iter().map(|entry| (entry.row.state, entry.segments_gone > 0)).collect();
    assert_eq!(gone.first(), Some(&(SnapshotState::Past, true)), "{listed:?}");
    assert_eq!(gone.last(), Some(&(SnapshotState::InForce, false)));
    let newest = listed.last().unwrap().row.number;
    let diff = diff(&site.data, 1, newest);
    assert!(diff.updates.unread_segments > 0 && !diff.is_complete());
}

/// The dates by which signatures expire are those of the signed files.
#[test]
fn when_signatures_expire_is_listed() {
    let (mirror, [first, _]) = two_snapshots("plant-7");
    let site = Site::new("plant-7", &mirror.root);
    site.import(&first).unwrap();
    for data in [&mirror.data, &site.data] {
        let catalog = tidegate::catalog::Catalog::open(&data.catalog()).unwrap();
        let listed = list_snapshots(data, &catalog).unwrap();
        assert!(listed[0].row.expires.unwrap() > days(300), "{listed:?}");
    }
    // A site keeps the date with the signatures only.
    fs::remove_dir_all(site.data.snapshot(1)).unwrap();
    let catalog = tidegate::catalog::Catalog::open(&site.data.catalog()).unwrap();
    assert_eq!(list_snapshots(&site.data, &catalog).unwrap()[0].row.expires, None);
}
