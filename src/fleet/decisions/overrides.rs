//! Decisions that outlast rules and policies: what a person took back stays taken back, until a
//! person approves it again or lets it go.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use uuid::Uuid;

use super::groups::{all, find};
use crate::{
    fleet::{
        database::{Fleet, Result},
        error::WriteError,
        meta::touch,
    },
    sqlite::{update_at, uuid_at},
    update::UpdateId,
};

/// An approval that was taken back on purpose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WithdrawnApproval {
    /// The update.
    pub update: UpdateId,
    /// The group.
    pub group: Uuid,
    /// By a person: no rule and no policy approves it again.
    pub lasting: bool,
}

impl Fleet {
    /// A person takes an approval back; true if there was one. That lasts: no rule and no policy
    /// approves it again.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn unapprove(&mut self, update: UpdateId, group: Uuid) -> Result<bool> {
        self.write("take an approval back", |db| remove(db, update, group, true))
    }

    /// A rule or a policy takes an approval back; true if there was one. It may be approved again.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn withdraw_approval(&mut self, update: UpdateId, group: Uuid) -> Result<bool> {
        self.write("take an approval back", |db| remove(db, update, group, false))
    }

    /// A person decides that an update is not approved for a group, whether it is now or not; true
    /// if that is new.
    ///
    /// # Errors
    /// When there is no such group.
    pub fn refuse_approval(&mut self, update: UpdateId, group: Uuid) -> Result<bool> {
        self.write("keep an update unapproved", |db| {
            find(&all(db)?, &group.to_string())?;
            let new = !is_refused(db, update, group)?;
            let removed = remove(db, update, group, true)?;
            mark(db, update, group, true)?;
            Ok(new || removed)
        })
    }

    /// A person lets a decision for a group go, be it an approval or that there is none, so that
    /// rules and policies decide again; true if there was one.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn release(&mut self, update: UpdateId, group: Uuid) -> Result<bool> {
        self.write("let a decision go", |db| {
            let ids = params![update.0.as_bytes(), group.as_bytes()];
            let own = db
                .prepare_cached(
                    "SELECT 1 FROM approval a LEFT JOIN rule_approval r USING (update_id, group_id)
                     WHERE a.update_id = ?1 AND a.group_id = ?2 AND a.origin = 'local'
                       AND r.rule IS NULL",
                )?
                .exists(ids)?;
            let approved = own && remove(db, update, group, false)?;
            let marked = db
                .prepare_cached(
                    "UPDATE taken_back SET lasting = 0
                     WHERE update_id = ?1 AND group_id = ?2 AND lasting",
                )?
                .execute(ids)?;
            Ok(approved || marked > 0)
        })
    }

    /// A person lets the decision go that an update is declined, or is not; true if there was one.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn release_decline(&mut self, update: UpdateId) -> Result<bool> {
        self.write("let a decline go", |db| {
            let id = [update.0.as_bytes()];
            let declined = db
                .prepare_cached("DELETE FROM declined WHERE update_id = ?1 AND origin = 'local'")?
                .execute(id)?;
            if declined > 0 {
                touch(db)?;
            }
            let marked =
                db.prepare_cached("DELETE FROM undeclined WHERE update_id = ?1")?.execute(id)?;
            Ok(declined + marked > 0)
        })
    }

    /// A person does not let a policy decline an update; true if that is new. A decline goes.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn undecline(&mut self, update: UpdateId) -> Result<bool> {
        self.write("take a decline back", |db| {
            let id = [update.0.as_bytes()];
            let any =
                db.prepare_cached("DELETE FROM declined WHERE update_id = ?1")?.execute(id)?;
            if any > 0 {
                touch(db)?;
                refuse_decline(db, update)?;
            }
            Ok(any > 0)
        })
    }

    /// A person decides that no policy declines an update, whether one does now or not.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn refuse_decline(&mut self, update: UpdateId) -> Result<()> {
        self.undecline(update)?;
        self.write("keep an update from being declined", |db| Ok(refuse_decline(db, update)?))
    }

    /// A policy takes its decline back; true if there was one.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn withdraw_decline(&mut self, update: UpdateId) -> Result<bool> {
        self.write("take a decline back", |db| {
            let any = db
                .prepare_cached("DELETE FROM declined WHERE update_id = ?1 AND origin = 'policy'")?
                .execute([update.0.as_bytes()])?;
            if any > 0 {
                touch(db)?;
            }
            Ok(any > 0)
        })
    }

    /// What was taken back on purpose and not approved again, by update, then group.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn withdrawn_approvals(&self) -> Result<Vec<WithdrawnApproval>> {
        self.read("list what was taken back", |db| {
            Ok(db
                .prepare_cached(
                    "SELECT update_id, group_id, lasting FROM taken_back
                     ORDER BY update_id, group_id",
                )?
                .query_map([], |row| {
                    Ok(WithdrawnApproval {
                        update: update_at(row, 0)?,
                        group: uuid_at(row, 1)?,
                        lasting: row.get(2)?,
                    })
                })?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Updates that a person does not let a policy decline, sorted.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn undeclined(&self) -> Result<Vec<UpdateId>> {
        self.read("list what may not be declined", |db| {
            Ok(db
                .prepare_cached("SELECT update_id FROM undeclined ORDER BY update_id")?
                .query_map([], |row| update_at(row, 0))?
                .collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn remove(
    db: &Connection,
    update: UpdateId,
    group: Uuid,
    lasting: bool,
) -> std::result::Result<bool, WriteError> {
    let any = db
        .prepare_cached("DELETE FROM approval WHERE update_id = ?1 AND group_id = ?2")?
        .execute(params![update.0.as_bytes(), group.as_bytes()])?;
    if any > 0 {
        touch(db)?;
        mark(db, update, group, lasting)?;
    }
    Ok(any > 0)
}

/// It is taken back on purpose.
pub(crate) fn mark(
    db: &Connection,
    update: UpdateId,
    group: Uuid,
    lasting: bool,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO taken_back (update_id, group_id, lasting) VALUES (?1, ?2, ?3)
         ON CONFLICT (update_id, group_id) DO UPDATE SET lasting = max(lasting, ?3)",
    )?
    .execute(params![update.0.as_bytes(), group.as_bytes(), lasting])?;
    Ok(())
}

fn refuse_decline(db: &Connection, update: UpdateId) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO undeclined (update_id) VALUES (?1)")?
        .execute([update.0.as_bytes()])?;
    Ok(())
}

/// Whether a person keeps an update unapproved for a group.
pub(crate) fn is_refused(db: &Connection, update: UpdateId, group: Uuid) -> rusqlite::Result<bool> {
    let found: Option<bool> = db
        .prepare_cached("SELECT lasting FROM taken_back WHERE update_id = ?1 AND group_id = ?2")?
        .query_row(params![update.0.as_bytes(), group.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// It is approved (again).
pub(crate) fn unmark(db: &Connection, update: UpdateId, group: Uuid) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM taken_back WHERE update_id = ?1 AND group_id = ?2")?
        .execute(params![update.0.as_bytes(), group.as_bytes()])?;
    Ok(())
}

/// A person declines an update: its approvals go by that, and no mark says otherwise.
pub(crate) fn declined_by_a_person(db: &Connection, update: UpdateId) -> rusqlite::Result<()> {
    let id = [update.0.as_bytes()];
    db.prepare_cached(
        "INSERT OR IGNORE INTO taken_back (update_id, group_id, lasting)
         SELECT update_id, group_id, 0 FROM approval WHERE update_id = ?1",
    )?
    .execute(id)?;
    db.prepare_cached("DELETE FROM undeclined WHERE update_id = ?1")?.execute(id)?;
    Ok(())
}

/// Whether a person does not let a policy decline an update.
pub(crate) fn is_undeclined(db: &Connection, update: UpdateId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM undeclined WHERE update_id = ?1")?
        .exists([update.0.as_bytes()])
}
