//! Licences that an administrator accepted on behalf of the computers.

use jiff::Timestamp;
use rusqlite::params;

use crate::{
    fleet::{
        database::Fleet,
        error::{FleetError, WriteError},
        limits::{NAME, clip},
        meta::touch,
    },
    sqlite::{int, moment},
};

impl Fleet {
    /// Records that the administrator accepted a licence on behalf of the computers; true if it was
    /// not accepted before.
    ///
    /// # Errors
    /// When the id is empty or longer than 256 bytes, or SQLite fails.
    pub fn accept_eula(&mut self, eula_id: &str, now: Timestamp) -> Result<bool, FleetError> {
        self.write("accept a licence", |db| {
            if eula_id.is_empty() || clip(eula_id, NAME) != eula_id {
                return Err(WriteError::Invalid(format!("a licence id has 1 to {NAME} bytes")));
            }
            let accepted = db
                .prepare_cached("SELECT 1 FROM eula_accepted WHERE eula_id = ?1")?
                .exists([eula_id])?;
            if accepted {
                return Ok(false);
            }
            let change = touch(db)?;
            db.prepare_cached(
                "INSERT INTO eula_accepted (eula_id, accepted, change) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![eula_id, moment(now), int(change)])?;
            Ok(true)
        })
    }

    /// Accepted licences, sorted.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn accepted_eulas(&self) -> Result<Vec<String>, FleetError> {
        self.read("list the accepted licences", |db| {
            Ok(db
                .prepare_cached("SELECT eula_id FROM eula_accepted ORDER BY eula_id")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?)
        })
    }
}
