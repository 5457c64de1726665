//! The fleet's decisions ↔ the policy of a bundle.
//!
//! What a policy would change is found by comparing it with the fleet as it is, so it does not
//! matter which policies came before, or whether a run was killed. What an administrator here decided
//! stays, whatever comes.

mod decide;
mod diff;
mod perform;

use std::collections::{BTreeMap, BTreeSet};

use bundle_format::{
    index::FORMAT_VERSION,
    policy::{Policy, PolicyApproval, PolicyRule, PolicyTakenBack},
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

pub(super) use self::decide::{Arrival, arrive, lapse_warning};
pub use self::decide::{
    LocalDecision, PolicyChoice, PolicyDecided, PolicyOverview, PolicySummary, policy_accept,
    policy_diff, policy_reject, policy_release, policy_show,
};
pub(super) use self::diff::plan;
use super::TransferError;
use crate::{
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin, UNASSIGNED_COMPUTERS},
    update::UpdateId,
};

type Result<T> = std::result::Result<T, TransferError>;

/// One thing that a policy changes here, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyChange {
    /// What is done.
    pub kind: PolicyChangeKind,
    /// The update, if one is meant.
    pub update: Option<UpdateId>,
    /// The target group, if one is meant.
    pub group: Option<String>,
    /// The action as the policy names it, if it is about an approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// By when it has to be installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The approval that is here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<PolicyWas>,
    /// The rule that made the approval on the connected side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The licence, or why, for people.
    pub detail: Option<String>,
}

/// The approval that a policy finds here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyWas {
    /// What to do.
    pub action: ApprovalAction,
    /// By when.
    pub deadline: Option<Timestamp>,
    /// Who decided.
    pub origin: Origin,
}

/// What a policy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyChangeKind {
    /// Makes a target group.
    CreateGroup,
    /// Approves.
    Approve,
    /// Changes an approval of an earlier policy.
    Change,
    /// Takes an approval of an earlier policy back.
    Unapprove,
    /// No longer has an approval of an earlier policy, but does not say that it was taken back: it
    /// stays until a person here decides.
    Lapse,
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

impl PolicyChangeKind {
    /// Whether anything is changed when the policy takes effect.
    pub fn is_effective(self) -> bool {
        !matches!(self, Self::Lapse | Self::KeptLocal | Self::NotUnderstood)
    }
}

/// Groups are one in any letter case.
fn key(group: &str) -> String {
    group.trim().to_lowercase()
}

/// Text of others without what a terminal would act on, and not without end.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(128).collect()
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
        .taken_back()?
        .into_iter()
        .filter_map(|one| {
            let group = groups.get(&one.group)?.clone();
            Some(PolicyTakenBack { update: one.update.0, group })
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
