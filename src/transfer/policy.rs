//! The fleet's decisions ↔ the policy of a bundle.

use std::collections::{BTreeMap, BTreeSet};

use bundle_format::{
    index::FORMAT_VERSION,
    policy::{Policy, PolicyApproval},
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::TransferError;
use crate::{
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, FleetError, Origin, UNASSIGNED_COMPUTERS},
    update::UpdateId,
};

type Result<T> = std::result::Result<T, TransferError>;

/// One thing that a policy changes here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyChange {
    /// What is done.
    pub kind: PolicyChangeKind,
    /// The update, if one is meant.
    pub update: Option<UpdateId>,
    /// The target group, if one is meant.
    pub group: Option<String>,
    /// The action and deadline, for people.
    pub detail: Option<String>,
}

/// What a policy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyChangeKind {
    /// Makes a target group.
    CreateGroup,
    /// Approves, or changes an approval of an earlier policy.
    Approve,
    /// Takes an approval of an earlier policy back.
    Unapprove,
    /// Declines.
    Decline,
    /// Takes a decline of an earlier policy back.
    Undecline,
    /// Accepts a licence.
    AcceptEula,
    /// Leaves it, because an administrator here decided otherwise.
    KeptLocal,
    /// Cannot be followed: an action that this program does not know, a group that cannot be made
    /// or is not named, a licence id that cannot be kept.
    NotUnderstood,
}

/// What the connected side's fleet says, in a fixed order.
pub(super) fn gather(fleet: &Fleet) -> Result<Policy> {
    let groups: BTreeMap<Uuid, String> =
        fleet.groups()?.into_iter().map(|group| (group.id, group.name)).collect();
    let mut approvals: Vec<_> = fleet
        .approvals()?
        .into_iter()
        .filter_map(|approval| {
            Some(PolicyApproval {
                update: approval.update.0,
                group: groups.get(&approval.group)?.clone(),
                action: action_name(approval.action).to_owned(),
                deadline: approval.deadline,
            })
        })
        .collect();
    approvals.sort();
    let mut names: BTreeSet<String> = groups
        .iter()
        .filter(|(id, _)| ![ALL_COMPUTERS, UNASSIGNED_COMPUTERS].contains(id))
        .map(|(_, name)| name.clone())
        .collect();
    names.extend(approvals.iter().map(|approval| approval.group.clone()));
    let mut declined: Vec<Uuid> = fleet.declined()?.into_iter().map(|id| id.0).collect();
    declined.sort();
    Ok(Policy {
        format_version: FORMAT_VERSION,
        groups: names.into_iter().collect(),
        approvals,
        declined,
        accepted_eulas: fleet.accepted_eulas()?,
        ..Policy::default()
    })
}

/// Changes the fleet by what differs between the policy applied last and the new one, all of it at
/// once. What an administrator here decided stays.
pub(super) fn apply(
    fleet: &mut Fleet,
    old: &Policy,
    new: &Policy,
    now: Timestamp,
) -> Result<Vec<PolicyChange>> {
    fleet.at_once(|fleet| differ(fleet, old, new, false, now))
}

/// What [`apply`] would change.
pub(super) fn dry_run(
    fleet: &mut Fleet,
    old: &Policy,
    new: &Policy,
    now: Timestamp,
) -> Result<Vec<PolicyChange>> {
    differ(fleet, old, new, true, now)
}

