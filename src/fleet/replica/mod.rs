//! A replica: groups, approvals, declines and accepted licences are those of its upstream server,
//! taken over as a whole or not at all. [MS-WUSSS] 3.2.4.3
//!
//! Which computer is in which group stays local. Triggers of the database keep everybody else from
//! deciding, whichever way it is tried.

mod decisions;
mod groups;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;
use uuid::Uuid;

use super::{ApprovalAction, Fleet, FleetError, Result, set_value, touch};
use crate::update::{UpdateId, UpdateIdentity};

/// Groups that are taken over; more are refused.
const GROUPS: usize = 10_000;
/// Deployments that are kept, and updates that may be hidden.
const DEPLOYMENTS: usize = 1_000_000;

/// What an upstream server decided, as it told.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Its address.
    pub upstream: String,
    /// For the next question.
    pub anchor: String,
    /// The answer tells everything, not only what changed since the last one.
    pub whole: bool,
    /// All groups.
    pub groups: Vec<ToldGroup>,
    /// Deployments that changed.
    pub deployments: Vec<ToldDeployment>,
    /// Deployments that are gone.
    pub dead: Vec<Uuid>,
    /// All updates that are declined.
    pub hidden: Vec<UpdateId>,
    /// All licences that are accepted.
    pub accepted_eulas: Vec<Uuid>,
}

/// A target group of the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldGroup {
    /// Its id, which is ours too.
    pub id: Uuid,
    /// The group around it; nil at the top.
    pub parent: Uuid,
    /// Its name.
    pub name: String,
}

/// An approval of the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldDeployment {
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
pub struct TakenOver {
    /// Anything is different from before.
    pub changed: bool,
    /// Groups that are new, renamed or moved.
    pub groups_changed: u64,
    /// Groups that are gone.
    pub groups_removed: u64,
    /// Approvals that are new or different.
    pub approvals_changed: u64,
    /// Approvals that are gone.
    pub approvals_removed: u64,
    /// Updates that are declined now.
    pub declined: u64,
    /// Updates that no longer are.
    pub no_longer_declined: u64,
    /// What could not be taken over as it was told.
    pub notes: Vec<String>,
}

/// The change mark of a transaction: one for all that it changes, none if nothing does.
struct Mark<'a> {
    db: &'a Connection,
    mark: Option<u64>,
}

impl Mark<'_> {
    fn get(&mut self) -> rusqlite::Result<u64> {
        match self.mark {
            Some(mark) => Ok(mark),
            None => Ok(*self.mark.insert(touch(self.db)?)),
        }
    }
}

impl Fleet {
    /// The address of the upstream server that decides here; `None` if decisions are local.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn replica_of(&self) -> Result<Option<String>> {
        self.read("read whose replica it is", |db| Ok(text(db, "replica-of")?))
    }

    /// The anchor of the last answer of this upstream; `None` asks for everything.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn replica_anchor(&self, upstream: &str) -> Result<Option<String>> {
        self.read("read the anchor of the replica", |db| {
            let same = text(db, "replica-of")?.is_some_and(|of| of == upstream);
            Ok(if same { text(db, "replica-anchor")? } else { None })
        })
    }

    /// Takes over what the upstream told, in one transaction with its anchor. From the first time
    /// on this is a replica. Local computers of groups that are gone become unassigned; when
    /// everything is told, they follow a group of the same name.
    ///
    /// # Errors
    /// When the answer makes no sense or is too large: then nothing has changed.
    pub fn take_over(&mut self, told: &Told, now: Timestamp) -> Result<TakenOver> {
        self.write("take over what the upstream server decided", |db| {
            let groups = groups::arrange(&told.groups)?;
            let mut done = TakenOver { notes: groups.notes, ..TakenOver::default() };
            let mut mark = Mark { db, mark: None };
            set_value(db, "replicating", b"1")?;
            groups::apply(db, &groups.groups, told.whole, &mut mark, &mut done)?;
            decisions::keep(db, told, &mut done)?;
            decisions::apply(db, told, now, &mut mark, &mut done)?;
            set_value(db, "replica-of", told.upstream.as_bytes())?;
            set_value(db, "replica-anchor", told.anchor.as_bytes())?;
            remove(db, "replicating")?;
            done.changed = mark.mark.is_some();
            Ok(done)
        })
    }

    /// Decides by itself again: what was taken over stays, as local decisions. Returns whose
    /// replica it was.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn leave_replica(&mut self) -> Result<Option<String>> {
        self.write("end being a replica", |db| {
            let was = text(db, "replica-of")?;
            db.execute("DELETE FROM replica_deployment", [])?;
            remove(db, "replica-of")?;
            remove(db, "replica-anchor")?;
            Ok(was)
        })
    }
}

fn text(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT CAST(value AS TEXT) FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

fn remove(db: &Connection, key: &str) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([key])?;
    Ok(())
}

/// Whether a trigger of the database has refused a change.
pub(super) fn is_refusal(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(code, Some(message)) = error else { return false };
    code.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER && message == "replica"
}

/// The same for people.
pub(super) fn refusal(db: Option<&Connection>) -> FleetError {
    let of = db.and_then(|db| text(db, "replica-of").ok().flatten());
    let of = of.as_deref().unwrap_or("its upstream server");
    FleetError::Invalid {
        what: format!(
            "this is a replica of {of}, which decides on groups, approvals, declines and licences. Decide there, or end it with `tidegate sync --autonomous --from {of}`: that keeps what is here, as decided here"
        ),
    }
}
