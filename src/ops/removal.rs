//! Which computers or servers are removed together.

use jiff::Timestamp;
use serde::Serialize;

use crate::approval::rules::Period;

/// Those of whom all of this holds.
#[derive(Debug, Clone, Copy)]
pub struct RemovalFilter {
    /// It was not seen for so long.
    pub not_seen: Option<Period>,
    /// It never reported.
    pub never_reported: bool,
}

impl RemovalFilter {
    /// Whether one that was seen and reported last then fits.
    pub(super) fn fits(
        &self,
        last_seen: Timestamp,
        last_report: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        self.not_seen.is_none_or(|period| period.has_passed(last_seen, now))
            && (!self.never_reported || last_report.is_none())
    }
}

/// What was removed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RemovalOutcome {
    /// Whether they are gone; else they would go.
    pub done: bool,
    /// Those that fit.
    pub removed: Vec<RemovedEntry>,
}

/// One that fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RemovedEntry {
    /// Its id.
    pub id: String,
    /// Its name, as it claimed.
    pub name: String,
    /// When it was seen last.
    pub last_seen: Timestamp,
    /// When it reported last.
    pub last_report: Option<Timestamp>,
}
