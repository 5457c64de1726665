//! How old the newest snapshot is, when its signatures expire, and when the next was to be expected.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::Result;
use crate::{
    catalog::{Catalog, SnapshotState},
    data_dir::DataDir,
    transfer::{self, SnapshotEntry},
};

/// Snapshots that follow each other faster say nothing about when the next one comes.
const SHORTEST: SignedDuration = SignedDuration::from_hours(1);

/// The age of the newest snapshot: the one that is served, or that was sealed last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SnapshotAge {
    /// Its number.
    pub snapshot: u64,
    /// When it was sealed.
    pub created: Timestamp,
    /// Whole days since then; negative if the date, or the clock here, is wrong.
    pub days: i64,
    /// When the first of its signatures expires, if its signatures are here.
    pub expires: Option<Timestamp>,
    /// Whether that has passed.
    pub expired: bool,
    /// When the next one was to be expected: after the median of the intervals between those that were
    /// sealed or served here; unknown as long as there was only one.
    pub next_expected: Option<Timestamp>,
    /// Whether that has passed.
    pub overdue: bool,
}

/// The age of the newest snapshot; `None` while there is none.
pub(super) fn snapshot_age(
    data: &DataDir,
    catalog: &Catalog,
    now: Timestamp,
) -> Result<Option<SnapshotAge>> {
    Ok(age_of(&transfer::list_snapshots(data, catalog)?, now))
}

/// The same of a list of snapshots.
pub(super) fn age_of(snapshots: &[SnapshotEntry], now: Timestamp) -> Option<SnapshotAge> {
    let accepted: Vec<_> = snapshots
        .iter()
        .map(|entry| &entry.row)
        .filter(|row| row.state != SnapshotState::Pending)
        .collect();
    let served = accepted.iter().rfind(|row| row.state == SnapshotState::InForce);
    let newest = served.or(accepted.last())?;
    let mut dates: Vec<Timestamp> = accepted.iter().map(|row| row.created).collect();
    let next_expected =
        median_interval(&mut dates).and_then(|interval| newest.created.checked_add(interval).ok());
    Some(SnapshotAge {
        snapshot: newest.number,
        created: newest.created,
        days: now.duration_since(newest.created).as_hours().div_euclid(24),
        expires: newest.expires,
        expired: newest.expires.is_some_and(|expires| expires < now),
        next_expected,
        overdue: next_expected.is_some_and(|expected| expected < now),
    })
}

/// The median of the intervals between these dates.
fn median_interval(dates: &mut [Timestamp]) -> Option<SignedDuration> {
    dates.sort_unstable();
    let mut intervals: Vec<SignedDuration> = dates
        .windows(2)
        .filter_map(|pair| Some(pair.last()?.duration_since(*pair.first()?)))
        .collect();
    intervals.sort_unstable();
    intervals.get(intervals.len() / 2).copied().filter(|interval| *interval >= SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_not_moved_by_one_long_pause() {
        let day = |n: i64| Timestamp::from_second(n * 86_400).unwrap();
        let median = |days: &[i64]| {
            let mut dates: Vec<Timestamp> = days.iter().map(|n| day(*n)).collect();
            median_interval(&mut dates).map(|interval| interval.as_hours() / 24)
        };
        assert_eq!(median(&[0, 30, 60, 300, 331]), Some(31));
        assert_eq!(median(&[7, 0]), Some(7));
        assert_eq!(median(&[5]), None);
        assert_eq!(median(&[5, 5]), None, "sealed twice at once");
    }
}
