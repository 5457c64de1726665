//! A person decides on a policy: it takes effect, is refused, or local decisions are withdrawn. Every
//! step is one transaction of the fleet.

use bundle_format::{
    limits::BundleLimits,
    policy::Policy,
    trust::{Expectation, check_head},
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{
    change::{PolicyChange, any_effective, effective},
    choice::PolicyChoice,
    diff::plan,
    perform::{keep_as_is, perform},
    stored_policy::parse,
};
use crate::{
    catalog::Catalog,
    data_dir::DataDir,
    fleet::{Fleet, PolicyState, StoredPolicy},
    transfer::{
        error::TransferError,
        store::{heads, side, trust},
    },
    update::UpdateId,
};

type Result<T> = std::result::Result<T, TransferError>;

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
/// When no policy is held, the choice covers no change, or a store fails.
pub fn policy_accept(
    data: &DataDir,
    choice: &PolicyChoice,
    now: Timestamp,
) -> Result<PolicyDecision> {
    let site = side::require_isolated(data)?;
    let _lock = trust::lock(data)?;
    let catalog = Catalog::open(&data.catalog())?;
    let mut fleet = Fleet::open(&data.fleet())?;
    fleet.at_once(|fleet| {
        let held = fleet.policy(PolicyState::Held)?;
        if let Some(held) = &held {
            refuse_revoked(data, site, held, now)?;
        }
        // Lapsed approvals can be taken back when nothing is held, too.
        let stored = match (held, choice.take_back) {
            (Some(held), _) => held,
            (None, true) => fleet.policy(PolicyState::Applied)?.ok_or_else(nothing_held)?,
            (None, false) => return Err(nothing_held()),
        };
        let policy = parse(&stored)?;
        let all = plan(fleet, &policy, false)?;
        let changes = require_changes(choice.pick(&all, Some(&catalog))?, choice)?;
        perform(fleet, &changes, now)?;
        conclude(fleet, stored, &policy, choice.is_all(), changes, now)
    })
}

/// Refuses the policy of a snapshot that keys have signed which a root revokes that was seen since.
fn refuse_revoked(data: &DataDir, site: &str, held: &StoredPolicy, now: Timestamp) -> Result<()> {
    let snapshot = held.snapshot;
    let state = trust::load_state(data)?;
    if state.before_newest_root().is_none() && !state.is_root_replaced() {
        return Ok(());
    }
    let expect = Expectation { site: Some(site), now, refuse_expired: false };
    let head = heads::load(data, snapshot)?;
    let what = format!(
        "the policy that is held came with snapshot {snapshot}, whose keys have been revoked since: nothing of it takes effect. Import a bundle that the new keys have signed"
    );
    let verified = check_head(&state, &head, &expect, &BundleLimits::default())
        .map_err(|source| TransferError::refused_by(&what, source))?;
    // Another snapshot of this number may have come since: its signatures say nothing of this policy.
    if verified.policy == parse(held)? { Ok(()) } else { Err(TransferError::refused(what)) }
}

/// Refuses a held policy; or decides for the chosen part of it that things stay as they are, which
/// no later policy changes.
///
/// # Errors
/// When no policy is held, the choice covers no change, or a store fails.
pub fn policy_reject(
    data: &DataDir,
    choice: &PolicyChoice,
    now: Timestamp,
) -> Result<PolicyDecision> {
    side::require_isolated(data)?;
    let _lock = trust::lock(data)?;
    let mut fleet = Fleet::open(&data.fleet())?;
    fleet.at_once(|fleet| {
        let stored = fleet.policy(PolicyState::Held)?.ok_or_else(nothing_held)?;
        let policy = parse(&stored)?;
        let all = plan(fleet, &policy, false)?;
        if choice.is_all() {
            fleet.store_policy(PolicyState::Rejected, &stored)?;
            let changes = effective(&all);
            return Ok(PolicyDecision { changes, held: false, remaining: Vec::new() });
        }
        let changes = require_changes(choice.pick(&all, None)?, choice)?;
        keep_as_is(fleet, &changes, now)?;
        conclude(fleet, stored, &policy, false, changes, now)
    })
}

/// Withdraws local decisions on an update, for one group or for all, and follows the policy that is in
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
        let mut released = false;
        for group in &groups {
            released |= fleet.release(update, group.id)?;
        }
        if group.is_none() {
            released |= fleet.release_decline(update)?;
        }
        if !released {
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
            changes = choice.pick(&plan(fleet, &parse(&stored)?, false)?, None)?;
            perform(fleet, &changes, now)?;
        }
        let held = fleet.policy(PolicyState::Held)?.is_some();
        Ok(PolicyDecision { changes, held, remaining: Vec::new() })
    })
}

/// Notes the policy as applied, if nothing of it is left to decide on.
fn conclude(
    fleet: &mut Fleet,
    stored: StoredPolicy,
    policy: &Policy,
    decided_all: bool,
    changes: Vec<PolicyChange>,
    now: Timestamp,
) -> Result<PolicyDecision> {
    let remaining = plan(fleet, policy, false)?;
    let held = !decided_all && any_effective(&remaining);
    if !held {
        fleet.store_policy(PolicyState::Applied, &StoredPolicy { received: now, ..stored })?;
    }
    Ok(PolicyDecision { changes, held, remaining })
}

/// Refuses a choice that covers no change.
fn require_changes(changes: Vec<PolicyChange>, choice: &PolicyChoice) -> Result<Vec<PolicyChange>> {
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
