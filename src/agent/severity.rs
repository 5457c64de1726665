//! How bad it is to break a rule.

use serde::Serialize;

/// How bad a finding is for a real agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Different from a WSUS, without harm that is known.
    Note,
    /// Some agents, or some administrators, will stumble over it.
    Warning,
    /// An agent fails, loops, or misses updates.
    Error,
}
