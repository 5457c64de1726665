//! Events that computers report, and what follows from them. [MS-WUSP] 2.2.2.3.1
//!
//! Claims of the computers, never proofs.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{Fleet, Result};
use crate::update::UpdateId;

/// One event as reported.
#[derive(Debug, Clone, PartialEq, Serialize)]
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

/// State of one update on one computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compliance {
    /// The computer.
    pub computer: String,
    /// The update.
    pub update: UpdateId,
    /// Its state.
    pub state: ComplianceState,
    /// Of the failure.
    pub hresult: i32,
    /// When it came to that.
    pub changed: Timestamp,
}

impl Fleet {
    /// Keeps a batch of events in its order; those whose instance is known are dropped. Derives the
    /// compliance states. Returns how many were new.
    ///
    /// # Errors
    /// When SQLite fails; then none was kept.
    pub fn report(&mut self, computer: &str, events: &[Event], now: Timestamp) -> Result<usize> {
        let _ = (computer, events, now);
        unimplemented!()
    }

    /// Compliance of one computer, or of all.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn compliance(&self, computer: Option<&str>) -> Result<Vec<Compliance>> {
        let _ = computer;
        unimplemented!()
    }

    /// The newest events of a computer, newest first, at most `limit`.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn events(&self, computer: &str, limit: u32) -> Result<Vec<Event>> {
        let _ = (computer, limit);
        unimplemented!()
    }
}
