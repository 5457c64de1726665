//! What the upstream server has been sent of our computers: their details and the states of updates.
//! What differs from that is reported next. [MS-WUSSS] 3.2.4.5

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::installations::REPORTED_EVENTS;
use crate::{
    fleet::{
        computers::compliance::{ComplianceState, state_at, state_name},
        database::Fleet,
        error::{FleetError, WriteError},
        meta::{set_value, value},
    },
    sqlite::{moment, moment_at, optional_moment_at, update_at},
    update::UpdateId,
};

const UPSTREAM: &str = "rollup-upstream";
const RESET: &str = "rollup-reset";

/// What the upstream knows of a computer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportedComputer {
    /// Digest of the details that it has; none: it has no details.
    pub details: Option<Vec<u8>>,
    /// Of the last status.
    pub number: i32,
    /// The upstream deleted the computer then.
    pub deleted: Option<Timestamp>,
}

/// The next status of a computer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingReport {
    /// The computer.
    pub computer: String,
    /// One more than that of the last status.
    pub number: i32,
    /// All states, not only those that differ from what was reported.
    pub full: bool,
    /// Update, state (none: nothing to do any more), when it came to that.
    pub updates: Vec<(UpdateId, Option<ComplianceState>, Timestamp)>,
}

impl Fleet {
    /// Begins to report to a server. One that was not reported to before, or that asks for everything
    /// again (another `reset`), gets everything.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn begin_reporting(&mut self, upstream: &str, reset: Uuid) -> Result<(), FleetError> {
        self.write("begin a report to the upstream server", |db| {
            let old = (value(db, UPSTREAM)?, value(db, RESET)?);
            let new = (Some(upstream.as_bytes().to_vec()), Some(reset.as_bytes().to_vec()));
            // Rows of what is no longer here, and sums that began again at nothing.
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
            if old == new {
                return Ok(());
            }
            db.execute_batch("DELETE FROM told_status; DELETE FROM told_computer;")?;
            if old.0 != new.0 {
                // Its sums begin at nothing.
                db.execute_batch("DELETE FROM told_activity;")?;
                set_value(db, REPORTED_EVENTS, b"0")?;
            }
            set_value(db, UPSTREAM, upstream.as_bytes())?;
            Ok(set_value(db, RESET, reset.as_bytes())?)
        })
    }

    /// What the upstream knows of a computer.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn reported_computer(&self, computer: &str) -> Result<ReportedComputer, FleetError> {
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
    pub fn mark_computers_reported(
        &mut self,
        reported: &[(&str, &[u8])],
    ) -> Result<(), FleetError> {
        self.write("note what the upstream server knows", |db| {
            for (computer, details) in reported {
                db.prepare_cached(
                    "INSERT INTO told_computer (computer_id, details) VALUES (?1, ?2)
                     ON CONFLICT (computer_id) DO UPDATE SET details = ?2, deleted = NULL",
                )?
                .execute((computer, details))?;
            }
            Ok(())
        })
    }

    /// Notes that the upstream has deleted a computer: until it comes again, it is not reported.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note_deleted_upstream(
        &mut self,
        computer: &str,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        self.write("note what the upstream server deleted", |db| {
            let now = moment(now);
            db.prepare_cached("DELETE FROM told_computer WHERE computer_id = ?1")?
                .execute([computer])?;
            db.prepare_cached("INSERT INTO told_computer (computer_id, deleted) VALUES (?1, ?2)")?
                .execute([computer, now.as_str()])?;
            Ok(())
        })
    }

    /// Makes the next status of these computers hold all states.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn report_again(&mut self, computers: &[String]) -> Result<(), FleetError> {
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

    /// The next status of a computer, if there is anything to report.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn pending_report(
        &self,
        computer: &str,
        now: Timestamp,
    ) -> Result<Option<PendingReport>, FleetError> {
        self.read("compare states with what the upstream server knows", |db| {
            let last: Option<(i32, bool)> = db
                .prepare_cached("SELECT number, full FROM told_computer WHERE computer_id = ?1")?
                .query_row([computer], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((number, full)) = last else { return Ok(None) };
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

    /// Notes that the upstream has been sent these.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn mark_status_reported(&mut self, reported: &[PendingReport]) -> Result<(), FleetError> {
        self.write("note what the upstream server knows", |db| {
            for status in reported {
                mark_status_reported(db, status)?;
            }
            Ok(())
        })
    }
}

/// States on a computer, of this server or of one below.
const STATES: &str = "
    SELECT update_id, state, changed FROM compliance WHERE computer_id = ?1 UNION ALL
    SELECT update_id, state, changed FROM rolled_compliance r WHERE computer_id = ?1
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

fn mark_status_reported(db: &Connection, status: &PendingReport) -> Result<(), WriteError> {
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
