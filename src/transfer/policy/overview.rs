//! The policies that a site keeps, and what its people have decided against them.

use std::{collections::HashMap, fmt};

use bundle_format::policy::PolicyRule;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{change::printable, stored_policy::parse};
use crate::{
    data_dir::DataDir,
    fleet::{ApprovalAction, Fleet, FleetError, Origin, PolicyState, StoredPolicy},
    transfer::error::TransferError,
    update::UpdateId,
};

type Result<T> = std::result::Result<T, TransferError>;

/// The policies of a site and its local decisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyOverview {
    /// The policy that was applied last.
    pub applied: Option<PolicySummary>,
    /// The one that waits for a person.
    pub held: Option<PolicySummary>,
    /// The one that a person has refused, if no other has come since.
    pub rejected: Option<PolicySummary>,
    /// Decisions made here, which no policy changes.
    pub local: Vec<LocalDecision>,
}

/// A policy in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicySummary {
    /// Its snapshot.
    pub snapshot: u64,
    /// Since when.
    pub since: Timestamp,
    /// Approvals in it.
    pub approvals: u64,
    /// Declines in it.
    pub declined: u64,
    /// The rules of the connected side, with the number of approvals by each.
    pub rules: Vec<(PolicyRule, u64)>,
}

/// Something that was decided here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LocalDecision {
    /// The update.
    pub update: UpdateId,
    /// Its title, if it is known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its KB article numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kb: Vec<String>,
    /// The group, if it is about one.
    pub group: Option<String>,
    /// What was decided.
    pub decision: LocalDecisionKind,
    /// By when it has to be installed.
    pub deadline: Option<Timestamp>,
}

/// What a person here has decided on an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalDecisionKind {
    /// It stays unapproved.
    KeepUnapproved,
    /// It is declined.
    Declined,
    /// It stays undeclined.
    NotDeclined,
    /// It is approved with this action; serialized as the name of the action.
    #[serde(untagged)]
    Approval(ApprovalAction),
}

impl fmt::Display for LocalDecisionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeepUnapproved => "keep-unapproved",
            Self::Declined => "declined",
            Self::NotDeclined => "not-declined",
            Self::Approval(action) => action.name(),
        })
    }
}

/// Reads the policies of a site and its local decisions.
///
/// # Errors
/// When a store fails.
pub fn policy_show(data: &DataDir) -> Result<PolicyOverview> {
    let fleet = Fleet::open_to_look(&data.fleet())?;
    let summary = |state| match fleet.policy(state)? {
        Some(stored) => summarize(&stored).map(Some),
        None => Ok(None),
    };
    Ok(PolicyOverview {
        applied: summary(PolicyState::Applied)?,
        held: summary(PolicyState::Held)?,
        rejected: summary(PolicyState::Rejected)?,
        local: local_decisions(&fleet)?,
    })
}

fn summarize(stored: &StoredPolicy) -> Result<PolicySummary> {
    let policy = parse(stored)?;
    let mut by_rule: HashMap<&str, u64> = HashMap::new();
    for rule in policy.approvals.iter().filter_map(|approval| approval.rule.as_deref()) {
        *by_rule.entry(rule).or_default() += 1;
    }
    let rules = policy.rules.iter().map(|rule| {
        let text = rule.text.chars().filter(|c| !c.is_control()).take(4096).collect();
        (
            PolicyRule { name: printable(&rule.name), text },
            by_rule.get(rule.name.as_str()).copied().unwrap_or_default(),
        )
    });
    Ok(PolicySummary {
        snapshot: stored.snapshot,
        since: stored.received,
        approvals: policy.approvals.len() as u64,
        declined: policy.declined.len() as u64,
        rules: rules.collect(),
    })
}

fn local_decisions(fleet: &Fleet) -> std::result::Result<Vec<LocalDecision>, FleetError> {
    let groups: HashMap<Uuid, String> =
        fleet.groups()?.into_iter().map(|group| (group.id, group.name)).collect();
    let name = |id: Uuid| groups.get(&id).cloned();
    let mut all = Vec::new();
    for approval in fleet.approvals()? {
        if approval.origin == Origin::Local && approval.rule.is_none() {
            all.push(LocalDecision {
                update: approval.update,
                title: None,
                kb: Vec::new(),
                group: name(approval.group),
                decision: LocalDecisionKind::Approval(approval.action),
                deadline: approval.deadline,
            });
        }
    }
    let without_deadline = |update, group, decision| {
        let (title, kb, deadline) = (None, Vec::new(), None);
        LocalDecision { update, title, kb, group, decision, deadline }
    };
    for one in fleet.withdrawn_approvals()?.into_iter().filter(|one| one.by_person) {
        all.push(without_deadline(one.update, name(one.group), LocalDecisionKind::KeepUnapproved));
    }
    for (update, origin) in fleet.declines()? {
        if origin == Origin::Local {
            all.push(without_deadline(update, None, LocalDecisionKind::Declined));
        }
    }
    all.extend(
        fleet
            .undeclined()?
            .into_iter()
            .map(|update| without_deadline(update, None, LocalDecisionKind::NotDeclined)),
    );
    all.sort_by(|a, b| (a.update, &a.group).cmp(&(b.update, &b.group)));
    Ok(all)
}
