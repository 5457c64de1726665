//! Approvals, declines and accepted licences. An approval is for an update: its newest revision is
//! what is offered.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Fleet, Result};
use crate::update::UpdateId;

/// What an approval asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalAction {
    /// Offer and install.
    Install,
    /// Offer, never by itself.
    OptionalInstall,
    /// Remove.
    Uninstall,
    /// Do not offer; report whether it is needed (`PreDeploymentCheck`).
    Detect,
    /// Do not deploy, whatever a wider group says.
    Block,
}

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// An administrator of this store.
    Local,
    /// The policy part of a bundle.
    Policy,
}

/// An approval of an update for a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// The update.
    pub update: UpdateId,
    /// The group.
    pub group: Uuid,
    /// What to do.
    pub action: ApprovalAction,
    /// By when it has to be installed.
    pub deadline: Option<Timestamp>,
    /// Who decided.
    pub origin: Origin,
    /// When.
    pub changed: Timestamp,
    /// The change counter then.
    pub change: u64,
}

impl Fleet {
    /// Approves an update for a group, or changes the approval; true if that changed anything. An
    /// approval takes back a decline of the same origin. A `Policy` one never replaces a `Local` one.
    ///
    /// # Errors
    /// When there is no such group.
    pub fn approve(
        &mut self,
        update: UpdateId,
        group: Uuid,
        action: ApprovalAction,
        deadline: Option<Timestamp>,
        origin: Origin,
        now: Timestamp,
    ) -> Result<bool> {
        let _ = (update, group, action, deadline, origin, now);
        unimplemented!()
    }

    /// Takes an approval back; true if there was one.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn unapprove(&mut self, update: UpdateId, group: Uuid) -> Result<bool> {
        let _ = (update, group);
        unimplemented!()
    }

    /// All approvals, by update, then group.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn approvals(&self) -> Result<Vec<Approval>> {
        unimplemented!()
    }

    /// Declines an update: it is offered to nobody, its approvals go; true if that changed anything.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn decline(&mut self, update: UpdateId, origin: Origin, now: Timestamp) -> Result<bool> {
        let _ = (update, origin, now);
        unimplemented!()
    }

    /// Takes a decline back; true if there was one.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn undecline(&mut self, update: UpdateId) -> Result<bool> {
        let _ = update;
        unimplemented!()
    }

    /// Declined updates, sorted.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn declined(&self) -> Result<Vec<UpdateId>> {
        unimplemented!()
    }

    /// Records that the administrator accepted a licence on behalf of the computers.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn accept_eula(&mut self, eula_id: &str, now: Timestamp) -> Result<bool> {
        let _ = (eula_id, now);
        unimplemented!()
    }

    /// Accepted licences, sorted.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn accepted_eulas(&self) -> Result<Vec<String>> {
        unimplemented!()
    }
}
