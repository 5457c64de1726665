//! What becomes of a policy: it takes effect when it arrives, or is held until a person has seen
//! what it would change. Every step is one transaction of the fleet.

use std::{collections::HashSet, path::PathBuf};

use bundle_format::{
    limits::BundleLimits,
    policy::{Policy, PolicyRule},
    trust::Expectation,
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{
    change::{PolicyChange, PolicyChangeKind, Result, clean, key},
    diff::plan,
    perform::{keep, perform},
};
use crate::{
    catalog::Catalog,
    data_dir::DataDir,
    fleet::{Fleet, FleetError, Origin, PolicyState, StoredPolicy},
    transfer::{
        error::TransferError,
        store::{side, trust},
        volume::read,
    },
    update::UpdateId,
};

/// A policy that comes with the snapshot in force.
pub(in crate::transfer) struct PolicyArrival<'a> {
    pub(in crate::transfer) policy: &'a Policy,
    pub(in crate::transfer) snapshot: u64,
    /// Let it wait for a person, if it would change anything.
    pub(in crate::transfer) hold: bool,
    /// See [`plan`].
    pub(in crate::transfer) exact: bool,
}

/// Applies or holds a policy; returns what it changes, and whether it is held.
pub(in crate::transfer) fn arrive(
    fleet: &mut Fleet,
    arrival: &PolicyArrival<'_>,
    now: Timestamp,
) -> Result<(Vec<PolicyChange>, bool)> {
    let PolicyArrival { policy, snapshot, hold, exact } = *arrival;
    let json = serde_json::to_string(policy)
        .map_err(|e| TransferError::refused_by("the policy cannot be kept", e))?;
    let stored = StoredPolicy { snapshot, json, received: now };
    fleet.at_once(|fleet| {
        let changes = plan(fleet, policy, exact)?;
        let held = hold && is_effective(&changes);
        if held {
            fleet.store_policy(PolicyState::Held, &stored)?;
        } else {
            perform(fleet, &effective(&changes), now)?;
            fleet.store_policy(PolicyState::Applied, &stored)?;
        }
        Ok((changes, held))
    })
}

/// What to say of approvals that have got lost on the way.
pub(in crate::transfer) fn lapse_warning(changes: &[PolicyChange]) -> Option<String> {
    let lost = changes.iter().filter(|change| change.kind == PolicyChangeKind::Lapse).count();
    (lost > 0).then(|| {
        format!(
            "the policy no longer has {lost} approvals of earlier ones, but does not say that they were taken back: they stay. Ask the connected side; `tidegate policy accept --take-back` takes them back"
        )
    })
}

/// Which changes are meant; nothing said: all.
#[derive(Debug, Clone, Default)]
pub struct PolicyChoice {
    /// Those of these updates.
    pub updates: Vec<UpdateId>,
    /// Those for these groups, by name.
    pub groups: Vec<String>,
    /// Approvals, too, that are not in the policy without being said to be taken back.
    pub take_back: bool,
}

impl PolicyChoice {
    fn is_all(&self) -> bool {
        self.updates.is_empty() && self.groups.is_empty()
    }

    fn names(&self, change: &PolicyChange) -> bool {
        let Some(update) = change.update else { return self.is_all() };
        let group = || {
            let group = change.group.as_deref().map(key);
            self.groups.iter().any(|name| Some(key(name)) == group)
        };
        (self.updates.is_empty() || self.updates.contains(&update))
            && (self.groups.is_empty() || group())
    }

    /// The changes that are meant, with the groups and licences that they need.
    fn pick(&self, all: &[PolicyChange], catalog: Option<&Catalog>) -> Result<Vec<PolicyChange>> {
        let counts = |change: &PolicyChange| {
            change.kind.is_effective() || (change.kind == PolicyChangeKind::Lapse && self.take_back)
        };
        if self.is_all() {
            return Ok(all.iter().filter(|change| counts(change)).cloned().collect());
        }
        let chosen: Vec<&PolicyChange> =
            all.iter().filter(|change| counts(change) && self.names(change)).collect();
        let groups: HashSet<String> =
            chosen.iter().filter_map(|change| change.group.as_deref()).map(key).collect();
        let mut eulas = HashSet::new();
        if let Some(catalog) = catalog {
            for update in chosen.iter().filter_map(|change| change.update) {
                eulas.extend(catalog.newest(update)?.and_then(|revision| revision.eula_id));
            }
        }
        let needed = |change: &&PolicyChange| match change.kind {
            PolicyChangeKind::CreateGroup => {
                change.group.as_deref().is_some_and(|group| groups.contains(&key(group)))
            }
            PolicyChangeKind::AcceptEula => {
                change.detail.as_ref().is_some_and(|eula| eulas.contains(eula))
            }
            _ => false,
        };
        Ok(all.iter().filter(needed).chain(chosen).cloned().collect())
    }
}

/// What came of a decision on a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyDecision {
    /// What was changed, or kept as it is.
    pub changes: Vec<PolicyChange>,
    /// A policy is still held.
    pub held: bool,
    /// What it would still change.
    pub remaining: Vec<PolicyChange>,
}

