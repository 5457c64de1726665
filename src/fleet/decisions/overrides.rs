//! Decisions of a person that rules and policies do not change: an approval that a person withdrew
//! stays withdrawn, until a person approves the update again or releases the decision.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use uuid::Uuid;

use super::groups::require;
use crate::{
    fleet::{
        database::Fleet,
        error::{FleetError, WriteError},
        meta::touch,
    },
    sqlite::{update_at, uuid_at},
    update::UpdateId,
};

/// An approval that was withdrawn on purpose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WithdrawnApproval {
    /// The update.
    pub update: UpdateId,
    /// The group.
    pub group: Uuid,
    /// By a person: no rule and no policy approves it again.
    #[serde(rename = "lasting")]
    pub by_person: bool,
}

impl Fleet {
    /// A person withdraws an approval; true if there was one. No rule and no policy approves it again.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn unapprove(&mut self, update: UpdateId, group: Uuid) -> Result<bool, FleetError> {
        self.write("take an approval back", |db| remove_approval(db, update, group, true))
    }

    /// A rule or a policy withdraws an approval; true if there was one. It may be approved again.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn withdraw_approval(&mut self, update: UpdateId, group: Uuid) -> Result<bool, FleetError> {
        self.write("take an approval back", |db| remove_approval(db, update, group, false))
    }

    /// A person decides that an update is not approved for a group, whether it is now or not; true
    /// if that is new.
    ///
    /// # Errors
    /// When there is no such group.
    pub fn refuse_approval(&mut self, update: UpdateId, group: Uuid) -> Result<bool, FleetError> {
        self.write("keep an update unapproved", |db| {
            require(db, group)?;
            let new = !is_refused(db, update, group)?;
            let removed = remove_approval(db, update, group, true)?;
            mark_withdrawn(db, update, group, true)?;
            Ok(new || removed)
        })
    }

    /// A person releases a decision for a group, be it an approval or that there is none: rules and
    /// policies decide again. True if there was one.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn release(&mut self, update: UpdateId, group: Uuid) -> Result<bool, FleetError> {
        self.write("let a decision go", |db| {
            let ids = params![update.0.as_bytes(), group.as_bytes()];
            let own = db
                .prepare_cached(
                    "SELECT 1 FROM approval a LEFT JOIN rule_approval r USING (update_id, group_id)
                     WHERE a.update_id = ?1 AND a.group_id = ?2 AND a.origin = 'local'
                       AND r.rule IS NULL",
                )?
                .exists(ids)?;
            let approved = own && remove_approval(db, update, group, false)?;
            let marked = db
                .prepare_cached(
                    "UPDATE taken_back SET lasting = 0
                     WHERE update_id = ?1 AND group_id = ?2 AND lasting",
                )?
                .execute(ids)?;
            Ok(approved || marked > 0)
        })
    }

    /// A person releases the decision that an update is declined, or is not; true if there was one.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn release_decline(&mut self, update: UpdateId) -> Result<bool, FleetError> {
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

    /// A person removes the decline of an update, and no policy declines it again; true if there was
    /// one.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn undecline(&mut self, update: UpdateId) -> Result<bool, FleetError> {
        self.write("take a decline back", |db| {
            let declined = remove_decline(db, update)?;
            if declined {
                keep_undeclined(db, update)?;
            }
            Ok(declined)
        })
    }

    /// A person decides that no policy declines an update, whether one does now or not.
    ///
    /// # Errors
    /// When SQLite fails; then nothing has changed.
    pub fn refuse_decline(&mut self, update: UpdateId) -> Result<(), FleetError> {
        self.write("keep an update from being declined", |db| {
            remove_decline(db, update)?;
            Ok(keep_undeclined(db, update)?)
        })
    }

    /// A policy withdraws its decline; true if there was one.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn withdraw_decline(&mut self, update: UpdateId) -> Result<bool, FleetError> {
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

    /// What was withdrawn on purpose and not approved again, by update, then group.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn withdrawn_approvals(&self) -> Result<Vec<WithdrawnApproval>, FleetError> {
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
                        by_person: row.get(2)?,
                    })
                })?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Updates that a person does not let a policy decline, sorted.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn undeclined(&self) -> Result<Vec<UpdateId>, FleetError> {
        self.read("list what may not be declined", |db| {
            Ok(db
                .prepare_cached("SELECT update_id FROM undeclined ORDER BY update_id")?
                .query_map([], |row| update_at(row, 0))?
                .collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn remove_approval(
    db: &Connection,
    update: UpdateId,
    group: Uuid,
    by_person: bool,
) -> Result<bool, WriteError> {
    let any = db
        .prepare_cached("DELETE FROM approval WHERE update_id = ?1 AND group_id = ?2")?
        .execute(params![update.0.as_bytes(), group.as_bytes()])?;
    if any > 0 {
        touch(db)?;
        mark_withdrawn(db, update, group, by_person)?;
    }
    Ok(any > 0)
}

/// Notes that an approval was withdrawn on purpose; `by_person`: no rule and no policy approves it
/// again.
pub(crate) fn mark_withdrawn(
    db: &Connection,
    update: UpdateId,
    group: Uuid,
    by_person: bool,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO taken_back (update_id, group_id, lasting) VALUES (?1, ?2, ?3)
         ON CONFLICT (update_id, group_id) DO UPDATE SET lasting = max(lasting, ?3)",
    )?
    .execute(params![update.0.as_bytes(), group.as_bytes(), by_person])?;
    Ok(())
}

/// Removes the decline of an update, whoever made it; true if there was one.
fn remove_decline(db: &Connection, update: UpdateId) -> rusqlite::Result<bool> {
    let any = db
        .prepare_cached("DELETE FROM declined WHERE update_id = ?1")?
        .execute([update.0.as_bytes()])?;
    if any > 0 {
        touch(db)?;
    }
    Ok(any > 0)
}

/// Notes that no policy declines an update.
fn keep_undeclined(db: &Connection, update: UpdateId) -> rusqlite::Result<()> {
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

/// Forgets that an approval was withdrawn: the update is approved again.
pub(crate) fn unmark_withdrawn(
    db: &Connection,
    update: UpdateId,
    group: Uuid,
) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM taken_back WHERE update_id = ?1 AND group_id = ?2")?
        .execute(params![update.0.as_bytes(), group.as_bytes()])?;
    Ok(())
}

/// Notes that a person declines an update: its approvals are withdrawn by that, and policies may
/// decline it again.
pub(crate) fn mark_declined_by_person(db: &Connection, update: UpdateId) -> rusqlite::Result<()> {
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
