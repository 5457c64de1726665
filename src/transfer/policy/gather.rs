//! The policy that goes into a snapshot: what the connected side decided.

use std::collections::{BTreeMap, BTreeSet};

use bundle_format::{
    index::FORMAT_VERSION,
    policy::{Policy, PolicyApproval, PolicyRule, PolicyWithdrawal},
};
use uuid::Uuid;

use crate::{
    fleet::{ALL_COMPUTERS, Fleet, UNASSIGNED_COMPUTERS},
    transfer::error::TransferError,
};

/// What the connected side's fleet says, in a fixed order.
pub(in crate::transfer) fn gather(fleet: &Fleet) -> Result<Policy, TransferError> {
    let groups: BTreeMap<Uuid, String> =
        fleet.groups()?.into_iter().map(|group| (group.id, group.name)).collect();
    let mut approvals: Vec<_> = fleet
        .approvals()?
        .into_iter()
        .filter_map(|approval| {
            Some(PolicyApproval {
                update: approval.update.0,
                group: groups.get(&approval.group)?.clone(),
                action: approval.action.name().to_owned(),
                deadline: approval.deadline,
                rule: approval.rule.map(|rule| rule.name),
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
    let mut taken_back: Vec<_> = fleet
        .withdrawn_approvals()?
        .into_iter()
        .filter_map(|one| {
            let group = groups.get(&one.group)?.clone();
            Some(PolicyWithdrawal { update: one.update.0, group })
        })
        .collect();
    taken_back.sort();
    let rules = fleet.rules()?.into_iter().filter(|rule| rule.enabled);
    Ok(Policy {
        format_version: FORMAT_VERSION,
        groups: names.into_iter().collect(),
        approvals,
        declined,
        accepted_eulas: fleet.accepted_eulas()?,
        taken_back: Some(taken_back),
        rules: rules.map(|rule| PolicyRule { name: rule.name, text: rule.text }).collect(),
        ..Policy::default()
    })
}
