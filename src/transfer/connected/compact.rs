//! Keeping the list of segments short: the small ones at its end become one, the large ones at its
//! beginning stay, so that each byte is rewritten (and carried again) only a few times.

use std::collections::HashMap;

use bundle_format::{
    digest::{Sha1, Sha256},
    index::{SegmentKind, SegmentRef},
    limits::BundleLimits,
    segment::Record,
};
use uuid::Uuid;

use crate::{
    data_dir::DataDir,
    transfer::{
        error::TransferError,
        store::segments::{self, SegmentSpool},
    },
};

/// What a record is about: a later record with the same key replaces an earlier one. A withdrawal
/// does not replace the revision: a site keeps the revision and no longer offers it.
#[derive(PartialEq, Eq, Hash)]
enum RecordKey {
    Revision(Uuid, u32),
    Withdrawal(Uuid, u32),
    Payload(Sha256),
    DecryptionKey(Sha1),
    DriverSet(Uuid),
}

fn record_key(record: &Record) -> RecordKey {
    match record {
        Record::Revision(r) => RecordKey::Revision(r.update_id, r.revision_number),
        Record::Withdrawal { update_id, revision_number } => {
            RecordKey::Withdrawal(*update_id, *revision_number)
        }
        Record::Payload(p) => RecordKey::Payload(p.sha256),
        Record::Key { sha1, .. } => RecordKey::DecryptionKey(*sha1),
        Record::DriverSet { id, .. } => RecordKey::DriverSet(*id),
    }
}

/// Where a record stands: number of the segment, number of the record in it.
type RecordPlace = (usize, usize);

/// Whether a record still counts: nothing later replaces it, and a revision that came back is no
/// longer withdrawn.
fn is_current(
    record: &Record,
    place: RecordPlace,
    newest: &HashMap<RecordKey, RecordPlace>,
) -> bool {
    let key = record_key(record);
    let came_back = match key {
        RecordKey::Withdrawal(update, number) => newest
            .get(&RecordKey::Revision(update, number))
            .is_some_and(|revision| *revision > place),
        _ => false,
    };
    !came_back && newest.get(&key) == Some(&place)
}

/// Merges the end of a list of segments of one kind when it has more than `max_segments`.
pub(crate) fn merge_tail(
    data: &DataDir,
    kind: SegmentKind,
    mut segments: Vec<SegmentRef>,
    max_segments: usize,
    segment_bytes: u64,
) -> Result<Vec<SegmentRef>, TransferError> {
    if segments.len() <= max_segments {
        return Ok(segments);
    }
    let tail = segments.split_off(merge_from(&segments, max_segments));
    let limits = BundleLimits::default();
    let folder = data.segments();
    let read = |segment: &SegmentRef| {
        let path = folder.join(segment.sha256.to_string());
        segments::open(&path, segment, &limits, segments::failed)
    };
    let mut newest = HashMap::new();
    for (s, segment) in tail.iter().enumerate() {
        for (r, record) in read(segment)?.enumerate() {
            newest.insert(record_key(&record.map_err(segments::failed)?), (s, r));
        }
    }
    let mut merged = SegmentSpool::new(data, kind, segment_bytes);
    for (s, segment) in tail.iter().enumerate() {
        for (r, record) in read(segment)?.enumerate() {
            let record = record.map_err(segments::failed)?;
            if is_current(&record, (s, r), &newest) {
                merged.push(&record)?;
            }
        }
    }
    segments.extend(merged.finish()?);
    Ok(segments)
}

/// The first segment to merge. At least half of the allowed number are merged; then more, until the
/// segment before is more than twice as large as all that is merged.
fn merge_from(segments: &[SegmentRef], max_segments: usize) -> usize {
    let (mut from, mut merged) = (segments.len(), 0_u64);
    for segment in segments.iter().rev() {
        let enough = segments.len() - from > max_segments / 2;
        if enough && segment.size > merged.saturating_mul(2) {
            break;
        }
        from -= 1;
        merged += segment.size;
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_sizes(sizes: &[u64]) -> Vec<SegmentRef> {
        sizes
            .iter()
            .map(|&size| SegmentRef {
                kind: SegmentKind::Catalogue,
                sha256: Sha256::hash(&size.to_le_bytes()),
                size,
                unpacked_size: size,
                records: 1,
            })
            .collect()
    }

    #[test]
    fn the_large_beginning_stays() {
        assert_eq!(merge_from(&of_sizes(&[1_000_000, 1, 1, 1, 1]), 4), 1);
        assert_eq!(merge_from(&of_sizes(&[1_000_000, 500, 1, 1, 1]), 4), 2);
        assert_eq!(merge_from(&of_sizes(&[3, 2, 1, 1, 1]), 4), 0);
    }

    #[test]
    fn half_is_merged_whatever_the_sizes() {
        assert_eq!(merge_from(&of_sizes(&[10_000, 1000, 100, 10, 1]), 4), 2);
    }
}
