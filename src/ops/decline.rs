//! Decline updates, or take declines back.

use serde::Serialize;
use serde_json::json;

use super::{
    Result,
    context::Context,
    wording::{count, listed},
};
use crate::{
    approval::{self, UpdateSelection},
    journal::EntryKind,
    transfer,
    update::UpdateId,
};

/// For which updates that changed anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeclineOutcome {
    /// They are offered to nobody now, and their approvals are gone.
    Declined(Vec<UpdateId>),
    /// They may be approved again.
    NoLongerDeclined(Vec<UpdateId>),
}

/// Declines updates, or with `undo` takes declines back.
///
/// # Errors
/// When there is no such update, or a store fails.
pub fn decline(
    context: &Context<'_>,
    selection: &UpdateSelection,
    undo: bool,
) -> Result<DeclineOutcome> {
    let (mut catalog, mut fleet) = context.catalog_and_fleet_to_change()?;
    let changed = approval::decline(&catalog, &mut fleet, selection, undo, context.now())?;
    transfer::restore_needed(&mut catalog, &fleet)?;
    let outcome = match undo {
        true => DeclineOutcome::NoLongerDeclined(changed),
        false => DeclineOutcome::Declined(changed),
    };
    context.journaled(EntryKind::Decline, "decline", Ok(outcome), |done| {
        let (updates, verb) = match done {
            DeclineOutcome::Declined(updates) => (updates, "declined"),
            DeclineOutcome::NoLongerDeclined(updates) => (updates, "no longer declined"),
        };
        let what = format!("{} {verb}", count(updates.len() as u64, "update"));
        (!updates.is_empty()).then(|| (what, json!({ "updates": listed(updates) })))
    })
}
