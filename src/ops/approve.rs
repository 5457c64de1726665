//! Approve updates for a target group, list approvals or take them back.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::{
    Result,
    context::Context,
    waiting::{
        obstacles,
        reasons::{ReasonDetails, WaitingUpdate},
    },
    wording::{count, listed},
};
pub use crate::approval::{ApprovalOutcome, SelectedUpdate, UpdateSelection};
use crate::{
    approval::{self, Request},
    fleet::{Approval, ApprovalAction, Group},
    journal::EntryKind,
    transfer,
    update::UpdateId,
};

/// What to approve.
#[derive(Debug, Clone)]
pub struct ApproveRequest {
    /// Which updates.
    pub selection: UpdateSelection,
    /// For which target group, by name or id.
    pub group: String,
    /// What to do.
    pub action: ApprovalAction,
    /// By when it has to be installed.
    pub deadline: Option<Timestamp>,
    /// Accept the licences on behalf of the computers.
    pub accept_eulas: bool,
    /// Look only.
    pub dry_run: bool,
}

/// What became of the updates that were selected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApproveOutcome {
    /// The group.
    pub group: Group,
    /// Update by update.
    pub updates: Vec<SelectedUpdate>,
    /// Those of them that are approved and not offered, and why.
    pub waiting: Vec<WaitingUpdate>,
}

impl ApproveOutcome {
    /// Whether no update was left out.
    pub fn is_complete(&self) -> bool {
        !self.updates.iter().any(|one| matches!(one.decision, ApprovalOutcome::Skipped { .. }))
    }
}

/// Approvals that were taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnapproveOutcome {
    /// The updates that had one.
    pub removed: Vec<UpdateId>,
    /// The group.
    #[serde(skip)]
    pub group: Group,
}

/// An approval with the names of what it refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ApprovalEntry {
    /// The approval.
    pub approval: Approval,
    /// Title of the update, if it is in the catalogue.
    pub title: Option<String>,
    /// Name of the group.
    pub group_name: Option<String>,
    /// Why the update is not offered, if it is not.
    pub waiting: Vec<ReasonDetails>,
}

/// Approves what is selected for a group.
///
/// # Errors
/// When nothing is selected, there is no such group, or a store fails.
pub fn approve(context: &Context<'_>, request: &ApproveRequest) -> Result<ApproveOutcome> {
    let (mut catalog, mut fleet) = match request.dry_run {
        true => context.catalog_and_fleet()?,
        false => context.catalog_and_fleet_to_change()?,
    };
    let group = fleet.group(&request.group)?;
    let ApproveRequest { selection, action, deadline, accept_eulas, dry_run, .. } = request;
    let request = Request {
        group: group.id,
        action: *action,
        deadline: *deadline,
        accept_eulas: *accept_eulas,
        dry_run: *dry_run,
    };
    let updates = approval::approve(&catalog, &mut fleet, selection, &request, context.now())?;
    let mut waiting = Vec::new();
    if !request.dry_run {
        transfer::restore_needed(&mut catalog, &fleet)?;
        let selected: HashSet<UpdateId> = updates.iter().map(|one| one.update).collect();
        waiting = obstacles::waiting(context, &catalog, &fleet)?;
        waiting.retain(|one| selected.contains(&one.update));
    }
    let outcome = ApproveOutcome { group, updates, waiting };
    context.journaled(EntryKind::Approve, "approve", Ok(outcome), |done| {
        let is_decided = |one: &&SelectedUpdate| {
            matches!(one.decision, ApprovalOutcome::Approved { changed: true })
        };
        let decided: Vec<_> = done.updates.iter().filter(is_decided).collect();
        let (number, group) = (count(decided.len() as u64, "update"), &done.group.name);
        let what = format!("{number} approved for {group}");
        let details = json!({
            "group": done.group.id,
            "action": request.action,
            "deadline": request.deadline,
            "updates": listed(decided.iter().map(|one| (one.update, &one.title))),
        });
        (!request.dry_run && !decided.is_empty()).then_some((what, details))
    })
}

/// Takes the approvals of a group back.
///
/// # Errors
/// When there is no such update or group, or a store fails.
pub fn unapprove(
    context: &Context<'_>,
    selection: &UpdateSelection,
    group: &str,
) -> Result<UnapproveOutcome> {
    let (catalog, mut fleet) = context.catalog_and_fleet_to_change()?;
    let group = fleet.group(group)?;
    let removed = approval::unapprove(&catalog, &mut fleet, selection, group.id)?;
    let outcome = UnapproveOutcome { removed, group };
    context.journaled(EntryKind::Approve, "unapprove", Ok(outcome), |done| {
        let UnapproveOutcome { removed, group } = done;
        let number = count(removed.len() as u64, "approval");
        let what = format!("{number} taken back for {}", group.name);
        let details = json!({ "group": group.id, "updates": listed(removed) });
        (!removed.is_empty()).then_some((what, details))
    })
}

/// All approvals.
///
/// # Errors
/// When a store fails.
pub fn list(context: &Context<'_>) -> Result<Vec<ApprovalEntry>> {
    let (catalog, fleet) = context.catalog_and_fleet()?;
    let groups = fleet.groups()?;
    let waiting = obstacles::waiting(context, &catalog, &fleet)?;
    let waiting: HashMap<UpdateId, Vec<ReasonDetails>> =
        waiting.into_iter().map(|one| (one.update, one.reasons)).collect();
    let mut entries = Vec::new();
    for approval in fleet.approvals()? {
        let title = catalog.newest_known(approval.update)?.map(|revision| revision.title);
        let group = groups.iter().find(|group| group.id == approval.group);
        let group_name = group.map(|group| group.name.clone());
        let offers = !matches!(approval.action, ApprovalAction::Detect | ApprovalAction::Block);
        let reasons = waiting.get(&approval.update).filter(|_| offers);
        let waiting = reasons.cloned().unwrap_or_default();
        entries.push(ApprovalEntry { approval, title, group_name, waiting });
    }
    Ok(entries)
}
