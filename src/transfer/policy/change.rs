//! What a policy changes, or would change.

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    fleet::{ApprovalAction, Origin},
    update::UpdateId,
};

/// One thing that a policy changes here, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyChange {
    /// What is done.
    pub kind: PolicyChangeKind,
    /// The update, if one is meant.
    pub update: Option<UpdateId>,
    /// Its title, if it is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its KB article numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kb: Vec<String>,
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
    pub was: Option<PriorApproval>,
    /// The rule that made the approval on the connected side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The id of the licence, or a reason for people.
    pub detail: Option<String>,
}

/// The approval that a policy finds here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PriorApproval {
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
    /// Changes nothing, because an administrator here decided otherwise.
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

/// Whether any of these changes is made when the policy takes effect.
pub(super) fn any_effective(changes: &[PolicyChange]) -> bool {
    changes.iter().any(|change| change.kind.is_effective())
}

/// Those of the changes that are made when the policy takes effect.
pub(super) fn effective(changes: &[PolicyChange]) -> Vec<PolicyChange> {
    changes.iter().filter(|change| change.kind.is_effective()).cloned().collect()
}

/// The name of a group for comparing: letter case and outer spaces do not count.
pub(super) fn group_key(group: &str) -> String {
    group.trim().to_lowercase()
}

/// A text from outside for a terminal: no control characters, at most 128 characters.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(128).collect()
}
