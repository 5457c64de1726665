//! Policies of snapshots: the one that was applied last, and one that waits for a person.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use crate::{
    fleet::{database::Fleet, error::FleetError},
    sqlite::{int, moment, moment_at, u64_at},
};

/// What has become of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyState {
    /// It has taken effect.
    Applied,
    /// It waits for a person.
    Held,
    /// A person has refused it.
    Rejected,
}

/// A policy as the fleet keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPolicy {
    /// Of which snapshot.
    pub snapshot: u64,
    /// The policy, as JSON of the bundle format.
    pub json: String,
    /// When it came into this state.
    pub received: Timestamp,
}

impl Fleet {
    /// The policy in this state, if any.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn policy(&self, state: PolicyState) -> Result<Option<StoredPolicy>, FleetError> {
        self.read("read a policy", |db| {
            Ok(db
                .prepare_cached("SELECT snapshot, json, received FROM policy WHERE state = ?1")?
                .query_row([name(state)], |row| {
                    Ok(StoredPolicy {
                        snapshot: u64_at(row, 0)?,
                        json: row.get(1)?,
                        received: moment_at(row, 2)?,
                    })
                })
                .optional()?)
        })
    }

    /// Whether the policy of a snapshot was applied, held or rejected here.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn has_seen_policy_of(&self, snapshot: u64) -> Result<bool, FleetError> {
        self.read("look for a policy", |db| {
            Ok(db
                .prepare_cached("SELECT 1 FROM policy WHERE snapshot = ?1")?
                .exists([int(snapshot)])?)
        })
    }

    /// Stores a policy. One that is held, or was rejected, is replaced.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn store_policy(
        &mut self,
        state: PolicyState,
        policy: &StoredPolicy,
    ) -> Result<(), FleetError> {
        self.write("keep a policy", |db| {
            db.execute("DELETE FROM policy WHERE state IN ('held', 'rejected')", [])?;
            db.execute(
                "INSERT INTO policy (state, snapshot, json, received) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (state) DO UPDATE SET snapshot = ?2, json = ?3, received = ?4",
                params![name(state), int(policy.snapshot), policy.json, moment(policy.received)],
            )?;
            Ok(())
        })
    }
}

fn name(state: PolicyState) -> &'static str {
    match state {
        PolicyState::Applied => "applied",
        PolicyState::Held => "held",
        PolicyState::Rejected => "rejected",
    }
}
