//! Deployments: what each set of groups was last offered. Gives a deployment its id, and a change
//! mark that grows when its action, deadline or leaf state changes. [MS-WUSP] 3.1.1

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use crate::{
    fleet::{
        database::Fleet,
        error::FleetError,
        meta::{count, counter, text},
    },
    sqlite::{int, moment, moment_at, optional_moment_at, u64_at},
    update::RevisionId,
};

/// A deployment as it shall be now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalNeed {
    /// The revision.
    pub revision: RevisionId,
    /// The action as the protocol spells it.
    pub action: &'static str,
    /// By when it has to be installed.
    pub deadline: Option<Timestamp>,
    /// No revision's prerequisites name its update.
    pub is_leaf: bool,
}

/// What the fleet has recorded for a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedDeployment {
    /// `Deployment/ID`.
    pub deployment_id: i32,
    /// The change counter when it last changed.
    pub change: u64,
    /// When it last changed; only the date goes on the wire.
    pub changed: Timestamp,
}

impl Fleet {
    /// Makes the recorded deployments of a set of groups equal to `wanted`, touching only what
    /// differs, and returns them in the order of `wanted`. New and changed ones get the change mark
    /// `change` (the caller's view number, which only grows). Removed ones are forgotten: should
    /// they come again, it is with a new id. A revision is wanted once.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn record_deployments(
        &mut self,
        groups: &[Uuid],
        wanted: &[ApprovalNeed],
        change: u64,
        now: Timestamp,
    ) -> Result<Vec<RecordedDeployment>, FleetError> {
        let scope = scope(groups);
        self.write("record the deployments", |db| {
            let mut old = recorded(db, &scope)?;
            let mut insert = db.prepare_cached(
                "INSERT INTO deployment (scope, revision_id, action, deadline, is_leaf, changed,
                    change)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (scope, revision_id) DO UPDATE SET
                    action = ?3, deadline = ?4, is_leaf = ?5, changed = ?6, change = ?7
                 RETURNING deployment_id",
            )?;
            let mut all = Vec::with_capacity(wanted.len());
            for need in wanted {
                if let Some(row) = old.remove(&need.revision).filter(|row| row.is(need)) {
                    all.push(row.recorded);
                    continue;
                }
                let deployment_id = insert.query_row(
                    params![
                        scope,
                        need.revision.0,
                        need.action,
                        need.deadline.map(moment),
                        need.is_leaf,
                        moment(now),
                        int(change)
                    ],
                    |row| row.get(0),
                )?;
                all.push(RecordedDeployment { deployment_id, change, changed: now });
            }
            let mut delete =
                db.prepare_cached("DELETE FROM deployment WHERE scope = ?1 AND revision_id = ?2")?;
            for revision in old.keys() {
                delete.execute(params![scope, revision.0])?;
            }
            Ok(all)
        })
    }

    /// The recorded deployments of a set of groups, in the order of `wanted`; none where nothing is
    /// recorded, or something else.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn recorded_deployments(
        &self,
        groups: &[Uuid],
        wanted: &[ApprovalNeed],
    ) -> Result<Vec<Option<RecordedDeployment>>, FleetError> {
        self.read("read the deployments", |db| {
            let old = recorded(db, &scope(groups))?;
            let same = |need: &ApprovalNeed| old.get(&need.revision).filter(|row| row.is(need));
            Ok(wanted.iter().map(|need| same(need).map(|row| row.recorded)).collect())
        })
    }

    /// Forgets the deployments of all sets of groups but these.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn keep_deployments_of(&mut self, sets: &[&[Uuid]]) -> Result<(), FleetError> {
        let kept: HashSet<String> = sets.iter().map(|groups| scope(groups)).collect();
        let scopes = self.read("list the sets of groups with deployments", |db| {
            Ok(db
                .prepare_cached("SELECT DISTINCT scope FROM deployment")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<String>>>()?)
        })?;
        let gone: Vec<_> = scopes.into_iter().filter(|scope| !kept.contains(scope)).collect();
        if gone.is_empty() {
            return Ok(());
        }
        self.write("forget deployments", |db| {
            let mut delete = db.prepare_cached("DELETE FROM deployment WHERE scope = ?1")?;
            for scope in gone {
                delete.execute([scope])?;
            }
            Ok(())
        })
    }

    /// The number of the last view; 0 before the first.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn last_view(&self) -> Result<u64, FleetError> {
        self.read("read the number of the last view", |db| {
            Ok(match text(db, "view")? {
                Some(number) => counter(&number)?,
                None => 0,
            })
        })
    }

    /// The next view number: a counter of its own, never the same twice.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn next_view(&mut self) -> Result<u64, FleetError> {
        self.write("number a view", |db| Ok(count(db, "view")?))
    }
}

/// The canonical name of a set of groups.
fn scope(groups: &[Uuid]) -> String {
    let mut names: Vec<_> = groups.iter().map(|id| id.simple().to_string()).collect();
    names.sort_unstable();
    names.dedup();
    names.join(",")
}

/// A deployment as it is.
struct StoredDeployment {
    action: String,
    deadline: Option<Timestamp>,
    is_leaf: bool,
    recorded: RecordedDeployment,
}

impl StoredDeployment {
    fn is(&self, need: &ApprovalNeed) -> bool {
        self.action == need.action && self.deadline == need.deadline && self.is_leaf == need.is_leaf
    }
}

fn recorded(
    db: &Connection,
    scope: &str,
) -> rusqlite::Result<HashMap<RevisionId, StoredDeployment>> {
    let row = |row: &Row<'_>| {
        let old = StoredDeployment {
            action: row.get(1)?,
            deadline: optional_moment_at(row, 2)?,
            is_leaf: row.get(3)?,
            recorded: RecordedDeployment {
                deployment_id: row.get(4)?,
                changed: moment_at(row, 5)?,
                change: u64_at(row, 6)?,
            },
        };
        Ok((RevisionId(row.get(0)?), old))
    };
    db.prepare_cached(
        "SELECT revision_id, action, deadline, is_leaf, deployment_id, changed, change
         FROM deployment WHERE scope = ?1",
    )?
    .query_map([scope], row)?
    .collect()
}
