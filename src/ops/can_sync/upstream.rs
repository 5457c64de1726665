//! Whether upstream servers can be synchronized from.

use jiff::{SignedDuration, Timestamp};

use super::findings::{CanSyncOptions, Finding, State, judge_age, judge_certificate};
use crate::error_chain;
use crate::{
    catalog::Catalog,
    data_dir::{DataDir, Side},
    ops::{Result, context::Context, error::OpsError, wording::count},
    upstream::{
        ClientError, Health, PermanentFailure, Source, UpstreamError, UpstreamFacts,
        UpstreamRecord, health, known_upstreams,
    },
};

/// Clocks that differ by more deserve attention: cookies end by the server's, certificates by ours.
const CLOCK_OFF: SignedDuration = SignedDuration::from_mins(5);
/// Clocks that differ by more stand in the way: one of them is wrong by days.
const CLOCK_WRONG: SignedDuration = SignedDuration::from_hours(24);
/// A mirror that was not brought up to date for so long deserves attention.
const STALE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Looks at the server that is named, else at all that were synchronized from.
pub(super) fn look(
    context: &Context<'_>,
    data: &DataDir,
    options: &CanSyncOptions,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let Side::Connected { mirror_id } = *data.side() else {
        if options.from.is_some() {
            return Err(OpsError::usage(
                "an isolated side has no upstream server: leave out --from",
            ));
        }
        return Ok(());
    };
    let catalog = data.catalog();
    let past = if catalog.exists() {
        known_upstreams(&Catalog::open_to_look(&catalog)?)?
    } else {
        Vec::new()
    };
    let asked = match &options.from {
        Some(from) => vec![from.clone()],
        None => past.iter().map(|upstream| upstream.url.clone()).collect(),
    };
    for text in asked {
        let source = Source::detect(&text)?;
        let Some(base) = source.server(&options.connection) else {
            return Err(OpsError::usage(format!(
                "{text} is no server, so there is nothing to ask"
            )));
        };
        let url = base.as_str();
        let health = health(base, mirror_id, &options.connection);
        judge_health(url, base.scheme() == "https", &health, findings);
        let past = past.iter().find(|upstream| upstream.url == url);
        findings.push(judge_past(url, past, context.now()));
    }
    Ok(())
}

fn judge_health(url: &str, tls: bool, health: &Health, findings: &mut Vec<Finding>) {
    let mut find =
        |check, state, what: String| findings.push(Finding::new(url, check, state, what));
    let untrusted = health.answers.as_ref().err().and_then(untrusted);
    match (&health.answers, &untrusted) {
        (Ok(_), _) => {
            find("answers", State::Ok, "GetAuthConfig, GetCookie and GetConfigData".to_owned());
        }
        (Err(_), Some(_)) => {
            find(
                "answers",
                State::Fail,
                "nothing was asked, because of the certificate".to_owned(),
            );
        }
        (Err(error), None) => find("answers", State::Fail, error_chain::chain(error)),
    }
    match (&health.certificate, untrusted) {
        (Some(validity), _) => {
            let (state, what) = judge_certificate(validity, Timestamp::now());
            find("certificate", state, what);
        }
        (None, Some(why)) => find("certificate", State::Fail, why),
        // No connection: nothing is known of it.
        (None, None) if tls => {}
        // It was not spoken: the answer says so.
        (None, None) if matches!(health.answers, Err(UpstreamError::Client(_))) => {}
        (None, None) => {
            let what = "plain HTTP: whoever is on the way can change what arrives";
            find("certificate", State::Warn, what.to_owned());
        }
    }
    if let Some(ahead) = health.clock_ahead {
        let (state, what) = judge_clock(ahead);
        find("clock", state, what);
    }
    if let Ok(facts) = &health.answers {
        let (state, what) = judge_protocol(facts);
        find("protocol", state, what);
    }
}

/// Why the server does not prove who it is, if that is what stands in the way.
fn untrusted(error: &UpstreamError) -> Option<String> {
    match error {
        UpstreamError::Permanent { why: PermanentFailure::Tls(why), .. }
            if why.is_of_certificate() =>
        {
            Some(why.to_string())
        }
        UpstreamError::Permanent { why: why @ PermanentFailure::NotMicrosoft { .. }, .. } => {
            Some(why.to_string())
        }
        UpstreamError::Client(error @ ClientError::Pinned(_)) => Some(error.to_string()),
        _ => None,
    }
}

