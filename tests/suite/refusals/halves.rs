//! What comes in another order, half, or with a policy that does not fit.

use std::fs;

use bundle_format::{index::SegmentKind, policy::PolicyApproval, segment::Record};
use tidegate::{
    catalog::Catalog,
    content::ContentStore,
    fleet::Fleet,
    transfer::{
        KeysOptions, PolicyChangeKind, SealOptions, check, countersign, inspect_for_signing, seal,
    },
};

use super::{
    super::support::{
        clock::now,
        sides::{Mirror, bytes, document, update},
    },
    MIRROR,
    editor::Volume,
    forge::{Forge, payload_record, revision_record, volume},
    refused_by, start, write_to,
};

#[test]
fn an_older_bundle_does_not_undo_not_carried() {
    let keys = start().mirror.data.keys();
    let payload = bytes(60, 2000);
    let table = |not_carried: Option<&str>| {
        let mut record = payload_record(&payload);
        if let Some(why) = not_carried {
            record.not_carried = Some(why.to_owned());
            record.chunks.clear();
        }
        Record::Payload(record)
    };
    let older = Forge::new(50).segment(SegmentKind::Payloads, &[table(None)]).payload(&payload);
    let newer = Forge::new(51)
        .segment(SegmentKind::Payloads, &[table(None)])
        .segment(SegmentKind::Payloads, &[table(Some("it was bad"))]);
    let site = start().site.copy();
    let path = write_to(&site, "newer.tar", &newer.volume(&keys));
    assert_eq!(site.import(&[path]).unwrap().in_force, Some(51));
    let before = site.served();
    let path = write_to(&site, "older.tar", &older.volume(&keys));
    let result = site.import(&[path]);
    assert!(result.is_err(), "{result:?}");
    assert_eq!(site.served(), before);
}

#[test]
fn the_second_volume_may_come_first() {
    let keys = start().mirror.data.keys();
    let payload = bytes(60, 2000);
    let mut without = payload_record(&payload);
    without.not_carried = Some("later".to_owned());
    without.chunks.clear();
    let one = Forge::new(50).segment(SegmentKind::Payloads, &[Record::Payload(without)]);
    let site = start().site.copy();
    let path = write_to(&site, "one.tar", &one.volume(&keys));
    assert_eq!(site.import(&[path]).unwrap().in_force, Some(50));
    let mut two =
        Forge::new(51).segment(SegmentKind::Payloads, &[Record::Payload(payload_record(&payload))]);
    let head = two.head(&keys);
    let segment = std::mem::take(&mut two.segments);
    let disc2 =
        write_to(&site, "disc2.tar", &volume(&head, 51, &[], std::slice::from_ref(&payload)));
    let report = site.import(std::slice::from_ref(&disc2)).unwrap();
    assert_eq!(report.in_force, Some(50));
    let disc1 = write_to(&site, "disc1.tar", &volume(&head, 51, &segment, &[]));
    site.import(&[disc1]).unwrap();
    assert_eq!(site.import(&[disc2]).unwrap().in_force, Some(51));
}

#[test]
fn what_is_lost_of_ours_does_not_hold_up_the_mirror() {
    let site = start().site.copy();
    let digests = site.publish(900, &bytes(700, 900));
    let content = ContentStore::open(&site.data.content()).unwrap();
    fs::remove_file(content.path(&digests.sha256)).unwrap();
    check(&site.data, now(), true, &()).unwrap();
    let path = write_to(&site, "delta.tar", &start().delta);
    let report = site.import(&[path]).unwrap();
    assert_eq!((report.in_force, report.is_complete()), (Some(2), true), "{:?}", report.pending);
}

#[test]
fn check_looks_at_pending_segments() {
    let site = start().site.copy();
    let pending = Volume::parse(&start().delta).without_last_object();
    let path = write_to(&site, "pending.tar", &pending.bytes());
    let report = site.import(&[path]).unwrap();
    assert_eq!(report.pending.len(), 1);
    let served = Catalog::open(&site.data.catalog()).unwrap();
    let segment = served.segments_of(2).unwrap().pop().unwrap();
    let file = site.data.segments().join(segment.sha256.to_string());
    let mut broken = fs::read(&file).unwrap();
    broken[20] ^= 1;
    fs::remove_file(&file).unwrap();
    fs::write(&file, broken).unwrap();
    let report = check(&site.data, now(), true, &()).unwrap();
    assert!(!report.is_good());
    let path = write_to(&site, "delta.tar", &start().delta);
    assert_eq!(site.import(&[path]).unwrap().in_force, Some(2));
}

#[test]
fn a_group_that_cannot_be_made() {
    let keys = start().mirror.data.keys();
    let site = start().site.copy();
    let mut forge = Forge::new(50);
    forge.policy.groups = vec!["a;b".to_owned()];
    let path = write_to(&site, "volume.tar", &forge.volume(&keys));
    let report = site.import(&[path]).unwrap();
    assert_eq!(report.in_force, Some(50));
    let kinds: Vec<_> = report.policy.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [PolicyChangeKind::NotUnderstood]);
}

#[test]
fn an_approval_for_a_group_that_is_not_there_is_not_reported_as_made() {
    let keys = start().mirror.data.keys();
    let site = start().site.copy();
    let mut forge = Forge::new(50);
    forge.policy.approvals.push(PolicyApproval {
        update: update(1).0,
        group: "Nowhere".to_owned(),
        action: "install".to_owned(),
        deadline: None,
        rule: None,
    });
    let path = write_to(&site, "volume.tar", &forge.volume(&keys));
    let report = site.import(&[path]).unwrap();
    let fleet = Fleet::open(&site.data.fleet()).unwrap();
    let made = report.policy.iter().filter(|c| c.kind == PolicyChangeKind::Approve).count();
    assert_eq!(made, fleet.approvals().unwrap().len(), "{:?}", report.policy);
}

