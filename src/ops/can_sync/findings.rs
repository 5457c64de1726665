//! What was looked at and how it stands, and the judgements that both sides share.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::printable::printable;
#[cfg(feature = "upstream")]
use crate::upstream::ConnectionOptions;
use crate::{certificate::Validity, ops::wording::count};

/// Agents come every 22 hours by default, servers each day: after this they are missed.
const MISSED: SignedDuration = SignedDuration::from_hours(48);

/// A certificate that holds for fewer days deserves attention.
const SOON: i64 = 30;
/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// In order.
    Ok,
    /// Deserves attention, stands in the way of nothing today.
    Warn,
    /// Stands in the way.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The address of an upstream; `this server`, `agents` or `downstreams`.
    #[serde(rename = "of")]
    pub subject: String,
    /// What was looked at.
    pub check: &'static str,
    /// How it stands.
    pub state: State,
    /// The same for people.
    pub what: String,
}

/// What to look at beside the data folder.
#[derive(Debug, Clone, Default)]
pub struct CanSyncOptions {
    /// The certificate that this server presents.
    pub tls_certificate: Option<PathBuf>,
    /// The upstream server to ask, instead of those that were synchronized from.
    #[cfg(feature = "upstream")]
    pub from: Option<String>,
    /// How to reach upstream servers.
    #[cfg(feature = "upstream")]
    pub connection: ConnectionOptions,
}

impl Finding {
    pub(super) fn new(
        subject: &str,
        check: &'static str,
        state: State,
        what: impl Into<String>,
    ) -> Self {
        Self { subject: subject.to_owned(), check, state, what: what.into() }
    }
}
/// How a certificate stands that was not refused by anybody yet.
pub(super) fn judge_certificate(validity: &Validity, now: Timestamp) -> (State, String) {
    let days = validity.days_left(now);
    let left = count(days.unsigned_abs(), "day");
    match days {
        ..0 => (State::Fail, format!("expired on {}", validity.not_after)),
        0..SOON => (State::Warn, format!("holds for {left} only, until {}", validity.not_after)),
        _ => (State::Ok, format!("holds for {left}, until {}", validity.not_after)),
    }
}

/// How something stands that was last done so long ago, and may be this old; and `3 days ago`.
pub(super) fn judge_age(past: SignedDuration, most: SignedDuration) -> (State, String) {
    let is_good = past <= most && past.as_hours() >= 0;
    (if is_good { State::Ok } else { State::Warn }, ago(past))
}

fn ago(past: SignedDuration) -> String {
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    match (past.as_hours(), past.as_mins()) {
        (..0, _) => "at a time to come: the clock was wrong then, or is now".to_owned(),
        (_, ..1) => "just now".to_owned(),
        (..1, minutes) => format!("{} ago", count(unsigned(minutes), "minute")),
        (hours @ ..48, _) => format!("{} ago", count(unsigned(hours), "hour")),
        (hours, _) => format!("{} ago", count(unsigned(hours / 24), "day")),
    }
}

pub(super) fn judge_contact(name: &str, last: Timestamp, now: Timestamp) -> (State, String) {
    let (state, ago) = judge_age(now.duration_since(last), MISSED);
    (state, format!("{} came last, {ago}", printable(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_judged_by_their_days() {
        let now: Timestamp = "2026-10-04T12:00:00Z".parse().unwrap();
        let judged = |end: &str| {
            judge_certificate(&Validity { not_before: now, not_after: end.parse().unwrap() }, now)
        };
        let until = "until 2026-11-03T12:00:00Z";
        let expected = (State::Ok, format!("holds for 30 days, {until}"));
        assert_eq!(judged("2026-11-03T12:00:00Z"), expected);
        assert_eq!(judged("2026-11-03T11:59:59Z").0, State::Warn);
        assert_eq!(judged("2026-10-04T12:00:00Z").0, State::Warn);
        assert_eq!(judged("2026-10-04T11:59:59Z").0, State::Fail);
    }

    #[test]
    fn times_are_worded_in_what_fits() {
        let worded = |minutes| ago(SignedDuration::from_mins(minutes));
        assert_eq!(worded(-5), "just now");
        assert!(worded(-60).starts_with("at a time to come"));
        assert_eq!(worded(1), "1 minute ago");
        assert_eq!(worded(60), "1 hour ago");
        assert_eq!(worded(47 * 60), "47 hours ago");
        assert_eq!(worded(49 * 60), "2 days ago");
        let now = Timestamp::now();
        assert_eq!(judge_contact("a", now + MISSED, now).0, State::Warn);
        assert_eq!(judge_contact("a", now - MISSED, now).0, State::Ok);
        assert_eq!(
            judge_contact("a", now - MISSED - SignedDuration::from_secs(1), now).0,
            State::Warn
        );
    }
}