fn judge_clock(ahead: SignedDuration) -> (State, String) {
    let off = ahead.abs();
    let state = match off {
        off if off > CLOCK_WRONG => State::Fail,
        off if off > CLOCK_OFF => State::Warn,
        _ => return (State::Ok, "agrees with the server's".to_owned()),
    };
    let side = if ahead.is_negative() { "ahead of" } else { "behind" };
    let off = match off.as_hours() {
        0 => count(off.as_mins().unsigned_abs(), "minute"),
        hours @ ..48 => count(hours.unsigned_abs(), "hour"),
        hours => count((hours / 24).unsigned_abs(), "day"),
    };
    (state, format!("this machine's is {off} {side} the server's: set the one that is wrong"))
}

/// The version says what the server can have. [MS-WUSSS] 1.7
fn judge_protocol(facts: &UpstreamFacts) -> (State, String) {
    let Some(version) = &facts.protocol_version else {
        return (State::Warn, "not told: a server of 2006, newer updates will be missing".into());
    };
    let minor = version.split_once('.').and_then(|(_, minor)| minor.parse::<u32>().ok());
    match minor {
        Some(20..) => (State::Ok, version.clone()),
        _ => (
            State::Warn,
            format!("{version}: a WSUS before 2016, which holds back what needs a newer one"),
        ),
    }
}

fn judge_past(url: &str, known: Option<&UpstreamRecord>, now: Timestamp) -> Finding {
    let find = |state, what: String| Finding::new(url, "synchronized", state, what);
    let Some(success) = known.and_then(|known| known.last_success) else {
        return find(State::Warn, "never: run `tidegate sync --from` with this server".to_owned());
    };
    let (mut state, ago) = judge_age(now.duration_since(success), STALE);
    let mut what = format!("{ago} ({success})");
    if let Some(known) = known {
        if let Some(attempt) = known.last_attempt.filter(|attempt| *attempt > success) {
            what.push_str(&format!("; the attempt at {attempt} did not come to its end"));
            state = State::Warn;
        }
        if known.failed > 0 {
            let failed = count(known.failed as u64, "revision");
            what.push_str(&format!("; {failed} listed, but not given"));
            state = State::Warn;
        }
    }
    find(state, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_and_versions_are_judged() {
        let clock = |seconds| judge_clock(SignedDuration::from_secs(seconds));
        assert_eq!(clock(-300).0, State::Ok);
        assert_eq!(clock(301).0, State::Warn);
        assert!(clock(301).1.contains("5 minutes behind"), "{}", clock(301).1);
        assert!(clock(-7200).1.contains("2 hours ahead of"), "{}", clock(-7200).1);
        assert_eq!(clock(-86_401).0, State::Fail);

        let protocol = |version: Option<&str>| {
            let protocol_version = version.map(str::to_owned);
            judge_protocol(&UpstreamFacts { protocol_version, ..UpstreamFacts::default() }).0
        };
        assert_eq!(protocol(Some("1.20")), State::Ok);
        assert_eq!(protocol(Some("1.21")), State::Ok);
        assert_eq!(protocol(Some("1.8")), State::Warn);
        assert_eq!(protocol(None), State::Warn);
    }

    #[test]
    fn the_last_synchronization_is_judged() {
        let now: Timestamp = "2026-10-04T12:00:00Z".parse().unwrap();
        let mut known = UpstreamRecord {
            url: "https://w/".to_owned(),
            facts: UpstreamFacts::default(),
            last_success: None,
            last_attempt: Some(now),
            anchor: None,
            failed: 0,
        };
        let state = |known: &UpstreamRecord| judge_past("https://w/", Some(known), now).state;
        assert_eq!(state(&known), State::Warn);
        known.last_success = Some(now);
        assert_eq!(state(&known), State::Ok);
        known.failed = 1;
        assert_eq!(state(&known), State::Warn);
        known.failed = 0;
        known.last_success = Some(now - SignedDuration::from_secs(1));
        assert_eq!(state(&known), State::Warn);
        known.last_attempt = known.last_success;
        known.last_success = Some(now - STALE - SignedDuration::from_secs(1));
        assert_eq!(state(&known), State::Warn);
        assert_eq!(judge_past("https://w/", None, now).state, State::Warn);
    }
}
