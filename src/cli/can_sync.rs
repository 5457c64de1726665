//! `tidegate check --can-sync`: whether what keeps this side up to date is in order.

use tidegate::ops::can_sync::{CanSyncOutcome, Finding, State};

use super::{Context, Outcome, output::count};

/// Prints what was found, and fails if something stands in the way.
pub(super) fn print(context: &Context, outcome: &CanSyncOutcome) -> anyhow::Result<Outcome> {
    context.out.data(outcome, || text(&outcome.checks))?;
    anyhow::ensure!(outcome.can_sync, "{} in the way: see above", count(outcome.failed(), "thing"));
    Ok(Outcome::Done)
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut subject = "";
    for finding in findings {
        if finding.subject != subject {
            subject = &finding.subject;
            text.push_str(&format!("{subject}\n"));
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
