//! What the upstream server was told in reporting: which computers with which details, which states
//! of updates, which installations. What differs from it is told next. [MS-WUSSS] 3.2.4.5

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use crate::{
    fleet::{
        computers::compliance::{ComplianceState, state_at, state_name},
        database::{Fleet, Result},
        error::WriteError,
        meta::{counter, set_value, value},
    },
    sqlite::{int, moment, moment_at, optional_moment_at, update_at, uuid_at},
    update::{UpdateId, UpdateIdentity},
};

const UPSTREAM: &str = "rollup-upstream";
const RESET: &str = "rollup-reset";
const EVENTS: &str = "rollup-events";

/// What the upstream knows of a computer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportedComputer {
    /// Digest of the details that it was told; none: it knows no details.
    pub details: Option<Vec<u8>>,
    /// Of the last status.
    pub number: i32,
    /// The upstream deleted the computer then.
    pub deleted: Option<Timestamp>,
}

/// What the next status of a computer tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingReport {
    /// The computer.
    pub computer: String,
    /// One more than that of the last status.
    pub number: i32,
    /// All states, not only those that differ from what was told.
    pub full: bool,
    /// Update, state (none: nothing to do any more), when it came to that.
    pub updates: Vec<(UpdateId, Option<ComplianceState>, Timestamp)>,
}

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
    /// Begins to report to a server. One that was not reported to before, or that wants to hear
    /// everything anew (another `reset`), is told everything.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn begin_reporting(&mut self, upstream: &str, reset: Uuid) -> Result<()> {
        self.write("begin a report to the upstream server", |db| {
            let known = (value(db, UPSTREAM)?, value(db, RESET)?);
            let now = (Some(upstream.as_bytes().to_vec()), Some(reset.as_bytes().to_vec()));
            // What there is no more, and sums that began anew.
            db.execute_batch(
                "DELETE FROM told_computer WHERE computer_id NOT IN (
                    SELECT computer_id FROM computer UNION ALL
                    SELECT computer_id FROM rolled_computer);
                 DELETE FROM told_activity WHERE NOT EXISTS (
                    SELECT 1 FROM downstream_activity d WHERE d.server_id = told_activity.server_id
                    AND d.update_id = told_activity.update_id
                    AND d.revision_number = told_activity.revision_number
                    AND d.succeeded >= told_activity.succeeded
                    AND d.failed >= told_activity.failed);",
            )?;
            if known == now {
                return Ok(());
            }
            db.execute_batch("DELETE FROM told_status; DELETE FROM told_computer;")?;
            if known.0 != now.0 {
                // Its sums begin at nothing.
                db.execute_batch("DELETE FROM told_activity;")?;
                set_value(db, EVENTS, b"0")?;
            }
            set_value(db, UPSTREAM, upstream.as_bytes())?;
            Ok(set_value(db, RESET, reset.as_bytes())?)
        })
    }

    /// What the upstream knows of a computer.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn reported_computer(&self, computer: &str) -> Result<ReportedComputer> {
        self.read("read what the upstream server knows", |db| {
            let found = db
                .prepare_cached(
                    "SELECT details, number, deleted FROM told_computer WHERE computer_id = ?1",
                )?
                .query_row([computer], |row| {
                    Ok(ReportedComputer {
                        details: row.get(0)?,
                        number: row.get(1)?,
                        deleted: optional_moment_at(row, 2)?,
                    })
                })
                .optional()?;
            Ok(found.unwrap_or_default())
        })
    }

    /// Notes that the upstream knows these computers with details of these digests.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn mark_computers_reported(&mut self, told: &[(&str, &[u8])]) -> Result<()> {
        self.write("note what the upstream server knows", |db| {
            for (computer, details) in told {
                db.prepare_cached(
                    "INSERT INTO told_computer (computer_id, details) VALUES (?1, ?2)
                     ON CONFLICT (computer_id) DO UPDATE SET details = ?2, deleted = NULL",
                )?
                .execute((computer, details))?;
            }
            Ok(())
        })
    }

    /// Notes that the upstream has deleted a computer: until it comes again, it is not told of.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note_deleted_upstream(&mut self, computer: &str, now: Timestamp) -> Result<()> {
        self.write("note what the upstream server deleted", |db| {
            let now = moment(now);
            db.prepare_cached("DELETE FROM told_computer WHERE computer_id = ?1")?
                .execute([computer])?;
            db.prepare_cached("INSERT INTO told_computer (computer_id, deleted) VALUES (?1, ?2)")?
                .execute([computer, now.as_str()])?;
            Ok(())
        })
    }

    /// Makes the next status of these computers tell everything.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn report_again(&mut self, computers: &[String]) -> Result<()> {
        self.write("note what the upstream server lacks", |db| {
            for computer in computers {
                db.prepare_cached("UPDATE told_computer SET full = 1 WHERE computer_id = ?1")?
                    .execute([computer])?;
                db.prepare_cached("DELETE FROM told_status WHERE computer_id = ?1")?
                    .execute([computer])?;
            }
            Ok(())
        })
    }

    /// What the next status of a computer tells, if there is anything to tell.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn pending_report(&self, computer: &str, now: Timestamp) -> Result<Option<PendingReport>> {
        self.read("compare states with what the upstream server knows", |db| {
            let known: Option<(i32, bool)> = db
                .prepare_cached("SELECT number, full FROM told_computer WHERE computer_id = ?1")?
                .query_row([computer], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((number, full)) = known else { return Ok(None) };
            let mut updates = changed(db, computer)?;
            let gone = db
                .prepare_cached(&format!(
                    "SELECT t.update_id FROM told_status t WHERE t.computer_id = ?1 AND NOT EXISTS
                        (SELECT 1 FROM ({STATES}) s WHERE s.update_id = t.update_id)
                     ORDER BY t.update_id"
                ))?
                .query_map([computer], |row| update_at(row, 0))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            updates.extend(gone.into_iter().map(|update| (update, None, now)));
            // A computer without any state is not worth a report, unless the upstream asks.
            if updates.is_empty() && (!full || number == 0) {
                return Ok(None);
            }
            let number = number.checked_add(1).unwrap_or(1);
            Ok(Some(PendingReport { computer: computer.to_owned(), number, full, updates }))
        })
    }

    /// Notes that the upstream was told.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn mark_status_reported(&mut self, told: &[PendingReport]) -> Result<()> {
        self.write("note what the upstream server knows", |db| {
            for status in told {
                mark_status_reported(db, status)?;
            }
            Ok(())
        })
    }

    /// Installations on the computers here since the upstream was last told, by computer; and up to
    /// which event that is. [MS-WUSSS] 3.1.4.14
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn pending_installations(&self) -> Result<(u64, Vec<Installations>)> {
        self.read("count the installations", |db| {
            let since = match value(db, EVENTS)? {
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

    /// Installations that servers below reported since the upstream was last told; `by` is the
    /// server's id.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn pending_activity(&self) -> Result<Vec<Installations>> {
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

    /// Notes that the upstream was told of these.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn mark_installations_reported(
        &mut self,
        events: u64,
        below: &[Installations],
    ) -> Result<()> {
        self.write("note what the upstream server knows", |db| {
            set_value(db, EVENTS, events.to_string().as_bytes())?;
            for told in below {
                let Ok(server) = told.by.parse::<Uuid>() else { continue };
                db.prepare_cached(
                    "INSERT INTO told_activity
                        (server_id, update_id, revision_number, succeeded, failed)
                     VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (server_id, update_id, revision_number) DO UPDATE SET
                        succeeded = succeeded + ?4, failed = failed + ?5",
                )?
                .execute(params![
                    server.as_bytes(),
                    told.identity.id.0.as_bytes(),
                    told.identity.revision,
                    told.succeeded,
                    told.failed
                ])?;
            }
            Ok(())
        })
    }
}

/// States on a computer, of this server or of one below.
const STATES: &str = "
    SELECT update_id, state, changed FROM compliance WHERE computer_id = ?1 UNION ALL
    SELECT update_id, state, changed FROM downstream_compliance r WHERE computer_id = ?1
        AND NOT EXISTS (SELECT 1 FROM computer c WHERE c.computer_id = r.computer_id)";

fn changed(
    db: &Connection,
    computer: &str,
) -> rusqlite::Result<Vec<(UpdateId, Option<ComplianceState>, Timestamp)>> {
    db.prepare_cached(&format!(
        "SELECT s.update_id, s.state, s.changed FROM ({STATES}) s
         LEFT JOIN told_status t ON t.computer_id = ?1 AND t.update_id = s.update_id
         WHERE t.state IS NOT s.state OR t.changed IS NOT s.changed ORDER BY s.update_id"
    ))?
    .query_map([computer], |row| {
        Ok((update_at(row, 0)?, Some(state_at(row, 1)?), moment_at(row, 2)?))
    })?
    .collect()
}

fn mark_status_reported(
    db: &Connection,
    status: &PendingReport,
) -> std::result::Result<(), WriteError> {
    let computer = status.computer.as_str();
    for (update, state, changed) in &status.updates {
        let update = update.0.as_bytes();
        match state {
            Some(state) => db
                .prepare_cached(
                    "INSERT INTO told_status (computer_id, update_id, state, changed)
                     VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (computer_id, update_id) DO UPDATE SET state = ?3, changed = ?4",
                )?
                .execute(params![computer, update, state_name(*state), moment(*changed)])?,
            None => db
                .prepare_cached(
                    "DELETE FROM told_status WHERE computer_id = ?1 AND update_id = ?2",
                )?
                .execute(params![computer, update])?,
        };
    }
    db.prepare_cached("UPDATE told_computer SET number = ?2, full = 0 WHERE computer_id = ?1")?
        .execute(params![computer, status.number])?;
    Ok(())
}

fn installations(row: &Row<'_>, by: String) -> rusqlite::Result<Installations> {
    Ok(Installations {
        by,
        identity: UpdateIdentity { id: update_at(row, 1)?, revision: row.get(2)? },
        succeeded: row.get(3)?,
        failed: row.get(4)?,
    })
}

/// How the computers here stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ComputerCounts {
    /// Some update is needed.
    pub needing: u32,
    /// The installation of some update failed.
    pub failing: u32,
    /// Neither, though they have reported.
    pub up_to_date: u32,
}

impl Fleet {
    /// Counts the computers here, and calls `each` with the updates that any of them reported:
    /// whether some computer needs it, whether it failed on some.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn count_states(
        &self,
        each: &mut dyn FnMut(UpdateId, bool, bool),
    ) -> Result<ComputerCounts> {
        const NEEDED: &str = "max(state IN ('needed', 'downloaded', 'restart-pending'))";
        const FAILED: &str = "max(state = 'failed')";
        self.read("count the states of the computers", |db| {
            let sql =
                format!("SELECT update_id, {NEEDED}, {FAILED} FROM compliance GROUP BY update_id");
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                each(update_at(row, 0)?, row.get(1)?, row.get(2)?);
            }
            let sql = format!(
                "SELECT coalesce(sum(needed), 0), coalesce(sum(failed), 0),
                    coalesce(sum(NOT needed AND NOT failed), 0)
                 FROM (SELECT coalesce({NEEDED}, 0) AS needed, coalesce({FAILED}, 0) AS failed
                    FROM computer LEFT JOIN compliance USING (computer_id)
                    WHERE last_report IS NOT NULL GROUP BY computer_id)"
            );
            Ok(db.query_row(&sql, [], |row| {
                Ok(ComputerCounts {
                    needing: row.get(0)?,
                    failing: row.get(1)?,
                    up_to_date: row.get(2)?,
                })
            })?)
        })
    }
}
