//! Installations that the upstream server has not been sent yet. [MS-WUSSS] 3.1.4.14

use rusqlite::{Row, params};
use uuid::Uuid;

use crate::{
    fleet::{
        database::Fleet,
        error::FleetError,
        meta::{counter, set_value, value},
    },
    sqlite::{int, update_at, uuid_at},
    update::UpdateIdentity,
};

/// The value that holds the arrival number of the last event that was counted and sent.
pub(super) const REPORTED_EVENTS: &str = "rollup-events";

/// Installations of a revision on a computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installations {
    /// The computer, or its server if it is one of a server below.
    pub by: String,
    /// Of which revision.
    pub identity: UpdateIdentity,
    /// That succeeded.
    pub succeeded: u32,
    /// That failed.
    pub failed: u32,
}

impl Fleet {
    /// Installations on the computers here since the last report to the upstream, by computer; and up
    /// to which event that is. [MS-WUSSS] 3.1.4.14
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn pending_installations(&self) -> Result<(u64, Vec<Installations>), FleetError> {
        self.read("count the installations", |db| {
            let since = match value(db, REPORTED_EVENTS)? {
                Some(bytes) => counter(&String::from_utf8_lossy(&bytes))?,
                None => 0,
            };
            let newest: Option<i64> =
                db.query_row("SELECT max(arrival) FROM event", [], |row| row.get(0))?;
            let newest = u64::try_from(newest.unwrap_or(0)).unwrap_or(0).max(since);
            // The events that `outcome` takes as the end of an installation.
            let found = db
                .prepare_cached(
                    "SELECT computer_id, update_id, revision_number,
                        sum(event_id NOT IN (182, 195, 198, 204) AND hresult >= 0),
                        sum(event_id IN (182, 195, 198, 204) OR hresult < 0)
                     FROM event WHERE arrival > ?1 AND arrival <= ?2 AND namespace_id = 1
                        AND update_id IS NOT NULL AND revision_number >= 0
                        AND event_id IN (182, 183, 184, 190, 191, 195, 197, 198, 199, 201, 203, 204)
                     GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
                )?
                .query_map([int(since), int(newest)], |row| installations(row, row.get(0)?))?
                .collect::<rusqlite::Result<_>>()?;
            Ok((newest, found))
        })
    }

    /// Installations that servers below reported since the last report to the upstream; `by` is
    /// the server's id.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn pending_activity(&self) -> Result<Vec<Installations>, FleetError> {
        self.read("count the installations below", |db| {
            Ok(db
                .prepare_cached(
                    "SELECT d.server_id, d.update_id, d.revision_number,
                        max(0, d.succeeded - coalesce(t.succeeded, 0)) AS succeeded,
                        max(0, d.failed - coalesce(t.failed, 0)) AS failed
                     FROM downstream_activity d LEFT JOIN told_activity t
                        USING (server_id, update_id, revision_number)
                     WHERE d.succeeded > coalesce(t.succeeded, 0)
                        OR d.failed > coalesce(t.failed, 0)
                     ORDER BY 1, 2, 3",
                )?
                .query_map([], |row| installations(row, uuid_at(row, 0)?.to_string()))?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Notes that the upstream has been sent these.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn mark_installations_reported(
        &mut self,
        events: u64,
        below: &[Installations],
    ) -> Result<(), FleetError> {
        self.write("note what the upstream server knows", |db| {
            set_value(db, REPORTED_EVENTS, events.to_string().as_bytes())?;
            for sent in below {
                let Ok(server) = sent.by.parse::<Uuid>() else { continue };
                db.prepare_cached(
                    "INSERT INTO told_activity
                        (server_id, update_id, revision_number, succeeded, failed)
                     VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (server_id, update_id, revision_number) DO UPDATE SET
                        succeeded = succeeded + ?4, failed = failed + ?5",
                )?
                .execute(params![
                    server.as_bytes(),
                    sent.identity.id.0.as_bytes(),
                    sent.identity.revision,
                    sent.succeeded,
                    sent.failed
                ])?;
            }
            Ok(())
        })
    }
}

fn installations(row: &Row<'_>, by: String) -> rusqlite::Result<Installations> {
    Ok(Installations {
        by,
        identity: UpdateIdentity { id: update_at(row, 1)?, revision: row.get(2)? },
        succeeded: row.get(3)?,
        failed: row.get(4)?,
    })
}
