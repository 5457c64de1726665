//! What is approved and not offered: the summary that status, approvals and imports show.

pub(super) mod reasons;

use std::collections::BTreeMap;

use serde::Serialize;

pub use reasons::{WaitingReason, WaitingUpdate};

use super::Result;
use crate::{catalog::Catalog, fleet::Fleet, update::UpdateId};

/// More updates are counted, but not named.
const NAMED: usize = 3;

/// Approved updates that are not offered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WaitingSummary {
    /// How many updates.
    pub updates: u64,
    /// By reason; an update may have several.
    pub reasons: Vec<ReasonSummary>,
}

/// What an operation did, and what is approved and not offered after it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WithWaiting<T> {
    /// What it did.
    #[serde(flatten)]
    pub done: T,
    /// Approved updates that are not offered, and why.
    pub waiting: WaitingSummary,
}

/// The updates that wait for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReasonSummary {
    /// The reason, as in the JSON of [`WaitingReason`].
    pub reason: &'static str,
    /// How many updates.
    pub updates: u64,
    /// The first few.
    pub examples: Vec<NamedUpdate>,
}

/// An update with its title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NamedUpdate {
    /// The update.
    pub update: UpdateId,
    /// Its title, or its id if it is not here.
    pub title: String,
}

/// All approved updates that are not offered, summed up by reason.
///
/// # Errors
/// When a store fails.
pub(super) fn summary(catalog: &Catalog, fleet: &Fleet) -> Result<WaitingSummary> {
    let waiting = reasons::waiting(catalog, fleet)?;
    let mut by_reason: BTreeMap<&'static str, Vec<UpdateId>> = BTreeMap::new();
    for update in &waiting {
        for reason in &update.reasons {
            let updates = by_reason.entry(reason_name(reason)).or_default();
            if updates.last() != Some(&update.update) {
                updates.push(update.update);
            }
        }
    }
    let mut reasons = Vec::new();
    for (reason, updates) in by_reason {
        let mut examples = Vec::new();
        for update in updates.iter().take(NAMED) {
            let title = catalog.newest_known(*update)?.map(|newest| newest.title);
            let title = title.unwrap_or_else(|| update.to_string());
            examples.push(NamedUpdate { update: *update, title });
        }
        reasons.push(ReasonSummary { reason, updates: updates.len() as u64, examples });
    }
    Ok(WaitingSummary { updates: waiting.len() as u64, reasons })
}

/// The name of a reason, as in its JSON.
fn reason_name(reason: &WaitingReason) -> &'static str {
    match reason {
        WaitingReason::MissingFile { .. } => "missing-file",
        WaitingReason::NotCarried { .. } => "not-carried",
        WaitingReason::Language { .. } => "language",
        WaitingReason::ContradictingDigest { .. } => "contradicting-digest",
        WaitingReason::LicenceNotAccepted { .. } => "licence-not-accepted",
        WaitingReason::SupersededRing { .. } => "superseded-ring",
        WaitingReason::UnfitClause => "unfit-clause",
        WaitingReason::PrerequisiteNotHere { .. } => "prerequisite-not-here",
        WaitingReason::Expired => "expired",
        WaitingReason::Declined => "declined",
        WaitingReason::NotInCatalogue => "not-in-catalogue",
        WaitingReason::NotInstallable => "not-installable",
    }
}
