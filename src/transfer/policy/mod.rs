//! The fleet's decisions ↔ the policy of a bundle.
//!
//! | file | what it owns |
//! |---|---|
//! | `gather` | connected side: the policy that goes into a snapshot |
//! | `diff` | what a policy would change here |
//! | `arrival` | a policy that arrives takes effect, or is held |
//! | `preview` | what a policy would change, for a person |
//! | `decide`, `choice` | what a person decides about a policy that waits, and about which part |
//! | `overview` | the policies and local decisions that there are |
//! | `stored_policy` | a policy as the fleet keeps it |
//! | `perform` | the changes, made |
//! | `change` | the words for them |
//! | `unneeded` | payloads that nobody needs after what was decided |
//!
//! What a policy would change is found by comparing it with the fleet as it is, so it does not
//! matter which policies came before, or whether a run was killed. What an administrator here decided
//! stays, whatever comes.

pub(super) mod arrival;
pub(super) mod change;
pub(super) mod choice;
pub(super) mod decide;
pub(super) mod diff;
pub(super) mod gather;
pub(super) mod overview;
mod perform;
pub(super) mod preview;
pub(crate) mod stored_policy;
pub(super) mod unneeded;
