//! An administrator's decision becomes approvals: catalogue ↔ fleet.
//!
//! Only what can be approved is: the newest revision of an update that is explicitly deployable,
//! not expired, whose licence (if it has one) is accepted. What else must be deployed with it
//! (bundled revisions, prerequisites) is not written down here; it follows from the catalogue and is
//! computed when the server loads its view.

mod error;
pub mod rules;

pub use error::ApprovalError;

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    catalog::{Catalog, RevisionFilter, RevisionSummary},
    fleet::{ApprovalAction, Fleet, FleetError, Origin},
    update::{UpdateId, UpdateType, kb_number},
};

/// Which updates are selected.
#[derive(Debug, Clone)]
pub enum UpdateSelection {
    /// These.
    Ids(Vec<UpdateId>),
    /// All that carry this KB number (digits, `KB` before them is allowed).
    Kb(String),
    /// All that can be approved. Superseded ones only if asked for.
    All {
        /// Those too that a newer update supersedes.
        superseded: bool,
    },
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// For which group.
    pub group: Uuid,
    /// What to do.
    pub action: ApprovalAction,
    /// By when it has to be installed.
    pub deadline: Option<Timestamp>,
    /// The administrator accepts the licences on behalf of the computers.
    pub accept_eulas: bool,
    /// Look only.
    pub dry_run: bool,
}

/// What became of an update that was selected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum ApprovalOutcome {
    /// Approved, or would be.
    Approved {
        /// Whether that is new or different.
        changed: bool,
    },
    /// Not approved.
    Skipped {
        /// Why, and what to do.
        why: String,
    },
}

/// An update and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SelectedUpdate {
    /// The update.
    pub update: UpdateId,
    /// Its title.
    pub title: String,
    /// What became of it.
    #[serde(flatten)]
    pub decision: ApprovalOutcome,
    /// Superseded by an update that is here.
    pub superseded: bool,
    /// It was declined, and the approval takes that back, or would.
    pub no_longer_declined: bool,
}

/// Approves what is selected for a group.
///
/// # Errors
/// When nothing is selected, there is no such group, or a store fails.
pub fn approve(
    catalog: &Catalog,
    fleet: &mut Fleet,
    selection: &UpdateSelection,
    request: &Request,
    now: Timestamp,
) -> Result<Vec<SelectedUpdate>, ApprovalError> {
    let superseded = catalog.superseded()?;
    let accepted: HashSet<String> = fleet.accepted_eulas()?.into_iter().collect();
    let declined: HashSet<UpdateId> = fleet.declined()?.into_iter().collect();
    let mut decided = Vec::new();
    let mut eulas = BTreeSet::new();
    for revision in select(catalog, selection, &superseded)? {
        let update = revision.identity.id;
        let decision = match obstacle(&revision, request, &accepted) {
            Some(why) => ApprovalOutcome::Skipped { why },
            None => ApprovalOutcome::Approved { changed: false },
        };
        if decision == (ApprovalOutcome::Approved { changed: false }) {
            eulas.extend(revision.eula_id);
        }
        let superseded = superseded.contains_key(&update);
        let no_longer_declined =
            declined.contains(&update) && matches!(decision, ApprovalOutcome::Approved { .. });
        let title = revision.title;
        decided.push(SelectedUpdate { update, title, decision, superseded, no_longer_declined });
    }
    let changed = if request.dry_run {
        would_change(fleet, &decided, request)?
    } else {
        let Request { group, action, deadline, accept_eulas, .. } = *request;
        fleet.at_once(|fleet| {
            if accept_eulas {
                for eula in &eulas {
                    fleet.accept_eula(eula, now)?;
                }
            }
            approved(&decided)
                .map(|update| fleet.approve(update, group, action, deadline, Origin::Local, now))
                .collect::<Result<Vec<_>, FleetError>>()
        })?
    };
    let mut changed = changed.into_iter();
    for one in &mut decided {
        if let ApprovalOutcome::Approved { changed: now } = &mut one.decision {
            *now = changed.next().unwrap_or_default();
        }
    }
    Ok(decided)
}

/// Those that are approved, or would be.
fn approved(decided: &[SelectedUpdate]) -> impl Iterator<Item = UpdateId> {
    decided
        .iter()
        .filter(|one| matches!(one.decision, ApprovalOutcome::Approved { .. }))
        .map(|one| one.update)
}

/// Which approvals would be new or different.
fn would_change(
    fleet: &Fleet,
    decided: &[SelectedUpdate],
    request: &Request,
) -> Result<Vec<bool>, FleetError> {
    let wanted = (request.group, request.action, request.deadline);
    let existing: HashSet<UpdateId> = fleet
        .approvals()?
        .into_iter()
        .filter(|a| (a.group, a.action, a.deadline) == wanted)
        .filter(|a| a.origin == Origin::Local && a.rule.is_none())
        .map(|a| a.update)
        .collect();
    Ok(approved(decided).map(|update| !existing.contains(&update)).collect())
}

