//! Whether what keeps this side up to date is in order.

mod findings;
#[cfg(feature = "upstream")]
mod upstream;

use serde::Serialize;

pub use findings::{CanSyncOptions, Finding, State};
use findings::{judge_certificate, judge_contact};

use super::{Result, context::Context, wording::count};
use crate::{
    data_dir::{DataDir, Side},
    fleet::Fleet,
    server::certificate_validity,
};

/// All that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CanSyncOutcome {
    /// Whether nothing stands in the way.
    pub can_sync: bool,
    /// Thing by thing.
    pub checks: Vec<Finding>,
}

impl CanSyncOutcome {
    /// How many things stand in the way.
    pub fn failed(&self) -> u64 {
        self.checks.iter().filter(|finding| finding.state == State::Fail).count() as u64
    }
}

/// Asks the upstream servers, and looks at the certificate of this one and at who calls it.
///
/// # Errors
/// When there is no data folder, the server to ask is none, or a store fails. What stands in the way
/// is a finding.
pub fn can_sync(context: &Context<'_>, options: &CanSyncOptions) -> Result<CanSyncOutcome> {
    let data = context.data_dir()?;
    let mut checks = Vec::new();
    #[cfg(feature = "upstream")]
    upstream::look(context, &data, options, &mut checks)?;
    look(context, &data, options, &mut checks)?;
    let mut outcome = CanSyncOutcome { can_sync: true, checks };
    outcome.can_sync = outcome.failed() == 0;
    Ok(outcome)
}

/// Looks at the serving side: its certificate, and who calls.
fn look(
    context: &Context<'_>,
    data: &DataDir,
    options: &CanSyncOptions,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let now = context.now();
    if let Some(path) = &options.tls_certificate {
        let (state, what) = match certificate_validity(path) {
            Ok(Some(validity)) => judge_certificate(&validity, now),
            Ok(None) => (State::Warn, "how long it holds cannot be read".to_owned()),
            Err(error) => (State::Fail, error.to_string()),
        };
        findings.push(Finding::new("this server", "certificate", state, what));
    }
    let isolated = matches!(data.side(), Side::Isolated { .. });
    // Opening would make one.
    let fleet =
        if data.fleet().exists() { Some(Fleet::open_to_look(&data.fleet())?) } else { None };
    let computers = fleet.as_ref().map(Fleet::computers).transpose()?.unwrap_or_default();
    let last = computers.iter().max_by_key(|computer| computer.last_seen);
    if let Some(last) = last {
        let number = count(computers.len() as u64, "computer");
        let (state, what) = judge_contact(&last.dns_name, last.last_seen, now);
        findings.push(Finding::new("agents", "contact", state, format!("{number}; {what}")));
    } else if isolated {
        let what = "none has come yet: run `tidegate serve`, and point agents to it (WUServer)";
        findings.push(Finding::new("agents", "contact", State::Warn, what));
    }
    for downstream in fleet.as_ref().map(Fleet::downstreams).transpose()?.unwrap_or_default() {
        // Those below others come to these.
        if downstream.parent.is_none() {
            let (state, what) = judge_contact(&downstream.name, downstream.last_contact, now);
            findings.push(Finding::new("downstreams", "contact", state, what));
        }
    }
    Ok(())
}
