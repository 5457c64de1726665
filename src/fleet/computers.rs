//! Computers.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{Fleet, Result};

/// A computer as lists show it. All of it is what the computer said of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Computer {
    /// `clientId`.
    pub id: String,
    /// DNS name.
    pub dns_name: String,
    /// Group asked for by client-side targeting.
    pub requested_group: Option<String>,
    /// What RegisterComputer said, JSON.
    pub details: Option<serde_json::Value>,
    /// Groups that it is in itself (without ancestors); Unassigned Computers if none.
    pub groups: Vec<Uuid>,
    /// When it first came.
    pub first_seen: Timestamp,
    /// When it last came.
    pub last_seen: Timestamp,
    /// Its last SyncUpdates.
    pub last_sync: Option<Timestamp>,
    /// Its last report.
    pub last_report: Option<Timestamp>,
}

/// What a computer just did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    /// Anything but the following.
    Seen,
    /// SyncUpdates.
    Synced,
    /// ReportEventBatch.
    Reported,
}

impl Fleet {
    /// A computer presents itself (GetAuthorizationCookie). If `requested_group` names a group and
    /// no administrator has put the computer elsewhere, it joins that group (the first that exists
    /// of several names divided by `;`).
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn hello(
        &mut self,
        id: &str,
        dns_name: &str,
        requested_group: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        let _ = (id, dns_name, requested_group, now);
        unimplemented!()
    }

    /// Keeps what RegisterComputer said.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn register(
        &mut self,
        id: &str,
        details: &serde_json::Value,
        now: Timestamp,
    ) -> Result<()> {
        let _ = (id, details, now);
        unimplemented!()
    }

    /// Notes a contact.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn contact(&mut self, id: &str, contact: Contact, now: Timestamp) -> Result<()> {
        let _ = (id, contact, now);
        unimplemented!()
    }

    /// Whether RegisterComputer has been called for it.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn is_registered(&self, id: &str) -> Result<bool> {
        let _ = id;
        unimplemented!()
    }

    /// All computers, by name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn computers(&self) -> Result<Vec<Computer>> {
        unimplemented!()
    }

    /// The groups of a computer with all ancestors, sorted by id; those of an unassigned computer
    /// if it is not known.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn groups_of(&self, id: &str) -> Result<Vec<Uuid>> {
        let _ = id;
        unimplemented!()
    }

    /// Puts a computer (by id or DNS name) into exactly these groups; none means unassigned.
    ///
    /// # Errors
    /// When there is no such computer or group.
    pub fn assign(&mut self, id_or_name: &str, groups: &[Uuid]) -> Result<()> {
        let _ = (id_or_name, groups);
        unimplemented!()
    }

    /// Forgets a computer.
    ///
    /// # Errors
    /// When there is no such computer.
    pub fn remove_computer(&mut self, id_or_name: &str) -> Result<()> {
        let _ = id_or_name;
        unimplemented!()
    }
}
