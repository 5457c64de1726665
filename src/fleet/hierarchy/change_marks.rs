//! Approvals as replicas get them: deployments with ids of their own, and tombstones of those that
//! were removed. [MS-WSUSSS] 3.1.4.10
//!
//! A replica keeps the change mark of the last answer, and next time gets what changed after it. The
//! newest [`TOMBSTONES_KEPT`] tombstones are kept: a replica whose mark is older has to ask for
//! everything ([`ReplicaChanges::Forgotten`]).

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params, types::Type};
use uuid::Uuid;

use crate::{
    fleet::{
        database::Fleet,
        decisions::approvals::ApprovalAction,
        error::FleetError,
        meta::{count, counter, value},
    },
    sqlite::{bad_column, int, moment, moment_at, optional_moment_at, u64_at, update_at, uuid_at},
    update::{UpdateId, UpdateIdentity},
};

/// Tombstones that are kept: more approvals than are withdrawn in the life of a server.
pub const TOMBSTONES_KEPT: u32 = 100_000;

/// Counts the changes of what replicas get.
const COUNTER: &str = "replicated";
/// The greatest mark of a tombstone that was dropped.
const FORGOTTEN: &str = "replicated-forgotten";

/// An approval as replicas shall know it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicatedApproval {
    /// The revision to deploy.
    pub identity: UpdateIdentity,
    /// The catalogue's change mark of this revision.
    pub revision_change: u64,
    /// For whom.
    pub group: Uuid,
    /// What to do.
    pub action: ApprovalAction,
    /// By when.
    pub deadline: Option<Timestamp>,
    /// Since when it is approved.
    pub go_live: Timestamp,
}

/// The same with its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicatedDeployment {
    /// Its id as long as it lives.
    pub id: Uuid,
    /// What it says.
    pub approval: ReplicatedApproval,
    /// Its mark.
    pub change: u64,
}

/// What a replica gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplicaChanges {
    /// What changed after its mark.
    Changes {
        /// Those that are new or say something else.
        deployments: Vec<ReplicatedDeployment>,
        /// Those that were removed.
        dead: Vec<Uuid>,
        /// The mark of the newest change.
        mark: u64,
    },
    /// Its mark is from further back than tombstones are kept, or from a future that this database
    /// does not know: it has to ask for everything.
    Forgotten,
}

impl Fleet {
    /// Makes what replicas get equal to `approvals`, changes only what differs, and returns the mark
    /// of the newest change. An update is approved once for each group.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn replicate(&mut self, approvals: &[ReplicatedApproval]) -> Result<u64, FleetError> {
        self.write("record what replicas are told", |db| {
            let mut old = alive(db)?;
            let mut insert = db.prepare_cached(
                "INSERT INTO replicated (deployment_guid, update_id, group_id, revision_number,
                    revision_change, action, deadline, go_live, change)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (deployment_guid) DO UPDATE SET
                    revision_number = ?4, revision_change = ?5, action = ?6, deadline = ?7,
                    go_live = ?8, change = ?9",
            )?;
            for new in approvals {
                let before = old.remove(&(new.identity.id, new.group));
                if before.is_some_and(|before| before.approval == *new) {
                    continue;
                }
                insert.execute(params![
                    before.map_or_else(Uuid::new_v4, |before| before.id).as_bytes(),
                    new.identity.id.0.as_bytes(),
                    new.group.as_bytes(),
                    new.identity.revision,
                    int(new.revision_change),
                    new.action.name(),
                    new.deadline.map(moment),
                    moment(new.go_live),
                    int(count(db, COUNTER)?),
                ])?;
            }
            let mut bury = db.prepare_cached(
                "UPDATE replicated SET dead = 1, change = ?2 WHERE deployment_guid = ?1",
            )?;
            let any = !old.is_empty();
            for gone in old.into_values() {
                bury.execute(params![gone.id.as_bytes(), int(count(db, COUNTER)?)])?;
            }
            if any {
                forget(db)?;
            }
            Ok(mark(db, COUNTER)?)
        })
    }

    /// What changed after the mark `since`; 0: everything that there is, and every tombstone.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn replicated_since(&self, since: u64) -> Result<ReplicaChanges, FleetError> {
        self.read("read what replicas are told", |db| {
            let newest = mark(db, COUNTER)?;
            if since > newest || (since != 0 && since < mark(db, FORGOTTEN)?) {
                return Ok(ReplicaChanges::Forgotten);
            }
            let deployments = db
                .prepare_cached(&format!(
                    "{DEPLOYMENT} WHERE dead = 0 AND change > ?1 ORDER BY change"
                ))?
                .query_map([int(since)], deployment)?
                .collect::<rusqlite::Result<_>>()?;
            let dead = db
                .prepare_cached(
                    "SELECT deployment_guid FROM replicated WHERE dead = 1 AND change > ?1
                     ORDER BY change",
                )?
                .query_map([int(since)], |row| uuid_at(row, 0))?
                .collect::<rusqlite::Result<_>>()?;
            Ok(ReplicaChanges::Changes { deployments, dead, mark: newest })
        })
    }
}

/// Drops tombstones that nobody needs.
fn forget(db: &Connection) -> rusqlite::Result<()> {
    let kept = i64::from(TOMBSTONES_KEPT);
    let beyond: Option<i64> = db
        .prepare_cached(
            "SELECT max(change) FROM (
                SELECT change FROM replicated WHERE dead = 1 ORDER BY change DESC
                LIMIT -1 OFFSET ?1)",
        )?
        .query_row([kept], |row| row.get(0))?;
    if let Some(beyond) = beyond {
        db.execute("DELETE FROM replicated WHERE dead = 1 AND change <= ?1", [beyond])?;
        db.execute(
            "INSERT INTO meta (key, value) VALUES (?1, CAST(CAST(?2 AS TEXT) AS BLOB))
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            params![FORGOTTEN, beyond],
        )?;
    }
    Ok(())
}

const DEPLOYMENT: &str = "SELECT deployment_guid, update_id, group_id, revision_number,
    revision_change, action, deadline, go_live, change FROM replicated";

type LiveDeployments = HashMap<(UpdateId, Uuid), ReplicatedDeployment>;

fn alive(db: &Connection) -> rusqlite::Result<LiveDeployments> {
    db.prepare_cached(&format!("{DEPLOYMENT} WHERE dead = 0"))?
        .query_map([], deployment)?
        .map(|row| {
            let row = row?;
            Ok(((row.approval.identity.id, row.approval.group), row))
        })
        .collect()
}

fn deployment(row: &Row<'_>) -> rusqlite::Result<ReplicatedDeployment> {
    let action = row.get_ref(5)?.as_str()?;
    let action = ApprovalAction::parse(action)
        .ok_or_else(|| bad_column(5, Type::Text, format!("{action:?} is no action")))?;
    Ok(ReplicatedDeployment {
        id: uuid_at(row, 0)?,
        approval: ReplicatedApproval {
            identity: UpdateIdentity { id: update_at(row, 1)?, revision: row.get(3)? },
            revision_change: u64_at(row, 4)?,
            group: uuid_at(row, 2)?,
            action,
            deadline: optional_moment_at(row, 6)?,
            go_live: moment_at(row, 7)?,
        },
        change: u64_at(row, 8)?,
    })
}

/// A counter that may not have counted yet.
fn mark(db: &Connection, key: &str) -> rusqlite::Result<u64> {
    match value(db, key)? {
        Some(bytes) => counter(&String::from_utf8_lossy(&bytes)),
        None => Ok(0),
    }
}
