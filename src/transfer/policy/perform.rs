//! Making a policy's changes, or deciding against them, within the caller's transaction.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::change::{PolicyChange, PolicyChangeKind, group_key};
use crate::{
    fleet::{ApprovalAction, ApprovingRule, Fleet, NewApproval, Origin},
    transfer::error::TransferError,
    update::UpdateId,
};

type Result<T> = std::result::Result<T, TransferError>;

/// Makes these changes.
pub(super) fn perform(fleet: &mut Fleet, changes: &[PolicyChange], now: Timestamp) -> Result<()> {
    make_groups(fleet, changes)?;
    let groups = groups_by_key(fleet)?;
    for change in changes {
        let target = target(change, &groups);
        match (change.kind, target) {
            (PolicyChangeKind::Unapprove | PolicyChangeKind::Lapse, Some((update, group))) => {
                fleet.withdraw_approval(update, group)?;
            }
            (PolicyChangeKind::Approve | PolicyChangeKind::Change, Some((update, group))) => {
                let action = change.action.as_deref().and_then(ApprovalAction::parse);
                let Some(action) = action else { continue };
                let new = NewApproval {
                    update,
                    group,
                    action,
                    deadline: change.deadline,
                    origin: Origin::Policy,
                    rule: change.rule.clone().map(|name| ApprovingRule { name, since: now }),
                };
                fleet.store_approval(&new, now)?;
            }
            _ => {}
        }
        match (change.kind, change.update, &change.detail) {
            (PolicyChangeKind::AcceptEula, _, Some(eula)) => drop(fleet.accept_eula(eula, now)?),
            (PolicyChangeKind::Decline, Some(update), _) => {
                fleet.decline(update, Origin::Policy, now)?;
            }
            (PolicyChangeKind::Undecline, Some(update), _) => {
                fleet.withdraw_decline(update)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Decides against these changes: what they would change stays as it is, now and later.
pub(super) fn keep_as_is(
    fleet: &mut Fleet,
    changes: &[PolicyChange],
    now: Timestamp,
) -> Result<()> {
    make_groups(fleet, changes)?;
    let groups = groups_by_key(fleet)?;
    for change in changes {
        let target = target(change, &groups);
        match (change.kind, target, change.update) {
            (PolicyChangeKind::Approve, Some((update, group)), _) => {
                fleet.refuse_approval(update, group)?;
            }
            (
                PolicyChangeKind::Change | PolicyChangeKind::Unapprove | PolicyChangeKind::Lapse,
                Some((update, group)),
                _,
            ) => {
                let Some(was) = change.was else { continue };
                fleet.approve(update, group, was.action, was.deadline, Origin::Local, now)?;
            }
            (PolicyChangeKind::Decline, _, Some(update)) => fleet.refuse_decline(update)?,
            (PolicyChangeKind::Undecline, _, Some(update)) => {
                fleet.decline(update, Origin::Local, now)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn make_groups(fleet: &mut Fleet, changes: &[PolicyChange]) -> Result<()> {
    let new = changes.iter().filter(|change| change.kind == PolicyChangeKind::CreateGroup);
    let names: Vec<&str> = new.filter_map(|change| change.group.as_deref()).collect();
    Ok(fleet.create_groups(&names)?)
}

fn groups_by_key(fleet: &Fleet) -> Result<HashMap<String, Uuid>> {
    Ok(fleet.groups()?.into_iter().map(|group| (group_key(&group.name), group.id)).collect())
}

fn target(change: &PolicyChange, groups: &HashMap<String, Uuid>) -> Option<(UpdateId, Uuid)> {
    Some((change.update?, *groups.get(&group_key(change.group.as_deref()?))?))
}
