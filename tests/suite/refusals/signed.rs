//! Snapshots that are signed and wrong all the same.

use std::fs;

use bundle_format::{
    digest::{PayloadDigests, Sha256},
    index::{FORMAT_VERSION, SegmentKind, SegmentRef},
    segment::{PayloadRecord, Record},
};
use uuid::Uuid;

use super::{
    super::support::sides::{Site, bytes, document},
    MIRROR,
    editor::Volume,
    forge::{Forge, digests, payload_record, revision_record},
    refused, refused_by, start, write_to,
};

#[test]
fn unknown_format_version_and_critical_features() {
    let keys = start().mirror.data.keys();
    let mut newer = Forge::new(50);
    newer.index.format_version = FORMAT_VERSION + 1;
    let story = refused("format version", &newer.volume(&keys));
    assert!(story.contains("version 2") && story.contains("update Tidegate"), "{story}");
    let mut critical = Forge::new(50);
    critical.index.critical = vec!["parity".to_owned()];
    let story = refused("critical", &critical.volume(&keys));
    assert!(story.contains("parity"), "{story}");
    let mut policy = Forge::new(50);
    policy.policy.critical = vec!["rings".to_owned()];
    let story = refused("critical policy", &policy.volume(&keys));
    assert!(story.contains("rings"), "{story}");
    let mut note = Volume::parse(&start().delta);
    note.edit_note(|note| note.format_version = FORMAT_VERSION + 1);
    note.sum_again();
    refused("version of the note", &note.bytes());
}

#[test]
fn another_mirror_under_the_same_keys() {
    let mut forge = Forge::new(50);
    forge.index.mirror_id = Uuid::from_u128(MIRROR + 1);
    let story = refused("mirror id", &forge.volume(&start().mirror.data.keys()));
    assert!(story.contains("mirror"), "{story}");
}

#[test]
fn two_mirrors_in_one_import() {
    let keys = start().mirror.data.keys();
    let site = Site::new("plant-7", &start().mirror.root);
    let one = Forge::new(50);
    let mut two = Forge::new(51);
    two.index.mirror_id = Uuid::from_u128(MIRROR + 1);
    let paths = [
        write_to(&site, "1.tar", &one.volume(&keys)),
        write_to(&site, "2.tar", &two.volume(&keys)),
    ];
    let result = site.import(&paths);
    assert!(result.is_err(), "{result:?}");
}

#[test]
fn two_snapshots_of_one_number() {
    let keys = start().mirror.data.keys();
    let story = refused("the number of what is served", &Forge::new(1).volume(&keys));
    assert!(story.contains("number") || story.contains("snapshot 1"), "{story}");
    // While it is still pending, too.
    let site = start().site.copy();
    let pending = Volume::parse(&start().delta).without_last_object();
    let path = site.folder.path().join("pending.tar");
    fs::write(&path, pending.bytes()).unwrap();
    let report = site.import(&[path]).unwrap();
    assert_eq!((report.in_force, report.pending.len()), (Some(1), 1));
    assert_eq!(report.pending[0].missing.payloads.len(), 1);
    let story = refused_by(&site, "the number of what is pending", &Forge::new(2).volume(&keys));
    assert!(story.contains("number 2"), "{story}");
    // The rest completes it.
    let path = site.folder.path().join("rest.tar");
    fs::write(&path, &start().delta).unwrap();
    let report = site.import(&[path]).unwrap();
    assert_eq!((report.in_force, report.new_objects), (Some(2), 1));
}

#[test]
fn indexes_and_tables_that_lie_although_they_are_signed() {
    let keys = start().mirror.data.keys();
    let payload = bytes(60, 2000);
    let xml = document(60, 1, &[digests(&payload)]);
    let record = payload_record(&payload);
    let make = |index: &dyn Fn(&mut SegmentRef), table: PayloadRecord, revision: Record| {
        let mut forge = Forge::new(50)
            .segment(SegmentKind::Catalogue, &[revision])
            .segment(SegmentKind::Payloads, &[Record::Payload(table)])
            .payload(&payload);
        index(&mut forge.index.segments[0]);
        forge.volume(&keys)
    };
    let good = || revision_record(60, 60, &xml);
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("segment size", make(&|s| s.size += 1, record.clone(), good()), "segment"),
        ("unpacked size", make(&|s| s.unpacked_size -= 1, record.clone(), good()), "segment"),
        ("record count", make(&|s| s.records += 1, record.clone(), good()), "segment"),
        (
            "segment kind",
            make(&|s| s.kind = SegmentKind::Payloads, record.clone(), good()),
            "segment",
        ),
        (
            "payload size",
            make(&|_| {}, PayloadRecord { size: 2001, ..record.clone() }, good()),
            "2001 bytes",
        ),
        (
            "payload SHA-1",
            make(
                &|_| {},
                PayloadRecord { sha1: bundle_format::digest::Sha1::hash(b"x"), ..record.clone() },
                good(),
            ),
            "other bytes than the signed snapshot says",
        ),
        (
            "chunk digest",
            make(
                &|_| {},
                PayloadRecord { chunks: vec![Sha256::hash(b"x")], ..record.clone() },
                good(),
            ),
            "other bytes than the signed snapshot says",
        ),
        (
            "carried after all",
            make(
                &|_| {},
                PayloadRecord {
                    not_carried: Some("by choice".to_owned()),
                    chunks: Vec::new(),
                    ..record.clone()
                },
                good(),
            ),
            "not carried",
        ),
        (
            "another update's document",
            make(&|_| {}, record.clone(), revision_record(61, 60, &xml)),
            "says that it is",
        ),
        (
            "no document",
            make(&|_| {}, record.clone(), revision_record(60, 60, "<Update")),
            "cannot be read",
        ),
        (
            "a number of the reserved range",
            make(&|_| {}, record.clone(), revision_record(60, 0x4000_0000, &xml)),
            "revision id",
        ),
        (
            "another revision's number",
            make(&|_| {}, record.clone(), revision_record(60, 1, &xml)),
            "1",
        ),
        (
            "a document that names other bytes",
            make(
                &|_| {},
                record.clone(),
                revision_record(
                    60,
                    60,
                    &document(
                        60,
                        1,
                        &[PayloadDigests { sha256: Sha256::hash(b"x"), ..digests(&payload) }],
                    ),
                ),
            ),
            "contradicts itself",
        ),
        (
            "a document that names another size",
            make(
                &|_| {},
                record.clone(),
                revision_record(
                    60,
                    60,
                    &document(60, 1, &[PayloadDigests { size: 2001, ..digests(&payload) }]),
                ),
            ),
            "contradicts itself",
        ),
    ];
    for (name, volume, cause) in cases {
        let story = refused(name, &volume);
        assert!(story.contains(cause), "{name}: {story}");
    }
}

#[test]
fn a_refusal_in_the_transaction_leaves_a_fresh_site_fresh() {
    let keys = start().mirror.data.keys();
    let site = Site::new("plant-7", &start().mirror.root);
    let forge =
        Forge::new(50).segment(SegmentKind::Catalogue, &[revision_record(60, 60, "<Update")]);
    refused_by(&site, "a document that does not parse", &forge.volume(&keys));
}
