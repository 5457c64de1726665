//! Which payloads a snapshot names: read from its payload segments.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
};

use bundle_format::{
    digest::{PayloadDigests, Sha256},
    index::{SegmentKind, SegmentRef},
    limits::BundleLimits,
    segment::{PayloadRecord, Record, SegmentError},
};

use crate::transfer::{error::TransferError, store::segments};

type Result<T> = std::result::Result<T, TransferError>;

/// Records of the payloads on a volume, by name.
#[derive(Default)]
pub(crate) struct PayloadTable {
    pub(crate) records: HashMap<Sha256, PayloadRecord>,
    /// All payload tables of the snapshot were read: what is not in them is not named.
    pub(crate) complete: bool,
}

/// Adds the records of one payload segment to a table, as far as they are wanted. A later record
/// replaces an earlier one.
pub(crate) fn collect(
    records: impl Iterator<Item = std::result::Result<Record, SegmentError>>,
    wanted: &HashSet<Sha256>,
    table: &mut PayloadTable,
) -> Result<()> {
    for record in records {
        let record = expect_payload(record.map_err(segments::refused)?)?;
        if wanted.contains(&record.sha256) {
            table.records.insert(record.sha256, record);
        }
    }
    Ok(())
}

/// The payload record in a record of a payload segment.
pub(crate) fn expect_payload(record: Record) -> Result<PayloadRecord> {
    match record {
        Record::Payload(record) => Ok(record),
        _ => Err(TransferError::refused(
            "a payload segment of the snapshot holds something else than payloads",
        )),
    }
}

/// The payload segments of a list, in order.
pub(crate) fn payload_segments(segments: &[SegmentRef]) -> impl Iterator<Item = &SegmentRef> {
    segments.iter().filter(|segment| segment.kind == SegmentKind::Payloads)
}

/// Adds what all payload segments that `find` knows say of the wanted payloads; complete when it
/// knows all of them.
pub(crate) fn collect_stored(
    segments: &[SegmentRef],
    wanted: &HashSet<Sha256>,
    limits: &BundleLimits,
    find: &dyn Fn(&SegmentRef) -> Option<PathBuf>,
    table: &mut PayloadTable,
) -> Result<()> {
    table.complete = true;
    for segment in payload_segments(segments) {
        match find(segment) {
            Some(path) => {
                collect(segments::open(&path, segment, limits, segments::refused)?, wanted, table)?;
            }
            None => table.complete = false,
        }
    }
    Ok(())
}

/// Whether bytes with these digests are what a signed record says.
pub(crate) fn digests_match(found: &PayloadDigests, record: &PayloadRecord) -> bool {
    (found.sha256, found.sha1, found.size) == (record.sha256, record.sha1, record.size)
        && found.chunks == record.chunks
}
