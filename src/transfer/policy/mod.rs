//! The fleet's decisions ↔ the policy of a bundle.
//!
//! What a policy would change is found by comparing it with the fleet as it is, so it does not
//! matter which policies came before, or whether a run was killed. What an administrator here decided
//! stays, whatever comes.

mod change;
mod decide;
mod diff;
mod gather;
mod perform;

pub(super) use self::decide::{Arrival, arrive, lapse_warning};
pub use self::decide::{
    LocalDecision, PolicyChoice, PolicyDecided, PolicyOverview, PolicySummary, policy_accept,
    policy_diff, policy_reject, policy_release, policy_show,
};
pub(super) use self::diff::plan;
pub use change::{PolicyChange, PolicyChangeKind, PolicyWas};
pub(super) use gather::gather;
