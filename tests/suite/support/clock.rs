//! When things happen in tests: at times that never change.

use jiff::{SignedDuration, Timestamp};

/// When everything happens, to the second.
pub(crate) fn now() -> Timestamp {
    "2026-02-03T04:05:06Z".parse().unwrap()
}

/// So many days after [`now`].
pub(crate) fn days(n: i64) -> Timestamp {
    now() + SignedDuration::from_hours(24 * n)
}

/// When everything happens, to the nanosecond: for what databases have to keep as it is.
pub(crate) fn exactly_now() -> Timestamp {
    "2026-01-02T03:04:05.678901234Z".parse().unwrap()
}

/// 30 hours after [`exactly_now`].
pub(crate) fn later() -> Timestamp {
    exactly_now() + SignedDuration::from_hours(30)
}