/// Takes approvals for a group back. [`UpdateSelection::All`] means every approval that the group has,
/// whatever may be approved today. Returns the updates that had one.
///
/// # Errors
/// When there is no such update, or a store fails.
pub fn unapprove(
    catalog: &Catalog,
    fleet: &mut Fleet,
    selection: &UpdateSelection,
    group: Uuid,
) -> Result<Vec<UpdateId>, ApprovalError> {
    let selected: Vec<UpdateId> = if let UpdateSelection::All { .. } = selection {
        fleet.approvals()?.iter().filter(|a| a.group == group).map(|a| a.update).collect()
    } else {
        let approved = fleet.approvals()?.into_iter().map(|approval| approval.update).collect();
        decided_or_known(catalog, selection, &approved)?
    };
    Ok(fleet.at_once(|fleet| changed_updates(selected, |update| fleet.unapprove(update, group)))?)
}

/// Declines updates, or takes declines back. Returns those for which that changed anything.
///
/// # Errors
/// When there is no such update, or a store fails.
pub fn decline(
    catalog: &Catalog,
    fleet: &mut Fleet,
    selection: &UpdateSelection,
    undo: bool,
    now: Timestamp,
) -> Result<Vec<UpdateId>, ApprovalError> {
    let declined = if undo { fleet.declined()?.into_iter().collect() } else { HashSet::new() };
    let selected = decided_or_known(catalog, selection, &declined)?;
    let changed = fleet.at_once(|fleet| {
        changed_updates(selected, |update| match undo {
            true => fleet.undecline(update),
            false => fleet.decline(update, Origin::Local, now),
        })
    });
    Ok(changed?)
}

/// The updates that are selected. What was `decided` of an update can be taken back also when the
/// catalogue does not have it any more.
fn decided_or_known(
    catalog: &Catalog,
    selection: &UpdateSelection,
    decided: &HashSet<UpdateId>,
) -> Result<Vec<UpdateId>, ApprovalError> {
    if let UpdateSelection::Ids(ids) = selection {
        let others = ids.iter().filter(|id| !decided.contains(id)).copied().collect();
        select(catalog, &UpdateSelection::Ids(others), &HashMap::new())?;
        return Ok(ids.clone());
    }
    let found = select(catalog, selection, &catalog.superseded()?)?;
    Ok(found.into_iter().map(|revision| revision.identity.id).collect())
}

/// Those updates for which `change` changed anything.
fn changed_updates(
    updates: Vec<UpdateId>,
    mut change: impl FnMut(UpdateId) -> Result<bool, FleetError>,
) -> Result<Vec<UpdateId>, FleetError> {
    let mut changed = Vec::new();
    for update in updates {
        if change(update)? {
            changed.push(update);
        }
    }
    Ok(changed)
}

/// Newest revisions of the updates that are selected, in the order of revision IDs.
fn select(
    catalog: &Catalog,
    selection: &UpdateSelection,
    superseded: &HashMap<UpdateId, Timestamp>,
) -> Result<Vec<RevisionSummary>, ApprovalError> {
    let mut found = Vec::new();
    match selection {
        UpdateSelection::Ids(ids) => {
            for id in ids {
                found.push(catalog.newest_known(*id)?.ok_or_else(|| {
                    ApprovalError::NoSuchUpdate {
                        what: format!(
                            "there is no update {id} here: `tidegate updates` lists what there is"
                        ),
                    }
                })?);
            }
        }
        UpdateSelection::Kb(kb) => {
            let digits = kb_number(kb).to_owned();
            let filter = RevisionFilter {
                kb: Some(digits),
                newest: true,
                left_out: true,
                deployable: true,
                ..RevisionFilter::default()
            };
            catalog.find(&filter, &mut |revision| found.push(revision))?;
            if found.is_empty() {
                return Err(ApprovalError::NoSuchUpdate {
                    what: format!(
                        "there is no update for {kb} here that can be approved: `tidegate updates` lists what there is"
                    ),
                });
            }
        }
        UpdateSelection::All { superseded: too } => {
            let filter =
                RevisionFilter { newest: true, deployable: true, ..RevisionFilter::default() };
            catalog.find(&filter, &mut |revision| {
                if !revision.expired && (*too || !superseded.contains_key(&revision.identity.id)) {
                    found.push(revision);
                }
            })?;
        }
    }
    Ok(found)
}

/// Why an update cannot be approved so.
fn obstacle(
    revision: &RevisionSummary,
    request: &Request,
    accepted: &HashSet<String>,
) -> Option<String> {
    if let Some(why) = &revision.left_out {
        return Some(format!(
            "no snapshot gets it, because it {why}; its publisher has to correct it"
        ));
    }
    let kind = match revision.update_type {
        UpdateType::Category => Some("a category"),
        UpdateType::Detectoid => Some("a detectoid"),
        UpdateType::Software | UpdateType::Driver => None,
    };
    if let Some(kind) = kind {
        return Some(format!("it is {kind}: deployed by itself with what requires it"));
    }
    if !revision.explicitly_deployable {
        return Some("it is a member of another update: approve that one".into());
    }
    if revision.expired {
        return Some("its publisher has withdrawn it".into());
    }
    if let Some(eula) = &revision.eula_id {
        let installs =
            matches!(request.action, ApprovalAction::Install | ApprovalAction::OptionalInstall);
        if installs && !request.accept_eulas && !accepted.contains(eula) {
            return Some("its licence is not accepted yet: read it and use --accept-eula".into());
        }
    }
    None
}
