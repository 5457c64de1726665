//! Removing computers or servers: one by its name, or many together.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::{
    Result,
    context::Context,
    error::OpsError,
    wording::{count, listed},
};
use crate::{approval::rules::Period, fleet::Fleet, journal::EntryKind};

/// Which of them go.
#[derive(Debug, Clone, Copy)]
pub enum RemovalChoice<'a> {
    /// The one of this name or id.
    Named(&'a str),
    /// All that fit.
    All(RemovalFilter),
}

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

/// What can be removed from the fleet.
pub(super) trait RemovalTarget {
    /// What it is, in one word.
    const KIND: &'static str;
    /// How the journal calls what is done to it.
    const ENTRY: EntryKind;

    /// Its id.
    fn id(&self) -> String;

    /// Whether this is its name.
    fn is_called(&self, name: &str) -> bool;

    /// As lists of removed ones show it.
    fn entry(&self) -> RemovedEntry;

    /// Removes it.
    fn remove(&self, fleet: &mut Fleet) -> Result<()>;
}

/// Removes those that `choose` finds, all or none; without `really`, only says which.
pub(super) fn remove<T: RemovalTarget>(
    context: &Context<'_>,
    really: bool,
    choose: impl FnOnce(&Fleet) -> Result<Vec<T>>,
) -> Result<RemovalOutcome> {
    if !really {
        let removed = choose(&context.fleet()?)?.iter().map(RemovalTarget::entry).collect();
        return Ok(RemovalOutcome { done: false, removed });
    }
    // What fits is asked again with each run: one that has reported meanwhile stays.
    let removed = context.fleet_to_change()?.at_once(|fleet| {
        let chosen = choose(fleet)?;
        for one in &chosen {
            one.remove(fleet)?;
        }
        Ok::<_, OpsError>(chosen)
    })?;
    let removed = removed.iter().map(RemovalTarget::entry).collect();
    let outcome = RemovalOutcome { done: true, removed };
    context.journaled(T::ENTRY, "remove", Ok(outcome), |RemovalOutcome { removed, .. }| {
        let what = format!("{} removed", count(removed.len() as u64, T::KIND));
        (!removed.is_empty()).then(|| (what, json!({ "removed": listed(removed) })))
    })
}

/// The one of this id, else the only one of this name.
pub(super) fn find<T: RemovalTarget>(all: Vec<T>, name_or_id: &str) -> Result<T> {
    let (kind, is_it) = (T::KIND, |one: &T| one.id().eq_ignore_ascii_case(name_or_id));
    let (mut found, others): (Vec<T>, Vec<T>) = all.into_iter().partition(is_it);
    if found.is_empty() {
        found.extend(others.into_iter().filter(|one| one.is_called(name_or_id)));
    }
    let ids: Vec<String> = found.iter().map(RemovalTarget::id).collect();
    match (found.pop(), ids.len()) {
        (Some(one), 1) => Ok(one),
        (None, _) => Err(OpsError::unfit(format!(
            "there is no {kind} {name_or_id:?}: see `tidegate {kind}s`"
        ))),
        _ => Err(OpsError::unfit(format!(
            "{} {kind}s are called {name_or_id:?}: use one of the ids {}",
            ids.len(),
            ids.join(", ")
        ))),
    }
}
