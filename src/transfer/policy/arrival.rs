//! A policy arrives with a snapshot: it takes effect, or is held until a person has seen what it
//! would change.

use bundle_format::policy::Policy;
use jiff::Timestamp;

use super::{
    change::{PolicyChange, PolicyChangeKind, any_effective, effective},
    diff::plan,
    perform::perform,
};
use crate::{
    fleet::{Fleet, PolicyState, StoredPolicy},
    transfer::error::TransferError,
};

type Result<T> = std::result::Result<T, TransferError>;

/// A policy that comes with the snapshot in force.
pub(in crate::transfer) struct PolicyArrival<'a> {
    /// What it says.
    pub(in crate::transfer) policy: &'a Policy,
    /// The snapshot that it came with.
    pub(in crate::transfer) snapshot: u64,
    /// Let it wait for a person, if it would change anything.
    pub(in crate::transfer) hold: bool,
    /// See [`plan`].
    pub(in crate::transfer) exact: bool,
}

/// Applies a policy, or holds it. Gives what it changes (if held: would change), and whether it is
/// held.
pub(in crate::transfer) fn apply_or_hold(
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
        let held = hold && any_effective(&changes);
        if held {
            fleet.store_policy(PolicyState::Held, &stored)?;
        } else {
            perform(fleet, &effective(&changes), now)?;
            fleet.store_policy(PolicyState::Applied, &stored)?;
        }
        Ok((changes, held))
    })
}

/// A warning of approvals that the policy lacks without saying that they were taken back.
pub(in crate::transfer) fn lapse_warning(changes: &[PolicyChange]) -> Option<String> {
    let lapsed = changes.iter().filter(|change| change.kind == PolicyChangeKind::Lapse).count();
    (lapsed > 0).then(|| {
        format!(
            "the policy no longer has {lapsed} approvals of earlier ones, but does not say that they were taken back: they stay. Ask the connected side; `tidegate policy accept --take-back` takes them back"
        )
    })
}
