//! Declines: an update that is declined is offered to nobody.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    origin::{Origin, origin_at, origin_name},
    overrides,
};
use crate::{
    fleet::{
        database::Fleet,
        error::{FleetError, WriteError},
        meta::touch,
    },
    sqlite::{int, moment, update_at},
    update::UpdateId,
};

impl Fleet {
    /// Declines an update: it is offered to nobody, its approvals go; true if that changed anything.
    ///
    /// A policy cannot decline what an administrator has approved for some group; then only the
    /// approvals by policy go.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn decline(
        &mut self,
        update: UpdateId,
        origin: Origin,
        now: Timestamp,
    ) -> Result<bool, FleetError> {
        self.write("decline an update", |db| {
            let id = update.0.as_bytes();
            let approved_locally = db
                .prepare_cached("SELECT 1 FROM approval WHERE update_id = ?1 AND origin = 'local'")?
                .exists([id])?;
            if origin == Origin::Policy && approved_locally {
                return removed(
                    db,
                    "DELETE FROM approval WHERE update_id = ?1 AND origin = 'policy'",
                    [id],
                );
            }
            let old = declined_by(db, update)?;
            if old == Some(origin) || old == Some(Origin::Local) {
                return Ok(false);
            }
            if origin == Origin::Policy && overrides::is_undeclined(db, update)? {
                return Ok(false);
            }
            let change = touch(db)?;
            if origin == Origin::Local {
                overrides::mark_declined_by_person(db, update)?;
            }
            db.prepare_cached("DELETE FROM approval WHERE update_id = ?1")?.execute([id])?;
            db.prepare_cached(
                "INSERT INTO declined (update_id, origin, changed, change) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (update_id) DO UPDATE SET origin = ?2, changed = ?3, change = ?4",
            )?
            .execute(params![id, origin_name(origin), moment(now), int(change)])?;
            Ok(true)
        })
    }

    /// Declined updates, sorted.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn declined(&self) -> Result<Vec<UpdateId>, FleetError> {
        self.read("list the declined updates", |db| {
            Ok(db
                .prepare_cached("SELECT update_id FROM declined ORDER BY update_id")?
                .query_map([], |row| update_at(row, 0))?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Declined updates with who declined them, sorted.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn declines(&self) -> Result<Vec<(UpdateId, Origin)>, FleetError> {
        self.read("list the declined updates", |db| {
            Ok(db
                .prepare_cached("SELECT update_id, origin FROM declined ORDER BY update_id")?
                .query_map([], |row| Ok((update_at(row, 0)?, origin_at(row, 1)?)))?
                .collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// Who declined an update, if anyone.
pub(super) fn declined_by(db: &Connection, update: UpdateId) -> rusqlite::Result<Option<Origin>> {
    db.prepare_cached("SELECT origin FROM declined WHERE update_id = ?1")?
        .query_row([update.0.as_bytes()], |row| origin_at(row, 0))
        .optional()
}

/// Deletes rows; true, and a change, if there were any.
fn removed(db: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<bool, WriteError> {
    let any = db.prepare_cached(sql)?.execute(params)? > 0;
    if any {
        touch(db)?;
    }
    Ok(any)
}
