use std::io::Read;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    digest::{CHUNK_SIZE, Sha1, Sha256},
    index::{SegmentKind, SegmentRef},
    limits::BundleLimits,
    packed,
};

fn revision(number: u32, xml: &[u8]) -> Record {
    Record::Revision(RevisionRecord {
        update_id: Uuid::from_u128(0x0123_4567_89ab_cdef),
        revision_number: number,
        revision_id: -5,
        xml: xml.to_vec(),
    })
}

fn payload(size: u64) -> PayloadRecord {
    PayloadRecord {
        sha256: Sha256::hash(b"p"),
        sha1: Sha1::hash(b"p"),
        size,
        chunks: (0..size.div_ceil(CHUNK_SIZE)).map(|i| Sha256::hash(&i.to_le_bytes())).collect(),
        not_carried: None,
    }
}

fn write(kind: SegmentKind, records: &[Record]) -> (Vec<u8>, SegmentRef) {
    let mut writer = SegmentWriter::new(Vec::new(), kind).unwrap();
    for record in records {
        writer.push(record).unwrap();
    }
    writer.finish().unwrap()
}

fn read(bytes: &[u8], expected: &SegmentRef) -> Result<Vec<Record>, SegmentError> {
    SegmentReader::new(bytes, expected, &BundleLimits::default())?.collect()
}

/// A segment of unpacked bytes that no writer would make, named rightly.
fn forged(kind: SegmentKind, unpacked: &[u8], records: u64) -> Result<Vec<Record>, SegmentError> {
    let bytes = packed::pack(unpacked).unwrap();
    let expected = SegmentRef {
        kind,
        sha256: Sha256::hash(&bytes),
        size: bytes.len() as u64,
        unpacked_size: unpacked.len() as u64,
        records,
    };
    read(&bytes, &expected)
}

#[test]
fn bytes_are_as_the_specification_draws_them() {
    let (bytes, segment) = write(SegmentKind::Catalogue, &[revision(7, b"<x/>")]);
    let unpacked = packed::unpack(&bytes, 1000).unwrap();
    let expected = [
        &b"TGSEG1\n\0"[..],
        &[1, 28, 0, 0, 0],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef],
        &[7, 0, 0, 0, 0xfb, 0xff, 0xff, 0xff],
        b"<x/>",
    ]
    .concat();
    assert_eq!(unpacked, expected);
    assert_eq!(segment.unpacked_size, expected.len() as u64);
    assert_eq!((segment.sha256, segment.size), (Sha256::hash(&bytes), bytes.len() as u64));
}

#[test]
fn the_same_records_give_the_same_bytes() {
    let records: Vec<Record> =
        (0..500).map(|i| revision(i, format!("<Update n='{i}'/>").as_bytes())).collect();
    assert_eq!(write(SegmentKind::Catalogue, &records), write(SegmentKind::Catalogue, &records));
}

#[test]
fn a_record_of_the_wrong_kind_is_refused() {
    let mut writer = SegmentWriter::new(Vec::new(), SegmentKind::Payloads).unwrap();
    assert!(writer.push(&revision(1, b"")).is_err());
    let (bytes, segment) = write(SegmentKind::Catalogue, &[revision(1, b"")]);
    let lied = SegmentRef { kind: SegmentKind::Payloads, ..segment };
    assert!(matches!(read(&bytes, &lied), Err(SegmentError::Damaged { .. })));
}

#[test]
fn payload_records_keep_their_rules() {
    let mut writer = SegmentWriter::new(Vec::new(), SegmentKind::Payloads).unwrap();
    let too_few = PayloadRecord { chunks: Vec::new(), ..payload(CHUNK_SIZE + 1) };
    let carried_or_not = PayloadRecord { not_carried: Some("by choice".into()), ..payload(1) };
    let no_reason =
        PayloadRecord { chunks: Vec::new(), not_carried: Some(String::new()), ..payload(1) };
    for broken in [too_few, carried_or_not, no_reason] {
        assert!(writer.push(&Record::Payload(broken)).is_err());
    }
    let good = [
        Record::Payload(payload(0)),
        Record::Payload(payload(CHUNK_SIZE)),
        Record::Payload(payload(3 * CHUNK_SIZE + 1)),
        Record::Payload(PayloadRecord {
            chunks: Vec::new(),
            not_carried: Some("by choice".into()),
            size: u64::MAX,
            ..payload(0)
        }),
    ];
    let (bytes, segment) = write(SegmentKind::Payloads, &good);
    assert_eq!(read(&bytes, &segment).unwrap(), good);
}

