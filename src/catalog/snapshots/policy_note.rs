//! Switch: which snapshot's policy the fleet has. The two databases have no transaction in common, so
//! the catalogue notes here what the fleet has got: after the switch, and after the policy.

use crate::catalog::{
    error::CatalogError,
    reader::Catalog,
    snapshots::snapshot::{SnapshotRow, SnapshotState},
    writer::CatalogWriter,
};

/// Name of the note of the snapshot whose policy was applied or is held. Its value is the number.
const POLICY_APPLIED_OF: &str = "policy-applied-of";

/// Value of the note when the count of snapshots began anew: approvals of earlier policies are then
/// taken back, even if the new policy does not say so.
const STARTED_OVER: &str = "";

/// Name of the note of the snapshot whose policy has to wait for a person. Its value is the number.
const POLICY_TO_HOLD: &str = "policy-to-hold";

impl Catalog {
    /// The snapshot in force.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn in_force(&self) -> Result<Option<SnapshotRow>, CatalogError> {
        Ok(self.snapshots()?.into_iter().find(|row| row.state == SnapshotState::InForce))
    }

    /// The snapshot in force, if its import ended before its policy was applied or held: it must not
    /// be served with the policy of another one.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn awaits_policy(&self) -> Result<Option<u64>, CatalogError> {
        let applied_of = self.note(POLICY_APPLIED_OF)?;
        let Some(row) = self.in_force()? else { return Ok(None) };
        Ok((applied_of != Some(row.number.to_string())).then_some(row.number))
    }

    /// The snapshot in force, which has its policy; `None` before the first one.
    ///
    /// # Errors
    /// [`CatalogError::AwaitsPolicy`] between a switch and its policy; otherwise when SQLite fails.
    pub fn in_force_with_policy(&self) -> Result<Option<SnapshotRow>, CatalogError> {
        let in_force = self.in_force()?;
        match self.awaits_policy()? {
            Some(snapshot) => Err(CatalogError::AwaitsPolicy { snapshot }),
            None => Ok(in_force),
        }
    }

    /// Whether the count of snapshots began anew with the one that awaits its policy.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn policy_starts_over(&self) -> Result<bool, CatalogError> {
        Ok(self.note(POLICY_APPLIED_OF)?.as_deref() == Some(STARTED_OVER))
    }

    /// Whether the policy of this snapshot has to wait for a person.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn is_policy_to_hold(&self, snapshot: u64) -> Result<bool, CatalogError> {
        Ok(self.note(POLICY_TO_HOLD)? == Some(snapshot.to_string()))
    }
}

impl CatalogWriter<'_> {
    /// Notes that the policy of this snapshot was applied or is held.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn set_policy_applied(&mut self, snapshot: u64) -> Result<(), CatalogError> {
        self.set_note(POLICY_APPLIED_OF, &snapshot.to_string()).map(drop)
    }

    /// Notes that the count of snapshots began anew: no policy of it was applied yet.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn set_policy_starts_over(&mut self) -> Result<(), CatalogError> {
        self.set_note(POLICY_APPLIED_OF, STARTED_OVER).map(drop)
    }

    /// Notes whether the policy of this snapshot has to wait for a person, so that whoever finishes
    /// its import keeps to it.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn set_policy_to_hold(&mut self, snapshot: u64, hold: bool) -> Result<(), CatalogError> {
        let number = if hold { snapshot.to_string() } else { String::new() };
        self.set_note(POLICY_TO_HOLD, &number).map(drop)
    }
}
