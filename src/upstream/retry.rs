//! How long to wait before the same again.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use uuid::Uuid;

/// A server that asks for more patience is not waited for.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

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

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn asked(value: &'static str) -> Option<Duration> {
        retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]))
    }

    #[test]
    fn a_server_may_say_when_in_seconds_or_as_a_date() {
        assert_eq!(asked(" 120 "), Some(Duration::from_secs(120)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let far = asked("Fri, 31 Dec 2399 23:59:59 GMT").unwrap();
        assert!(far > LONGEST_WAIT);
        assert_eq!(asked("later"), None);
        assert_eq!(asked("-1"), None);
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        for (attempt, most) in [(1, 2), (2, 4), (3, 8), (6, 60), (500, 60)] {
            for _ in 0..50 {
                let pause = backoff(Duration::from_secs(2), attempt);
                let most = Duration::from_secs(most);
                assert!(pause >= most / 2 && pause <= most, "{attempt}: {pause:?}");
            }
        }
    }
}
