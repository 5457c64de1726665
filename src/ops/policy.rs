//! What the connected side decided, and what is decided here against it.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Result,
    context::Context,
    error::OpsError,
    wording::{count, listed},
};
pub use crate::transfer::{
    LocalDecision, PolicyChange, PolicyChangeKind, PolicyChoice, PolicyDecision, PolicyOverview,
    PolicySummary,
};
use crate::{
    approval::{self, ApprovalOutcome, Request, SelectedUpdate, UpdateSelection},
    catalog::Catalog,
    fleet::{ApprovalAction, Fleet, Group},
    journal::EntryKind,
    transfer,
    update::UpdateId,
};

/// A decision made here, for good.
#[derive(Debug, Clone)]
pub struct OverrideRequest {
    /// For which update.
    pub update: UpdateId,
    /// For which target group, by name or id.
    pub group: String,
    /// What to do.
    pub action: ApprovalAction,
    /// By when it has to be installed.
    pub deadline: Option<Timestamp>,
    /// Accept the licence of the update on behalf of the computers.
    pub accept_eulas: bool,
}

/// What was decided here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OverrideOutcome {
    /// The update and what became of it.
    pub updates: Vec<SelectedUpdate>,
    /// The group.
    #[serde(skip)]
    pub group: Group,
}

/// An update that stays unapproved for a group, whatever a policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForbidOutcome {
    /// Whether that is new.
    pub changed: bool,
    /// The group.
    #[serde(skip)]
    pub group: Group,
}

/// Titles and KB numbers by the catalogue here, if there is one yet.
struct Names(Option<Catalog>);

impl Names {
    fn open(context: &Context<'_>) -> Result<Self> {
        let path = context.data_dir()?.catalog();
        Ok(Self(if path.exists() { Some(Catalog::open_to_look(&path)?) } else { None }))
    }

    fn find(
        &self,
        update: UpdateId,
        title: &mut Option<String>,
        kb: &mut Vec<String>,
    ) -> Result<()> {
        let known = self.0.as_ref().map(|catalog| catalog.revisions_of(update)).transpose()?;
        if let Some(revision) = known.and_then(|mut revisions| revisions.pop()) {
            (*title, *kb) = (Some(revision.title), revision.kb);
        }
        Ok(())
    }
}

/// Gives the updates of changes their titles.
pub(super) fn name_changes(context: &Context<'_>, changes: &mut [PolicyChange]) -> Result<()> {
    let names = Names::open(context)?;
    for change in changes {
        if let Some(update) = change.update {
            names.find(update, &mut change.title, &mut change.kb)?;
        }
    }
    Ok(())
}

fn journaled(
    context: &Context<'_>,
    verb: &str,
    decision: PolicyDecision,
) -> Result<PolicyDecision> {
    context.journaled(EntryKind::Policy, "policy", Ok(decision), |done| {
        let changes = count(done.changes.len() as u64, "decision");
        let details = json!({ "changes": listed(&done.changes), "held": done.held });
        Some((format!("{changes} of the policy {verb}"), details))
    })
}

fn named(context: &Context<'_>, mut decision: PolicyDecision) -> Result<PolicyDecision> {
    name_changes(context, &mut decision.changes)?;
    name_changes(context, &mut decision.remaining)?;
    Ok(decision)
}

/// The policy in effect, one that is held, their rules, and what was decided here.
///
/// # Errors
/// When there is no data folder, or a store fails.
pub fn show(context: &Context<'_>) -> Result<PolicyOverview> {
    let data = context.data_dir()?;
    let mut overview = transfer::policy_show(&data)?;
    let names = Names::open(context)?;
    for one in &mut overview.local {
        names.find(one.update, &mut one.title, &mut one.kb)?;
    }
    Ok(overview)
}

/// What the held policy would change here, or the one in a bundle; only signed heads are read.
///
/// # Errors
/// When no policy is held, a bundle is refused, or a store fails.
pub fn diff(context: &Context<'_>, bundles: &[PathBuf]) -> Result<Vec<PolicyChange>> {
    let mut changes = transfer::policy_diff(&context.data_dir()?, bundles, context.now())?;
    name_changes(context, &mut changes)?;
    Ok(changes)
}

/// Lets the held policy take effect, all of it or a part.
///
/// # Errors
/// When no policy is held, the part is not in it, or a store fails.
pub fn accept(context: &Context<'_>, choice: &PolicyChoice) -> Result<PolicyDecision> {
    let decision = transfer::policy_accept(&context.data_dir()?, choice, context.now())?;
    named(context, journaled(context, "accepted", decision)?)
}

/// Refuses the held policy; or a part: then things stay here as they are, whatever is in later ones.
///
/// # Errors
/// As [`accept`].
pub fn reject(context: &Context<'_>, choice: &PolicyChoice) -> Result<PolicyDecision> {
    let decision = transfer::policy_reject(&context.data_dir()?, choice, context.now())?;
    named(context, journaled(context, "rejected", decision)?)
}

/// Decides here, for good, for an update and a group.
///
/// # Errors
/// When there is no such group or update, the update cannot be approved so, or a store fails.
pub fn override_approval(
    context: &Context<'_>,
    request: &OverrideRequest,
) -> Result<OverrideOutcome> {
    let data = context.data_dir()?;
    let mut fleet = Fleet::open(&data.fleet())?;
    let group = fleet.group(&request.group)?;
    let OverrideRequest { update, action, deadline, accept_eulas, .. } = *request;
    let approve = Request { group: group.id, action, deadline, accept_eulas, dry_run: false };
    let catalog = Catalog::open(&data.catalog())?;
    let selection = UpdateSelection::Ids(vec![update]);
    let updates = approval::approve(&catalog, &mut fleet, &selection, &approve, context.now())?;
    for one in &updates {
        if let ApprovalOutcome::Skipped { why } = &one.decision {
            return Err(OpsError::usage(format!("{update} cannot be approved: {why}")));
        }
    }
    let outcome = OverrideOutcome { updates, group };
    context.journaled(EntryKind::Policy, "policy override", Ok(outcome), |done| {
        let what = format!("{update} was decided here, for good, for {}", done.group.name);
        Some((what, json!({ "action": action, "updates": done.updates })))
    })
}

/// Forbids approvals of an update for a group, whatever a policy says.
///
/// # Errors
/// When there is no such group, or a store fails.
pub fn forbid_approval(
    context: &Context<'_>,
    update: UpdateId,
    group: &str,
) -> Result<ForbidOutcome> {
    let mut fleet = context.fleet_to_change()?;
    let group = fleet.group(group)?;
    let changed = fleet.refuse_approval(update, group.id)?;
    let outcome = ForbidOutcome { changed, group };
    context.journaled(EntryKind::Policy, "policy override", Ok(outcome), |done| {
        let what = format!("approvals of {update} were forbidden for {}", done.group.name);
        done.changed.then_some((what, Value::Null))
    })
}

/// Lets decisions made here go, for all groups or one (by name or id); policies and rules are
/// followed again.
///
/// # Errors
/// When there is no such group, nothing was decided here, or a store fails.
pub fn release(
    context: &Context<'_>,
    update: UpdateId,
    group: Option<&str>,
) -> Result<PolicyDecision> {
    let data = context.data_dir()?;
    let group = match group {
        Some(group) => Some(Fleet::open(&data.fleet())?.group(group)?.id),
        None => None,
    };
    let decision = transfer::policy_release(&data, update, group, context.now())?;
    named(context, journaled(context, "released", decision)?)
}
