//! How long to wait before the same again.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use uuid::Uuid;

/// Between half and the whole of a pause that doubles with each attempt, up to a minute: many who
/// were broken off at the same moment shall not come back at the same moment.
pub(super) fn backoff(first: Duration, attempt: u32) -> Duration {
    let most =
        first.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(Duration::from_secs(60));
    let dice = Uuid::new_v4().into_bytes().first().copied().unwrap_or_default();
    most / 2 + most.mul_f64(f64::from(dice) / 512.0)
}

/// `Retry-After`: seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default())
}
