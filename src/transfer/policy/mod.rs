//! The fleet's decisions ↔ the policy of a bundle.
//!
//! | file | what it owns |
//! |---|---|
//! | `gather` | connected side: the policy that goes into a snapshot |
//! | `diff` | what a policy would change here |
//! | `decide` | what a person decides about a policy that waits |
//! | `perform` | the changes, made |
//! | `change` | the words for them |
//!
//! What a policy would change is found by comparing it with the fleet as it is, so it does not
//! matter which policies came before, or whether a run was killed. What an administrator here decided
//! stays, whatever comes.

pub(super) mod change;
pub(super) mod decide;
pub(super) mod diff;
pub(super) mod gather;
mod perform;
