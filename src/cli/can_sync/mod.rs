//! `tidegate check --can-sync`: whether what keeps this side up to date is in order.

#[cfg(feature = "upstream")]
pub(super) mod upstream;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tidegate::{
    certificate::Validity,
    data_dir::{DataDir, Side},
    fleet::Fleet,
    server::certificate_validity,
};

use super::{Context, Outcome, output::count};

/// Agents come every 22 hours by default, servers each day: after this they are missed.
const MISSED: SignedDuration = SignedDuration::from_hours(48);

/// A certificate that holds for fewer days deserves attention.
const SOON: i64 = 30;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Ok,
    /// Deserves attention, stands in the way of nothing today.
    Warn,
    /// Stands in the way.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// The address of an upstream; `this server`, `agents` or `downstreams`.
    of: String,
    /// What was looked at.
    check: &'static str,
    state: State,
    what: String,
}

impl Finding {
    fn new(of: &str, check: &'static str, state: State, what: impl Into<String>) -> Self {
        Self { of: of.to_owned(), check, state, what: what.into() }
    }
}

/// Looks at the serving side: its certificate, and who comes.
pub(super) fn look(
    context: &Context,
    data: &DataDir,
    findings: &mut Vec<Finding>,
) -> anyhow::Result<()> {
    if let Some(path) = &context.config.serve.tls_cert {
        let (state, what) = match certificate_validity(path) {
            Ok(Some(validity)) => of_certificate(&validity, Timestamp::now()),
            Ok(None) => (State::Warn, "how long it holds cannot be read".to_owned()),
            Err(error) => (State::Fail, error.to_string()),
        };
        findings.push(Finding::new("this server", "certificate", state, what));
    }
    let isolated = matches!(data.side(), Side::Isolated { .. });
    // Opening would make one.
    let fleet = if data.fleet().exists() { Some(Fleet::open(&data.fleet())?) } else { None };
    let now = Timestamp::now();
    let computers = fleet.as_ref().map(Fleet::computers).transpose()?.unwrap_or_default();
    let last = computers.iter().max_by_key(|computer| computer.last_seen);
    if let Some(last) = last {
        let number = count(computers.len() as u64, "computer");
        let (state, what) = came(&last.dns_name, last.last_seen, now);
        findings.push(Finding::new("agents", "contact", state, format!("{number}; {what}")));
    } else if isolated {
        let what = "none has come yet: run `tidegate serve`, and point agents to it (WUServer)";
        findings.push(Finding::new("agents", "contact", State::Warn, what));
    }
    for downstream in fleet.as_ref().map(Fleet::downstreams).transpose()?.unwrap_or_default() {
        // Those below others come to these.
        if downstream.parent.is_none() {
            let (state, what) = came(&downstream.name, downstream.last_contact, now);
            findings.push(Finding::new("downstreams", "contact", state, what));
        }
    }
    Ok(())
}

fn came(name: &str, last: Timestamp, now: Timestamp) -> (State, String) {
    let away = now.duration_since(last);
    let state = if away > MISSED { State::Warn } else { State::Ok };
    let name = name.replace(|c: char| c.is_control(), "\u{fffd}");
    (state, format!("{name} came last, {}", ago(away)))
}

/// How a certificate stands that was not refused by anybody yet.
fn of_certificate(validity: &Validity, now: Timestamp) -> (State, String) {
    let days = validity.days_left(now);
    let left = count(days.unsigned_abs(), "day");
    match days {
        ..0 => (State::Fail, format!("expired on {}", validity.not_after)),
        0..SOON => (State::Warn, format!("holds for {left} only, until {}", validity.not_after)),
        _ => (State::Ok, format!("holds for {left}, until {}", validity.not_after)),
    }
}

/// Prints what was found, and fails if something stands in the way.
pub(super) fn tell(context: &Context, findings: &[Finding]) -> anyhow::Result<Outcome> {
    let failed = findings.iter().filter(|finding| finding.state == State::Fail).count();
    let value = serde_json::json!({ "can-sync": failed == 0, "checks": findings });
    context.out.data(&value, || text(findings))?;
    anyhow::ensure!(failed == 0, "{} in the way: see above", count(failed as u64, "thing"));
    Ok(Outcome::Done)
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut of = "";
    for finding in findings {
        if finding.of != of {
            of = &finding.of;
            text.push_str(&format!("{of}\n"));
        }
        let state = match finding.state {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Fail => "fail",
        };
        text.push_str(&format!("  {state:4}  {}: {}\n", finding.check, finding.what));
    }
    if findings.is_empty() {
        text.push_str("Nothing to look at yet: no upstream, no agents, no downstream servers.\n");
    }
    text
}

/// `3 days ago`.
fn ago(past: SignedDuration) -> String {
    let unsigned = |n: i64| u64::try_from(n).unwrap_or(0);
    match (past.as_hours(), past.as_mins()) {
        (_, ..1) => "just now".to_owned(),
        (..1, minutes) => format!("{} ago", count(unsigned(minutes), "minute")),
        (hours @ ..48, _) => format!("{} ago", count(unsigned(hours), "hour")),
        (hours, _) => format!("{} ago", count(unsigned(hours / 24), "day")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_judged_by_their_days() {
        let now: Timestamp = "2026-10-04T12:00:00Z".parse().unwrap();
        let judged = |end: &str| {
            of_certificate(&Validity { not_before: now, not_after: end.parse().unwrap() }, now)
        };
        let until = "until 2026-11-03T12:00:00Z";
        let expected = (State::Ok, format!("holds for 30 days, {until}"));
        assert_eq!(judged("2026-11-03T12:00:00Z"), expected);
        assert_eq!(judged("2026-11-03T11:59:59Z").0, State::Warn);
        assert_eq!(judged("2026-10-04T12:00:00Z").0, State::Warn);
        assert_eq!(judged("2026-10-04T11:59:59Z").0, State::Fail);
    }

    #[test]
    fn times_are_told_in_what_fits() {
        let told = |minutes| ago(SignedDuration::from_mins(minutes));
        assert_eq!(told(-5), "just now");
        assert_eq!(told(1), "1 minute ago");
        assert_eq!(told(60), "1 hour ago");
        assert_eq!(told(47 * 60), "47 hours ago");
        assert_eq!(told(49 * 60), "2 days ago");
        let now = Timestamp::now();
        assert_eq!(came("a", now - MISSED, now).0, State::Ok);
        assert_eq!(came("a", now - MISSED - SignedDuration::from_secs(1), now).0, State::Warn);
    }
}
