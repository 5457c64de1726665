#![no_main]

use bundle_format::{
    digest::Sha256,
    index::{SegmentKind, SegmentRef},
    limits::BundleLimits,
    segment::{Record, SegmentReader, SegmentWriter},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let kind = if first & 1 == 0 { SegmentKind::Catalogue } else { SegmentKind::Payloads };
    let unpacked = [b"TGSEG1\n\0", body].concat();
    let bytes = zstd::encode_all(&unpacked[..], 1).unwrap();
    let expected = SegmentRef {
        kind,
        sha256: Sha256::hash(&bytes),
        size: bytes.len() as u64,
        unpacked_size: unpacked.len() as u64,
        records: u64::from(first >> 1),
    };
    let Ok(reader) = SegmentReader::new(&bytes[..], &expected, &BundleLimits::default()) else { return };
    let Ok(records) = reader.collect::<Result<Vec<Record>, _>>() else { return };
    let mut writer = SegmentWriter::new(Vec::new(), kind).unwrap();
    for record in &records {
        writer.push(record).unwrap();
    }
    let (again, segment) = writer.finish().unwrap();
    assert_eq!(segment.unpacked_size, expected.unpacked_size);
    let reader = SegmentReader::new(&again[..], &segment, &BundleLimits::default()).unwrap();
    assert_eq!(reader.collect::<Result<Vec<Record>, _>>().unwrap(), records);
});
