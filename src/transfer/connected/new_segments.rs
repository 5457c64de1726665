//! Segments of what has changed since the last snapshot, and the list that they make with the old
//! ones.

use bundle_format::{
    index::{SegmentKind, SegmentRef},
    segment::Record,
};

use super::{compact, seal_options::SealOptions};
use crate::{
    catalog::CatalogWriter,
    data_dir::DataDir,
    transfer::{error::TransferError, progress::Progress, store::segments::SegmentSpool},
};

type Result<T> = std::result::Result<T, TransferError>;

/// How many records are new.
#[derive(Default)]
pub(super) struct RecordCounts {
    pub(super) revisions: u64,
    pub(super) withdrawals: u64,
    pub(super) payloads: u64,
    pub(super) keys: u64,
    pub(super) driver_sets: u64,
}

/// Writes segments of what the last snapshot does not carry as it is now. A segment is closed after
/// `full` unpacked bytes.
pub(super) fn write_new_segments(
    data: &DataDir,
    writer: &CatalogWriter<'_>,
    full: u64,
    progress: &dyn Progress,
) -> Result<(Vec<SegmentRef>, RecordCounts)> {
    progress.phase("sealing", None);
    let mut counts = RecordCounts::default();
    let mut catalogue = SegmentSpool::new(data, SegmentKind::Catalogue, full);
    writer.unsealed_revisions(|record| {
        match &record {
            Record::Revision(revision) => {
                counts.revisions += 1;
                progress.advance(revision.xml.len() as u64);
            }
            _ => counts.withdrawals += 1,
        }
        catalogue.push(&record)
    })?;
    let mut segments = catalogue.finish()?;
    let mut payloads = SegmentSpool::new(data, SegmentKind::Payloads, full);
    writer.unsealed_payloads(|payload| {
        counts.payloads += 1;
        payloads.push(&Record::Payload(payload))
    })?;
    segments.extend(payloads.finish()?);
    let mut keys = SegmentSpool::new(data, SegmentKind::DecryptionKeys, full);
    writer.unsealed_keys(|record| {
        counts.keys += 1;
        keys.push(&record)
    })?;
    segments.extend(keys.finish()?);
    let mut sets = SegmentSpool::new(data, SegmentKind::DriverSets, full);
    writer.unsealed_driver_sets(|record| {
        counts.driver_sets += 1;
        sets.push(&record)
    })?;
    segments.extend(sets.finish()?);
    Ok((segments, counts))
}

/// The list of segments, kind after kind, each compacted when it is long.
///
/// As long as nothing is compacted, the list only grows at its end, and a site applies nothing but
/// the new segments.
pub(super) fn compact_lists(
    data: &DataDir,
    before: Vec<SegmentRef>,
    added: Vec<SegmentRef>,
    options: &SealOptions,
) -> Result<Vec<SegmentRef>> {
    let all: Vec<SegmentRef> = before.into_iter().chain(added).collect();
    let kinds = SegmentKind::ALL;
    let of_kind =
        |kind| -> Vec<SegmentRef> { all.iter().filter(|s| s.kind == kind).cloned().collect() };
    if kinds.iter().all(|kind| of_kind(*kind).len() <= options.most_segments) {
        return Ok(all);
    }
    let mut list = Vec::new();
    for kind in kinds {
        list.extend(compact::merge_tail(
            data,
            kind,
            of_kind(kind),
            options.most_segments,
            options.segment_bytes,
        )?);
    }
    Ok(list)
}
