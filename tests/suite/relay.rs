//! A middle network passes on what it has, without any key of its own.

use std::fs;

use tidegate::transfer::{
    ExportOptions, ExportReport, ExportSelection, SealOptions, TransferError, check, export, seal,
};

use crate::support::{
    clock::now,
    sides::{Mirror, Site, bytes, tree},
};

fn relay(from: &Site, site: &str, since: Option<u64>) -> Result<ExportReport, TransferError> {
    let selection = ExportSelection::Relay { since };
    let options = ExportOptions { selection, ..ExportOptions::default() };
    export(&from.data, site, &from.folder.path().join("out"), now(), &options, &())
}

/// A mirror for two sites, and the one in the middle.
fn two_sites() -> (Mirror, Site) {
    let mirror = Mirror::new(7);
    for n in 1..4 {
        mirror.add(n, 1, &[bytes(u64::try_from(n).unwrap(), 20_000)]);
    }
    let add_site = Some("plant-8".to_owned());
    seal(&mirror.data, now(), &SealOptions { add_site, ..SealOptions::default() }, &()).unwrap();
    let middle = Site::new("plant-7", &mirror.root);
    middle.import(&mirror.export("plant-7").volumes).unwrap();
    (mirror, middle)
}

#[test]
fn a_third_network_gets_what_the_second_one_has() {
    let (mirror, middle) = two_sites();
    assert!(!middle.data.keys().exists());
    let third = Site::new("plant-8", &mirror.root);
    let report = relay(&middle, "plant-8", None).unwrap();
    assert_eq!((report.payloads, report.unanswered.len()), (3, 0), "{report:?}");
    assert!(third.import(&report.volumes).unwrap().is_complete());
    let direct = Site::new("plant-8", &mirror.root);
    direct.import(&mirror.export_full("plant-8").volumes).unwrap();
    assert_eq!(third.served(), direct.served());

    // What comes next, and only that.
    mirror.add(5, 1, &[bytes(5, 20_000)]);
    middle.import(&mirror.export("plant-7").volumes).unwrap();
    let report = relay(&middle, "plant-8", Some(direct_snapshot(&third))).unwrap();
    assert_eq!(report.payloads, 1, "{report:?}");
    assert!(third.import(&report.volumes).unwrap().is_complete());
    assert!(check(&third.data, now(), false, &()).unwrap().is_good());
    assert!(check(&middle.data, now(), false, &()).unwrap().is_good());
}

fn direct_snapshot(site: &Site) -> u64 {
    let catalog = tidegate::catalog::Catalog::open(&site.data.catalog()).unwrap();
    catalog.snapshots().unwrap().last().unwrap().number
}

#[test]
fn only_for_whom_the_mirror_has_signed() {
    let (mirror, middle) = two_sites();
    let told = |site: &str| relay(&middle, site, None).unwrap_err().to_string();
    assert!(told("plant-9").contains("is not for the site plant-9"), "{}", told("plant-9"));
    assert!(told("plant-7").contains("this site itself"), "{}", told("plant-7"));
    let connected = Site { folder: tempfile::tempdir().unwrap(), data: mirror.data.clone() };
    let refused = relay(&connected, "plant-8", None).unwrap_err().to_string();
    assert!(refused.contains("this is the connected side"), "{refused}");
    let empty = Site::new("plant-8", &mirror.root);
    let before = empty.tree();
    let refused = relay(&empty, "plant-9", None).unwrap_err().to_string();
    assert!(refused.contains("no snapshot is in force"), "{refused}");
    assert!(before.keys().all(|name| empty.data.root().join(name).exists()));
}

/// What is lost in the middle is named, the rest goes on, and the third site knows what it lacks.
#[test]
fn what_is_not_here_is_named() {
    let (mirror, middle) = two_sites();
    let lost = tree(&middle.data.content()).into_keys().find(|name| name.len() > 64).unwrap();
    fs::remove_file(middle.data.content().join(lost)).unwrap();
    let report = relay(&middle, "plant-8", None).unwrap();
    assert_eq!((report.payloads, report.unanswered.len()), (2, 1), "{report:?}");
    assert!(report.unanswered[0].contains("Update"), "{:?}", report.unanswered);
    let third = Site::new("plant-8", &mirror.root);
    assert!(!third.import(&report.volumes).unwrap().is_complete());
}
