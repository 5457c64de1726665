//! What is approved and not offered: the summary that status, approvals and imports show.

pub(super) mod obstacles;
pub(super) mod reasons;
mod rings;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use reasons::{NamedUpdate, ReasonDetails, WaitingReason, WaitingUpdate};

use super::{Result, context::Context};
use crate::{catalog::Catalog, fleet::Fleet};

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
pub struct WaitingOutcome<T> {
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
    /// The reason.
    pub reason: WaitingReason,
    /// How many updates.
    pub updates: u64,
    /// The first few.
    pub examples: Vec<NamedUpdate>,
}

/// All approved updates that are not offered, summed up by reason.
///
/// # Errors
/// When a store fails.
pub(super) fn summary(
    context: &Context<'_>,
    catalog: &Catalog,
    fleet: &Fleet,
) -> Result<WaitingSummary> {
    let waiting = obstacles::waiting(context, catalog, fleet)?;
    let mut by_reason: BTreeMap<WaitingReason, Vec<&WaitingUpdate>> = BTreeMap::new();
    for update in &waiting {
        let reasons: BTreeSet<_> = update.reasons.iter().map(|details| details.reason).collect();
        for reason in reasons {
            by_reason.entry(reason).or_default().push(update);
        }
    }
    let summed = by_reason.into_iter().map(|(reason, updates)| ReasonSummary {
        reason,
        updates: updates.len() as u64,
        examples: updates.iter().take(NAMED).map(|one| NamedUpdate::from(*one)).collect(),
    });
    Ok(WaitingSummary { updates: waiting.len() as u64, reasons: summed.collect() })
}