/// Lets a held policy take effect, or the chosen part of it.
///
/// # Errors
/// When none is held, nothing is chosen by that, or a store fails.
pub fn policy_accept(
    data: &DataDir,
    choice: &PolicyChoice,
    now: Timestamp,
) -> Result<PolicyDecision> {
    side::isolated(data)?;
    let _lock = trust::lock(data)?;
    let catalog = Catalog::open(&data.catalog())?;
    let mut fleet = Fleet::open(&data.fleet())?;
    fleet.at_once(|fleet| {
        let held = fleet.policy(PolicyState::Held)?;
        // What got lost can be taken back when nothing is held, too.
        let stored = match (held, choice.take_back) {
            (Some(held), _) => held,
            (None, true) => fleet.policy(PolicyState::Applied)?.ok_or_else(nothing_held)?,
            (None, false) => return Err(nothing_held()),
        };
        let policy = read(&stored)?;
        let all = plan(fleet, &policy, false)?;
        let changes = some(choice.pick(&all, Some(&catalog))?, choice)?;
        perform(fleet, &changes, now)?;
        settle(fleet, stored, &policy, choice.is_all(), changes, now)
    })
}

/// Refuses a held policy; or decides for the chosen part of it that things stay as they are, which
/// no later policy changes.
///
/// # Errors
/// When none is held, nothing is chosen by that, or a store fails.
pub fn policy_reject(
    data: &DataDir,
    choice: &PolicyChoice,
    now: Timestamp,
) -> Result<PolicyDecision> {
    side::isolated(data)?;
    let _lock = trust::lock(data)?;
    let mut fleet = Fleet::open(&data.fleet())?;
    fleet.at_once(|fleet| {
        let stored = fleet.policy(PolicyState::Held)?.ok_or_else(nothing_held)?;
        let policy = read(&stored)?;
        let all = plan(fleet, &policy, false)?;
        if choice.is_all() {
            fleet.store_policy(PolicyState::Rejected, &stored)?;
            let changes = effective(&all);
            return Ok(PolicyDecision { changes, held: false, remaining: Vec::new() });
        }
        let changes = some(choice.pick(&all, None)?, choice)?;
        keep(fleet, &changes, now)?;
        settle(fleet, stored, &policy, false, changes, now)
    })
}

/// Lets local decisions on an update go, for one group or for all, and follows the policy that is in
/// effect (and, on the connected side, the rules when they are run).
///
/// # Errors
/// When a store fails.
pub fn policy_release(
    data: &DataDir,
    update: UpdateId,
    group: Option<Uuid>,
    now: Timestamp,
) -> Result<PolicyDecision> {
    let _lock = trust::lock(data)?;
    let mut fleet = Fleet::open(&data.fleet())?;
    fleet.at_once(|fleet| {
        let groups = fleet.groups()?;
        let groups: Vec<_> =
            groups.into_iter().filter(|one| group.is_none_or(|id| id == one.id)).collect();
        let mut any = false;
        for group in &groups {
            any |= fleet.release(update, group.id)?;
        }
        if group.is_none() {
            any |= fleet.release_decline(update)?;
        }
        if !any {
            return Err(TransferError::Unfit {
                what: format!(
                    "nobody here has decided on {update} for that: `tidegate policy show` lists local decisions"
                ),
            });
        }
        let mut changes = Vec::new();
        if let Some(stored) = fleet.policy(PolicyState::Applied)? {
            let choice = PolicyChoice {
                updates: vec![update],
                groups: match group {
                    Some(_) => groups.into_iter().map(|group| group.name).collect(),
                    None => Vec::new(),
                },
                take_back: false,
            };
            changes = choice.pick(&plan(fleet, &read(&stored)?, false)?, None)?;
            perform(fleet, &changes, now)?;
        }
        let held = fleet.policy(PolicyState::Held)?.is_some();
        Ok(PolicyDecision { changes, held, remaining: Vec::new() })
    })
}

/// What the held policy would change; with bundles, the policy of the newest of them, of which only
/// the signed heads are read.
///
/// # Errors
/// When a bundle is refused, or a store fails.
pub fn policy_diff(
    data: &DataDir,
    bundles: &[PathBuf],
    now: Timestamp,
) -> Result<Vec<PolicyChange>> {
    let site = side::isolated(data)?;
    let fleet = Fleet::open(&data.fleet())?;
    if bundles.is_empty() {
        let stored = match fleet.policy(PolicyState::Held)? {
            Some(held) => Some(held),
            None => fleet.policy(PolicyState::Applied)?,
        };
        return match stored {
            Some(stored) => plan(&fleet, &read(&stored)?, false),
            None => Ok(Vec::new()),
        };
    }
    let state = trust::load_state(data)?;
    let expect = Expectation { site: Some(site), now, refuse_expired: false };
    let mut newest: Option<(u64, Policy)> = None;
    for path in read::find(bundles)? {
        let verified = read::open(&path, &state, &expect, &BundleLimits::default())?.verified;
        let number = verified.index.snapshot;
        if newest.as_ref().is_none_or(|(known, _)| number > *known) {
            newest = Some((number, verified.policy));
        }
    }
    match newest {
        Some((_, policy)) => plan(&fleet, &policy, false),
        None => Ok(Vec::new()),
    }
}