#[test]
fn a_sealed_head_survives_a_kill_while_it_is_replaced() {
    let keys = KeysOptions { countersigners: 1, threshold: 2, ..KeysOptions::new(now()) };
    let mirror = Mirror::with_keys(MIRROR, &keys);
    mirror.add(1, 1, &[]);
    seal(&mirror.data, now(), &SealOptions::default(), &()).unwrap();
    // A leftover of a killed replacement is no part of it.
    let left = mirror.data.snapshot(1).join("metadata").join(".tmpabc");
    fs::write(&left, "half").unwrap();
    seal(&mirror.data, now(), &SealOptions::default(), &()).unwrap();
    let key = mirror.data.keys().join("countersigner-1.pem");
    let summary =
        countersign(&mirror.data, &inspect_for_signing(&mirror.data).unwrap(), &key, None).unwrap();
    assert_eq!(summary.signatures, (2, 2));
    assert!(!left.exists());
}

/// An older snapshot may fill gaps; segments that nothing here names are none.
#[test]
fn a_segment_of_an_older_snapshot_that_nobody_asked_for_is_not_kept() {
    let keys = start().mirror.data.keys();
    let site = start().site.copy();
    let path = write_to(&site, "newer.tar", &Forge::new(51).volume(&keys));
    assert_eq!(site.import(&[path]).unwrap().in_force, Some(51));
    let xml = document(60, 1, &[]);
    let older = Forge::new(50).segment(SegmentKind::Catalogue, &[revision_record(60, 60, &xml)]);
    let story = refused_by(&site, "a segment nobody asked for", &older.volume(&keys));
    assert!(story.contains("older"), "{story}");
}

/// What came before and was never whole must not keep out what comes now.
#[test]
fn an_unfit_pending_snapshot_does_not_keep_out_another() {
    let keys = start().mirror.data.keys();
    let site = start().site.copy();
    let payload = bytes(60, 2000);
    let table = || Record::Payload(payload_record(&payload));
    let mut unfit = Forge::new(52)
        .segment(SegmentKind::Catalogue, &[revision_record(60, 60, "<Update")])
        .segment(SegmentKind::Payloads, &[table()]);
    let path = write_to(&site, "unfit.tar", &unfit.volume(&keys));
    let report = site.import(&[path]).unwrap();
    assert_eq!((report.in_force, report.pending.len()), (Some(1), 1));
    let xml = document(61, 1, &[]);
    let honest = Forge::new(51)
        .segment(SegmentKind::Catalogue, &[revision_record(61, 61, &xml)])
        .segment(SegmentKind::Payloads, &[table()])
        .payload(&payload);
    let path = write_to(&site, "honest.tar", &honest.volume(&keys));
    let report = site.import(&[path]).unwrap();
    assert_eq!(report.in_force, Some(51));
    let warned = |w: &String| w.contains("pending snapshot 52") && w.contains("cannot take effect");
    assert!(report.warnings.iter().any(warned), "{:?}", report.warnings);
    // Nothing of it has stayed in the catalogue.
    let catalog = Catalog::open(&site.data.catalog()).unwrap();
    assert!(catalog.newest(update(61)).unwrap().is_some());
    assert!(catalog.newest(update(60)).unwrap().is_none());
    // Brought again by itself, it is refused.
    unfit.payloads.push(payload);
    let story = refused_by(&site, "unfit", &unfit.volume(&keys));
    assert!(story.contains("cannot be read"), "{story}");
}

/// The mirror never sends other bytes under one number; if it does, somebody should know.
#[test]
fn other_bytes_of_a_revision_are_told() {
    let keys = start().mirror.data.keys();
    let site = start().site.copy();
    let xml = document(60, 1, &[]);
    let records = |xml: &str| [revision_record(60, 60, xml)];
    let one = Forge::new(50).segment(SegmentKind::Catalogue, &records(&xml));
    let path = write_to(&site, "one.tar", &one.volume(&keys));
    assert_eq!(site.import(&[path]).unwrap().warnings, Vec::<String>::new());
    let two = Forge::new(51)
        .segment(SegmentKind::Catalogue, &records(&xml.replace("Update 60", "Another title")));
    let path = write_to(&site, "two.tar", &two.volume(&keys));
    let report = site.import(&[path]).unwrap();
    assert_eq!(report.switched.unwrap().revisions_differing, 1);
    assert!(report.warnings.iter().any(|w| w.contains("other bytes")), "{:?}", report.warnings);
    let catalog = Catalog::open(&site.data.catalog()).unwrap();
    assert_eq!(catalog.newest(update(60)).unwrap().unwrap().title, "Update 60");
}

/// Not taken for the first one: its number would be used for another policy.
#[test]
fn a_version_of_the_policy_that_does_not_read_is_no_first_version() {
    let mirror = Mirror::new(MIRROR);
    mirror.add(1, 1, &[]);
    mirror.export("plant-7");
    let connection = rusqlite::Connection::open(mirror.data.catalog()).unwrap();
    let sql = "UPDATE meta SET value = 'x' WHERE key = 'policy-version'";
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
    drop(connection);
    let error = seal(&mirror.data, now(), &SealOptions::default(), &()).unwrap_err();
    assert!(error.to_string().contains("policy's version"), "{error}");
}
