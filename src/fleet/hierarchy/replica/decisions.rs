//! What an upstream server decided, and what taking it over did.

use jiff::Timestamp;
use rusqlite::Connection;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    fleet::{decisions::approvals::ApprovalAction, meta::touch},
    update::{UpdateId, UpdateIdentity},
};

/// Groups that are taken over; more are refused.
pub(super) const GROUPS: usize = 10_000;

/// Deployments that are kept, and updates that may be hidden.
pub(super) const DEPLOYMENTS: usize = 1_000_000;

/// What an upstream server decided, from its answers.
#[derive(Debug, Clone, Default)]
pub struct UpstreamDecisions {
    /// Its address.
    pub upstream: String,
    /// For the next question.
    pub anchor: String,
    /// The answer holds everything, not only what changed since the last one.
    pub whole: bool,
    /// All groups.
    pub groups: Vec<UpstreamGroup>,
    /// Deployments that changed.
    pub deployments: Vec<UpstreamDeployment>,
    /// Deployments that were removed.
    pub dead: Vec<Uuid>,
    /// All updates that are declined.
    pub hidden: Vec<UpdateId>,
    /// All licences that are accepted.
    pub accepted_eulas: Vec<Uuid>,
}

/// A target group of the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamGroup {
    /// Its id, which is ours too.
    pub id: Uuid,
    /// The group around it; nil at the top.
    pub parent: Uuid,
    /// Its name.
    pub name: String,
}

/// An approval of the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamDeployment {
    /// By which it is changed or deleted later.
    pub id: Uuid,
    /// Of which revision.
    pub identity: UpdateIdentity,
    /// For which group.
    pub group: Uuid,
    /// What to do.
    pub action: ApprovalAction,
    /// By when.
    pub deadline: Option<Timestamp>,
    /// Who approved.
    pub admin: String,
    /// Since when.
    pub go_live: Timestamp,
    /// 1 low to 3 high.
    pub priority: u8,
}

/// What taking over did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReplicaReport {
    /// Anything is different from before.
    pub changed: bool,
    /// Groups that are new, renamed or moved.
    pub groups_changed: u64,
    /// Groups that were removed.
    pub groups_removed: u64,
    /// Approvals that are new or different.
    pub approvals_changed: u64,
    /// Approvals that were removed.
    pub approvals_removed: u64,
    /// Updates that are declined now.
    pub declined: u64,
    /// Updates that no longer are.
    pub no_longer_declined: u64,
    /// What could not be taken over as the upstream has it.
    pub notes: Vec<String>,
}

/// The change mark of a transaction: one for all that it changes, none if nothing does.
pub(super) struct ChangeMark<'a> {
    pub(super) db: &'a Connection,
    pub(super) mark: Option<u64>,
}

impl ChangeMark<'_> {
    pub(super) fn get(&mut self) -> rusqlite::Result<u64> {
        match self.mark {
            Some(mark) => Ok(mark),
            None => Ok(*self.mark.insert(touch(self.db)?)),
        }
    }
}