/// How it stands with policies and local decisions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyOverview {
    /// The policy that was applied last.
    pub applied: Option<PolicySummary>,
    /// The one that waits for a person.
    pub held: Option<PolicySummary>,
    /// The one that a person has refused, if nothing has come since.
    pub rejected: Option<PolicySummary>,
    /// What was decided here, and no policy changes.
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
    /// The group, if it is about one.
    pub group: Option<String>,
    /// The action, `keep-unapproved`, `declined` or `not-declined`.
    pub decision: &'static str,
    /// By when it has to be installed.
    pub deadline: Option<Timestamp>,
}

/// How it stands with policies and local decisions.
///
/// # Errors
/// When a store fails.
pub fn policy_show(data: &DataDir) -> Result<PolicyOverview> {
    let fleet = Fleet::open(&data.fleet())?;
    let summary = |state| match fleet.policy(state)? {
        Some(stored) => summary(&stored).map(Some),
        None => Ok(None),
    };
    Ok(PolicyOverview {
        applied: summary(PolicyState::Applied)?,
        held: summary(PolicyState::Held)?,
        rejected: summary(PolicyState::Rejected)?,
        local: local(&fleet)?,
    })
}

fn summary(stored: &StoredPolicy) -> Result<PolicySummary> {
    let policy = read(stored)?;
    let made = |name: &str| {
        policy.approvals.iter().filter(|a| a.rule.as_deref() == Some(name)).count() as u64
    };
    let rules = policy.rules.iter().map(|rule| {
        let text = rule.text.chars().filter(|c| !c.is_control()).take(4096).collect();
        (PolicyRule { name: clean(&rule.name), text }, made(&rule.name))
    });
    Ok(PolicySummary {
        snapshot: stored.snapshot,
        since: stored.received,
        approvals: policy.approvals.len() as u64,
        declined: policy.declined.len() as u64,
        rules: rules.collect(),
    })
}

fn local(fleet: &Fleet) -> std::result::Result<Vec<LocalDecision>, FleetError> {
    let groups = fleet.groups()?;
    let name = |id: Uuid| groups.iter().find(|group| group.id == id).map(|g| g.name.clone());
    let mut all = Vec::new();
    for approval in fleet.approvals()? {
        if approval.origin == Origin::Local && approval.rule.is_none() {
            all.push(LocalDecision {
                update: approval.update,
                group: name(approval.group),
                decision: approval.action.name(),
                deadline: approval.deadline,
            });
        }
    }
    let of = |update, group, decision| LocalDecision { update, group, decision, deadline: None };
    for one in fleet.withdrawn_approvals()?.into_iter().filter(|one| one.by_person) {
        all.push(of(one.update, name(one.group), "keep-unapproved"));
    }
    for (update, origin) in fleet.declines()? {
        if origin == Origin::Local {
            all.push(of(update, None, "declined"));
        }
    }
    all.extend(fleet.undeclined()?.into_iter().map(|update| of(update, None, "not-declined")));
    all.sort_by(|a, b| (a.update, &a.group).cmp(&(b.update, &b.group)));
    Ok(all)
}

/// A held policy of which nothing is left has taken effect.
fn settle(
    fleet: &mut Fleet,
    stored: StoredPolicy,
    policy: &Policy,
    whole: bool,
    changes: Vec<PolicyChange>,
    now: Timestamp,
) -> Result<PolicyDecision> {
    let remaining = plan(fleet, policy, false)?;
    let held = !whole && is_effective(&remaining);
    if !held {
        fleet.store_policy(PolicyState::Applied, &StoredPolicy { received: now, ..stored })?;
    }
    Ok(PolicyDecision { changes, held, remaining })
}

fn is_effective(changes: &[PolicyChange]) -> bool {
    changes.iter().any(|change| change.kind.is_effective())
}

fn effective(changes: &[PolicyChange]) -> Vec<PolicyChange> {
    changes.iter().filter(|change| change.kind.is_effective()).cloned().collect()
}

fn some(changes: Vec<PolicyChange>, choice: &PolicyChoice) -> Result<Vec<PolicyChange>> {
    if changes.is_empty() && !choice.is_all() {
        return Err(TransferError::Unfit {
            what: "the policy would change nothing of that: `tidegate policy diff` lists what it would change".to_owned(),
        });
    }
    Ok(changes)
}

fn nothing_held() -> TransferError {
    TransferError::Unfit {
        what: "no policy is held: there is nothing to decide on (`tidegate policy show`)"
            .to_owned(),
    }
}

fn read(stored: &StoredPolicy) -> Result<Policy> {
    serde_json::from_str(&stored.json).map_err(|e| {
        TransferError::refused_by(
            format!("the policy of snapshot {} that is kept here cannot be read", stored.snapshot),
            e,
        )
    })
}
