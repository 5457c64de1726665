//! What a computer reports, and the state of an update that follows from it. [MS-WUSP] 2.2.2.3.1

use rusqlite::{Row, types::Type};
use serde::Serialize;
use uuid::Uuid;

use crate::{sqlite::bad_column, update::UpdateId};

/// One event as reported.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// Unique per occurrence.
    pub instance: Uuid,
    /// Time of the post, as the computer says.
    pub at_target: String,
    /// 1; others are kept but mean nothing to us.
    pub namespace_id: i32,
    /// What happened.
    pub event_id: i32,
    /// Which part of the agent.
    pub source_id: i32,
    /// The update, if it is about one, with its revision number.
    pub update: Option<(UpdateId, i32)>,
    /// Only negative values are failures.
    pub hresult: i32,
    /// The program that asked.
    pub app_name: Option<String>,
    /// `ReplacementStrings`.
    pub strings: Vec<String>,
    /// `MiscData`, each `tag=value`; tags are case-sensitive.
    pub misc: Vec<String>,
    /// The rest of `ExtendedData`.
    pub extended: serde_json::Value,
}

/// State of an update on a computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComplianceState {
    /// Applicable and not installed.
    Needed,
    /// Installed.
    Installed,
    /// Downloaded: progress only.
    Downloaded,
    /// Installed, but the computer must restart.
    RestartPending,
    /// Its installation failed.
    Failed,
}

/// As a state is stored.
pub(crate) fn state_name(state: ComplianceState) -> &'static str {
    match state {
        ComplianceState::Needed => "needed",
        ComplianceState::Installed => "installed",
        ComplianceState::Downloaded => "downloaded",
        ComplianceState::RestartPending => "restart-pending",
        ComplianceState::Failed => "failed",
    }
}

/// Reads what [`state_name`] wrote.
pub(crate) fn state_at(row: &Row<'_>, column: usize) -> rusqlite::Result<ComplianceState> {
    match row.get_ref(column)?.as_str()? {
        "needed" => Ok(ComplianceState::Needed),
        "installed" => Ok(ComplianceState::Installed),
        "downloaded" => Ok(ComplianceState::Downloaded),
        "restart-pending" => Ok(ComplianceState::RestartPending),
        "failed" => Ok(ComplianceState::Failed),
        other => Err(bad_column(column, Type::Text, format!("{other:?} is no state"))),
    }
}