#[test]
fn lies_about_size_and_number_are_refused() {
    let records = [revision(1, b"one"), revision(2, b"two")];
    let (bytes, good) = write(SegmentKind::Catalogue, &records);
    for (name, lie) in [
        ("fewer records", SegmentRef { records: 1, ..good.clone() }),
        ("more records", SegmentRef { records: 3, ..good.clone() }),
        ("fewer bytes", SegmentRef { unpacked_size: good.unpacked_size - 1, ..good.clone() }),
        ("more bytes", SegmentRef { unpacked_size: good.unpacked_size + 1, ..good.clone() }),
        ("another size", SegmentRef { size: good.size + 1, ..good.clone() }),
        ("another digest", SegmentRef { sha256: Sha256::hash(b"other"), ..good.clone() }),
    ] {
        assert!(matches!(read(&bytes, &lie), Err(SegmentError::Damaged { .. })), "{name}");
    }
    // With digest and size to fit: what is signed may be wrong all the same.
    let trailing = [bytes.as_slice(), b"x"].concat();
    let (sha256, size) = (Sha256::hash(&trailing), trailing.len() as u64);
    let error = read(&trailing, &SegmentRef { sha256, size, ..good.clone() }).unwrap_err();
    assert!(error.to_string().contains("compressed stream"), "{error}");
    let one = write(SegmentKind::Catalogue, &records[..1]).1.unpacked_size;
    let error = read(&bytes, &SegmentRef { records: 1, unpacked_size: one, ..good }).unwrap_err();
    assert!(error.to_string().contains("follow its last record"), "{error}");
}

#[test]
fn forged_streams_are_refused() {
    let catalogue = SegmentKind::Catalogue;
    let with = |tail: &[u8]| [MAGIC.as_slice(), tail].concat();
    for (name, result) in [
        ("another magic", forged(catalogue, b"TGSEG2\n\0", 0)),
        ("nothing", forged(catalogue, b"", 0)),
        ("unknown record", forged(catalogue, &with(&[9, 0, 0, 0, 0]), 1)),
        ("short revision", forged(catalogue, &with(&[1, 2, 0, 0, 0, 1, 2]), 1)),
        (
            "long withdrawal",
            forged(catalogue, &with(&[&[2, 21, 0, 0, 0][..], &[0; 21]].concat()), 1),
        ),
        ("length over the end", forged(catalogue, &with(&[1, 0, 0, 0, 1]), 1)),
        ("half a header", forged(catalogue, &with(&[1, 0]), 1)),
        (
            "a flag",
            forged(SegmentKind::Payloads, &with(&[&[3, 61, 0, 0, 0][..], &[2; 61]].concat()), 1),
        ),
    ] {
        assert!(result.is_err(), "{name}");
    }
}

#[test]
fn limits_hold() {
    let (bytes, segment) = write(SegmentKind::Catalogue, &[revision(1, &[b'x'; 1000])]);
    let refused = |limits: BundleLimits| {
        let result: Result<Vec<_>, _> =
            SegmentReader::new(&bytes[..], &segment, &limits).and_then(Iterator::collect);
        matches!(result, Err(SegmentError::Limit { .. }))
    };
    assert!(refused(BundleLimits { record_bytes: 1023, ..BundleLimits::default() }));
    assert!(refused(BundleLimits { segment_bytes: segment.size - 1, ..BundleLimits::default() }));
    assert!(refused(BundleLimits {
        segment_unpacked_bytes: segment.unpacked_size - 1,
        ..BundleLimits::default()
    }));
}

