//! What is approved and not offered: the summary that status, approvals and imports show.

pub(super) mod obstacles;
pub(super) mod reasons;
mod rings;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use reasons::{NamedUpdate, ReasonDetails, WaitingReason, WaitingUpdate};

use super::{Result, context::Context};
use crate::{catalog::Catalog, fleet::Fleet, update::UpdateIdentity};

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
    /// What to do about it, for people.
    pub advice: String,
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
        advice: advice_of(reason, &updates),
        updates: updates.len() as u64,
        examples: updates.iter().take(NAMED).map(|one| NamedUpdate::from(*one)).collect(),
    });
    Ok(WaitingSummary { updates: waiting.len() as u64, reasons: summed.collect() })
}

/// What to do about a reason; as for the first of the updates that have it.
fn advice_of(reason: WaitingReason, updates: &[&WaitingUpdate]) -> String {
    let mut details = updates.iter().flat_map(|update| &update.reasons);
    let advice = details.find(|details| details.reason == reason);
    advice.and_then(|details| details.advice.clone()).unwrap_or_default()
}

/// The approved updates that are offered now, and would not be without these revisions.
///
/// # Errors
/// When a store fails.
pub(super) fn no_longer_offered(
    context: &Context<'_>,
    catalog: &Catalog,
    fleet: &Fleet,
    gone: &BTreeSet<UpdateIdentity>,
) -> Result<Vec<NamedUpdate>> {
    let mut after = obstacles::waiting_without(context, catalog, fleet, gone)?;
    if !after.is_empty() {
        let before = obstacles::waiting(context, catalog, fleet)?;
        let before: BTreeSet<_> = before.into_iter().map(|waiting| waiting.update).collect();
        after.retain(|waiting| !before.contains(&waiting.update));
    }
    Ok(after.iter().map(NamedUpdate::from).collect())
}