fn differ(
    fleet: &mut Fleet,
    old: &Policy,
    new: &Policy,
    dry: bool,
    now: Timestamp,
) -> Result<Vec<PolicyChange>> {
    let mut changes = Vec::new();
    let mut groups: BTreeMap<String, Uuid> =
        fleet.groups()?.into_iter().map(|group| (group.name.to_lowercase(), group.id)).collect();
    let mut to_be_made = BTreeSet::new();
    for name in &new.groups {
        if groups.contains_key(&name.to_lowercase()) {
            continue;
        }
        if dry {
            to_be_made.insert(name.to_lowercase());
        } else {
            match fleet.create_group(name, None) {
                Ok(group) => drop(groups.insert(name.to_lowercase(), group.id)),
                Err(FleetError::Invalid { what }) => {
                    changes.push(PolicyChange {
                        kind: PolicyChangeKind::NotUnderstood,
                        update: None,
                        group: Some(name.clone()),
                        detail: Some(what),
                    });
                    continue;
                }
                Err(e) => return Err(e.into()),
            }
        }
        changes.push(PolicyChange {
            kind: PolicyChangeKind::CreateGroup,
            update: None,
            group: Some(name.clone()),
            detail: None,
        });
    }
    let origins: BTreeMap<(UpdateId, Uuid), Origin> =
        fleet.approvals()?.into_iter().map(|a| ((a.update, a.group), a.origin)).collect();
    let declines: BTreeMap<UpdateId, Origin> = fleet.declines()?.into_iter().collect();
    let change = |kind, approval: &PolicyApproval| PolicyChange {
        kind,
        update: Some(UpdateId(approval.update)),
        group: Some(approval.group.clone()),
        detail: Some(match approval.deadline {
            Some(deadline) => format!("{} by {deadline}", approval.action),
            None => approval.action.clone(),
        }),
    };
    let by_key = |policy: &Policy| -> BTreeMap<(Uuid, String), PolicyApproval> {
        policy.approvals.iter().map(|a| ((a.update, a.group.to_lowercase()), a.clone())).collect()
    };
    let (before, after) = (by_key(old), by_key(new));
    for (key, approval) in before.iter().filter(|(key, _)| !after.contains_key(*key)) {
        let Some(&group) = groups.get(&key.1) else { continue };
        let update = UpdateId(approval.update);
        match origins.get(&(update, group)) {
            Some(Origin::Policy) => {
                if !dry {
                    fleet.unapprove(update, group)?;
                }
                changes.push(change(PolicyChangeKind::Unapprove, approval));
            }
            Some(Origin::Local) | None => {}
        }
    }
    for (key, approval) in after.iter().filter(|(key, a)| before.get(*key) != Some(*a)) {
        let update = UpdateId(approval.update);
        let Some(action) = action_of(&approval.action) else {
            changes.push(change(PolicyChangeKind::NotUnderstood, approval));
            continue;
        };
        // In a dry run a group that would be made now has no id, and nothing local in it.
        let group = groups.get(&key.1).copied();
        if group.is_none() && !to_be_made.contains(&key.1) {
            changes.push(change(PolicyChangeKind::NotUnderstood, approval));
            continue;
        }
        let approved = group.and_then(|group| origins.get(&(update, group)));
        if approved == Some(&Origin::Local) || declines.get(&update) == Some(&Origin::Local) {
            changes.push(change(PolicyChangeKind::KeptLocal, approval));
            continue;
        }
        if let (Some(group), false) = (group, dry) {
            fleet.approve(update, group, action, approval.deadline, Origin::Policy, now)?;
        }
        changes.push(change(PolicyChangeKind::Approve, approval));
    }
    let approved: BTreeSet<UpdateId> = origins
        .iter()
        .filter(|(_, origin)| **origin == Origin::Local)
        .map(|((update, _), _)| *update)
        .collect();
    let accepted: BTreeSet<String> = fleet.accepted_eulas()?.into_iter().collect();
    for eula in new.accepted_eulas.iter().filter(|eula| !accepted.contains(*eula)) {
        let kind = match if dry { Ok(true) } else { fleet.accept_eula(eula, now) } {
            Ok(_) => PolicyChangeKind::AcceptEula,
            Err(FleetError::Invalid { .. }) => PolicyChangeKind::NotUnderstood,
            Err(e) => return Err(e.into()),
        };
        changes.push(PolicyChange { kind, update: None, group: None, detail: Some(eula.clone()) });
    }
    apply_declines(fleet, (old, new), &declines, &approved, dry, now, &mut changes)?;
    Ok(changes)
}

fn apply_declines(
    fleet: &mut Fleet,
    (old, new): (&Policy, &Policy),
    declines: &BTreeMap<UpdateId, Origin>,
    approved_locally: &BTreeSet<UpdateId>,
    dry: bool,
    now: Timestamp,
    changes: &mut Vec<PolicyChange>,
) -> Result<()> {
    let mut note = |kind, update| {
        changes.push(PolicyChange { kind, update: Some(update), group: None, detail: None });
    };
    let (before, after): (BTreeSet<Uuid>, BTreeSet<Uuid>) =
        (old.declined.iter().copied().collect(), new.declined.iter().copied().collect());
    for update in before.difference(&after).map(|id| UpdateId(*id)) {
        if declines.get(&update) == Some(&Origin::Policy) {
            if !dry {
                fleet.undecline(update)?;
            }
            note(PolicyChangeKind::Undecline, update);
        }
    }
    for update in after.difference(&before).map(|id| UpdateId(*id)) {
        if declines.contains_key(&update) {
            continue;
        }
        if approved_locally.contains(&update) {
            note(PolicyChangeKind::KeptLocal, update);
            continue;
        }
        if !dry {
            fleet.decline(update, Origin::Policy, now)?;
        }
        note(PolicyChangeKind::Decline, update);
    }
    Ok(())
}

fn action_name(action: ApprovalAction) -> &'static str {
    match action {
        ApprovalAction::Install => "install",
        ApprovalAction::OptionalInstall => "optional-install",
        ApprovalAction::Uninstall => "uninstall",
        ApprovalAction::Detect => "detect",
        ApprovalAction::Block => "block",
    }
}

fn action_of(name: &str) -> Option<ApprovalAction> {
    [
        ApprovalAction::Install,
        ApprovalAction::OptionalInstall,
        ApprovalAction::Uninstall,
        ApprovalAction::Detect,
        ApprovalAction::Block,
    ]
    .into_iter()
    .find(|action| action_name(*action) == name)
}