#[test]
fn a_failing_disk_is_not_damage() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from_raw_os_error(5))
        }
    }
    let (bytes, segment) = write(SegmentKind::Catalogue, &[revision(1, &[b'x'; 1000])]);
    let medium = (&bytes[..20]).chain(Failing);
    let result: Result<Vec<_>, _> =
        SegmentReader::new(medium, &segment, &BundleLimits::default()).and_then(Iterator::collect);
    assert!(matches!(result, Err(SegmentError::Io(_))), "{result:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn there_and_back(xmls in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..20)) {
        let mut records: Vec<Record> =
            xmls.iter().zip(0..).map(|(xml, i)| revision(i, xml)).collect();
        records.push(Record::Withdrawal { update_id: Uuid::from_u128(3), revision_number: 9 });
        let (bytes, segment) = write(SegmentKind::Catalogue, &records);
        prop_assert_eq!(read(&bytes, &segment).unwrap(), records);
    }

    #[test]
    fn every_changed_byte_is_noticed(at in any::<prop::sample::Index>(), bit in 0..8u32, cut in any::<bool>()) {
        let records: Vec<Record> = (0..20u8).map(|i| revision(i.into(), &[i; 50])).collect();
        let (mut bytes, segment) = write(SegmentKind::Catalogue, &records);
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
        prop_assert!(read(&bytes, &segment).is_err());
    }

    #[test]
    fn hostile_streams_do_not_panic(tail in prop::collection::vec(any::<u8>(), 0..200), records in 0..5u64) {
        let stream = [MAGIC.as_slice(), &tail].concat();
        let _ = forged(SegmentKind::Catalogue, &stream, records);
        let _ = forged(SegmentKind::Payloads, &stream, records);
    }
}

#[test]
fn keys_and_driver_sets_are_as_the_specification_draws_them_and_keep_their_rules() {
    let sha1 = Sha1::from_bytes([7; 20]);
    let key = |key: &[u8]| Record::Key { sha1, key: key.to_vec() };
    let (bytes, segment) = write(SegmentKind::DecryptionKeys, &[key(b"abc")]);
    let unpacked = packed::unpack(&bytes, 1000).unwrap();
    assert_eq!(unpacked[8..], [&[4, 23, 0, 0, 0][..], &[7; 20], b"abc"].concat());
    assert_eq!(read(&bytes, &segment).unwrap(), [key(b"abc")]);
    let mut writer = SegmentWriter::new(Vec::new(), SegmentKind::DecryptionKeys).unwrap();
    assert!(writer.push(&key(b"")).is_err());
    assert!(writer.push(&key(&[0; KEY_MAX + 1])).is_err());
    assert!(writer.push(&Record::Payload(payload(1))).is_err());

    let id = Uuid::from_u128(9);
    let set = |xml: Option<&str>| Record::DriverSet { id, xml: xml.map(str::to_owned) };
    let all = [set(Some("<é/>")), set(Some("")), set(None)];
    let (bytes, segment) = write(SegmentKind::DriverSets, &all);
    assert_eq!(read(&bytes, &segment).unwrap(), all);

    let forge = |kind, record: u8, body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        forged(kind, &[&b"TGSEG1\n\0"[..], &[record], &length, body].concat(), 1)
    };
    let with = |rest: &[u8]| [id.as_bytes().as_slice(), rest].concat();
    assert!(forge(SegmentKind::DecryptionKeys, 4, &[7; 20]).is_err(), "no key");
    assert!(forge(SegmentKind::DecryptionKeys, 4, &[7; 19]).is_err());
    assert!(forge(SegmentKind::Payloads, 4, &[7; 30]).is_err(), "another kind");
    assert!(forge(SegmentKind::DriverSets, 5, &with(b"\x00<x/>")).is_ok());
    assert!(forge(SegmentKind::DriverSets, 5, &with(b"\x01<x/>")).is_err(), "gone, with a text");
    assert!(forge(SegmentKind::DriverSets, 5, &with(b"\x02")).is_err());
    assert!(forge(SegmentKind::DriverSets, 5, &with(b"\x00\xff")).is_err(), "no UTF-8");
    assert!(forge(SegmentKind::DriverSets, 5, &with(b"")).is_err());
}
