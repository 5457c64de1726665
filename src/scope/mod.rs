//! What does this agent need? Pure: no I/O, no clock, no protocol messages. [MS-WUSP] 3.1.5.7
//!
//! | module | what it owns |
//! |---|---|
//! | [`Graph`] | all revisions as dense integers: prerequisites, bundled revisions, leaves, files |
//! | [`Decisions`] | approvals, declines and licences; which of several approvals counts |
//! | [`deploy`] | what a set of target groups is deployed, and with which action |
//! | [`Scope`] | the answer to one SyncUpdates: new, out of scope, changed |
//!
//! # What is deployed
//!
//! 1. Of several approvals of one update, [`Decisions::resolve`] picks one for a set of groups.
//! 2. The newest revision of the update gets that action, unless the update is declined; or it is
//!    expired and not to be removed; or its licence is not accepted and it is to be installed. An
//!    update that is to be installed while files of it are not here is only evaluated and reported
//!    (`PreDeploymentCheck`), without deadline. [`obstacle`] says which of these it is. Members in
//!    languages that are not carried hold up no bundle, and alternatives of them are not deployed.
//! 3. Whatever is deployed brings the exact revisions that it bundles as `Bundle` and the newest
//!    revision of every prerequisite alternative as `Evaluate`, at any depth. Nothing becomes
//!    `Install` by being required. Declines and expiry do not count here: an update that is only
//!    evaluated is offered to nobody, but others may wait for it.
//! 4. What has several roles gets the strongest, in the order of [`Action`]; of several revisions
//!    of one update stays the one with the strongest action, then the newest. So the revision that
//!    a deployed update bundles stands against a newer one that is merely required.

mod decisions;
mod deploy;
mod graph;
mod members;
mod revision;
mod sync;
mod table;
#[cfg(test)]
mod tests;

pub use decisions::{Approval, Decision, Decisions, Groups};
pub use deploy::{Action, DeployedRevision, Obstacle, category_closure, deploy, obstacle};
pub use graph::Graph;
pub use revision::{FileState, Revision};
pub use sync::{AgentQuery, Answer, ChangeMarks, PageLimits, Scope};
