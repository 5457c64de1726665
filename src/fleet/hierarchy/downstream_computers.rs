//! Computers of the servers below, with the states of their updates. Kept apart from those that
//! come here themselves. [MS-WSUSSS] 3.1.4.15 to 3.1.4.17

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params, types::Type};
use serde::Serialize;
use uuid::Uuid;

use super::{
    downstream_servers::is_known,
    limits::{make_room_for_report, trim},
};
use crate::{
    fleet::{
        computers::compliance::{ComplianceState, state_name},
        database::Fleet,
        error::{FleetError, WriteError},
        limits::{DETAILS, NAME, UPDATES, clip_json},
    },
    sqlite::{bad_column, moment, moment_at, optional_moment_at, u64_at, uuid_at},
    update::UpdateId,
};

/// A computer as a server below reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct ComputerReport {
    /// `clientId`.
    pub id: String,
    /// The server that it comes to.
    pub server: Uuid,
    /// Its last synchronization.
    pub last_sync: Option<Timestamp>,
    /// 0 unknown, 1 succeeded, 2 failed.
    pub last_sync_result: i32,
    /// Its last restart.
    pub last_reboot: Option<Timestamp>,
    /// Its last report.
    pub last_report: Option<Timestamp>,
    /// Its last inventory.
    pub last_inventory: Option<Timestamp>,
    /// The rest, a JSON object; sent the first time and when it changed.
    pub details: Option<serde_json::Value>,
}

/// What the reporting server has to do about a computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComputerChange {
    /// It comes to another server now: forget it.
    Gone,
    /// Report it again, with its details.
    DetailsWanted,
}

/// A computer of a server below, as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DownstreamComputer {
    /// `clientId`.
    pub id: String,
    /// The server that it comes to.
    pub server: Uuid,
    /// Its last synchronization.
    pub last_sync: Option<Timestamp>,
    /// 0 unknown, 1 succeeded, 2 failed.
    pub last_sync_result: i32,
    /// Its last report.
    pub last_report: Option<Timestamp>,
    /// When this was reported.
    pub received: Timestamp,
    /// The rest.
    pub details: serde_json::Value,
}

/// States on a computer, as a server below reports them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReport {
    /// The computer.
    pub computer: String,
    /// Until when they are what the computer found.
    pub last_detection: Option<Timestamp>,
    /// One more than that of the last report.
    pub number: i32,
    /// All states, instead of those that changed.
    pub full: bool,
    /// Update, state (none: nothing to do), when it came to that.
    pub updates: Vec<(UpdateId, Option<ComplianceState>, Option<Timestamp>)>,
}

impl Fleet {
    /// Stores computers of servers below. One that is stored with a newer synchronization stays as it
    /// is. A new one, or one that another server had, is stored when the report has its details.
    ///
    /// # Errors
    /// [`super::FleetError::Invalid`] when a server is not known; then nothing is kept.
    pub fn report_computers(
        &mut self,
        reports: &[ComputerReport],
        now: Timestamp,
    ) -> Result<Vec<(String, ComputerChange)>, FleetError> {
        self.write("keep the computers of a downstream server", |db| {
            let mut changes: Vec<(String, ComputerChange)> = Vec::new();
            let mut changed = HashSet::new();
            for report in reports {
                if !is_known(db, report.server)? {
                    return Err(WriteError::Invalid(format!(
                        "the downstream server {} of a computer is not known",
                        report.server
                    )));
                }
                if let Some(change) = store_computer(db, report, now)?
                    && changed.insert(report.id.as_str())
                {
                    changes.push((report.id.clone(), change));
                }
            }
            Ok(changes)
        })
    }

    /// Of these computers of a server with the numbers of their last reports: those whose number is
    /// another here. None if the server is not known.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn out_of_sync(
        &self,
        server: Uuid,
        numbers: &[(String, i32)],
    ) -> Result<Vec<String>, FleetError> {
        self.read("compare the reports of a downstream server", |db| {
            let mut below = db.prepare_cached(&format!("{BELOW} SELECT id FROM below"))?;
            let below: HashSet<Uuid> = below
                .query_map([server.as_bytes()], |row| uuid_at(row, 0))?
                .collect::<rusqlite::Result<_>>()?;
            let mut find = db.prepare_cached(
                "SELECT rollup_number, server_id FROM rolled_computer WHERE computer_id = ?1",
            )?;
            let mut out = Vec::new();
            for (id, number) in numbers {
                let stored: Option<(i32, Uuid)> =
                    find.query_row([id], |row| Ok((row.get(0)?, uuid_at(row, 1)?))).optional()?;
                if stored.is_some_and(|(last, at)| last != *number && below.contains(&at)) {
                    out.push(id.clone());
                }
            }
            Ok(out)
        })
    }

    /// Stores states of computers of a server, or of one below it. Computers that are not known
    /// are passed over. Of two states of an update the one that was reached later counts.
    ///
    /// # Errors
    /// When SQLite fails; then nothing is kept.
    pub fn report_status(
        &mut self,
        server: Uuid,
        reports: &[StatusReport],
        now: Timestamp,
    ) -> Result<(), FleetError> {
        let bounds = self.bounds();
        self.write("keep the states of a downstream server's computers", |db| {
            let is_below = format!(
                "{BELOW} SELECT 1 FROM rolled_computer
                 WHERE computer_id = ?2 AND server_id IN (SELECT id FROM below)"
            );
            for report in reports {
                let stored = db
                    .prepare_cached(&is_below)?
                    .exists(params![server.as_bytes(), report.computer])?;
                if stored {
                    store_status(db, report, now)?;
                }
            }
            trim(db, &bounds, now)?;
            Ok(())
        })
    }

    /// All computers of servers below, by id.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn downstream_computers(&self) -> Result<Vec<DownstreamComputer>, FleetError> {
        self.read("list the computers of downstream servers", |db| {
            let mut statement = db.prepare_cached(
                "SELECT computer_id, server_id, last_sync, last_sync_result, last_report, received,
                        details
                 FROM rolled_computer ORDER BY computer_id",
            )?;
            let computers = statement.query_map([], |row| {
                let details: String = row.get(6)?;
                Ok(DownstreamComputer {
                    id: row.get(0)?,
                    server: uuid_at(row, 1)?,
                    last_sync: optional_moment_at(row, 2)?,
                    last_sync_result: row.get(3)?,
                    last_report: optional_moment_at(row, 4)?,
                    received: moment_at(row, 5)?,
                    details: serde_json::from_str(&details)
                        .map_err(|e| bad_column(6, Type::Text, e))?,
                })
            })?;
            Ok(computers.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// How many computers of servers below there are.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn downstream_computer_count(&self) -> Result<u64, FleetError> {
        self.read("count the computers of downstream servers", |db| {
            Ok(db
                .prepare_cached("SELECT computers FROM occupied_in_all WHERE whose = 'below'")?
                .query_row([], |row| u64_at(row, 0))?)
        })
    }

    /// How many updates are in which state on the computers of a server: computer, state, how many.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn downstream_states(
        &self,
        server: Uuid,
    ) -> Result<Vec<(String, String, u64)>, FleetError> {
        self.read("count states on the computers of a downstream server", |db| {
            Ok(db
                .prepare_cached(
                    "SELECT c.computer_id, s.state, count(*) FROM rolled_computer c
                     JOIN rolled_compliance s USING (computer_id) WHERE c.server_id = ?1
                     GROUP BY 1, 2 ORDER BY 1, 2",
                )?
                .query_map([server.as_bytes()], |row| {
                    Ok((row.get(0)?, row.get(1)?, u64_at(row, 2)?))
                })?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// How many computers of servers below have an update in each state: state, how many.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn downstream_compliance(
        &self,
        update: UpdateId,
    ) -> Result<Vec<(String, u64)>, FleetError> {
        self.read("count states on the computers of downstream servers", |db| {
            Ok(db
                .prepare_cached(
                    "SELECT state, count(*) FROM rolled_compliance WHERE update_id = ?1
                     GROUP BY state ORDER BY state",
                )?
                .query_map([update.0.as_bytes()], |row| Ok((row.get(0)?, u64_at(row, 1)?)))?
                .collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// A server with all below it.
const BELOW: &str = "WITH RECURSIVE below (id) AS (
    SELECT server_id FROM downstream WHERE server_id = ?1 UNION
    SELECT d.server_id FROM downstream d JOIN below b ON d.parent = b.id)";

fn store_computer(
    db: &Connection,
    report: &ComputerReport,
    now: Timestamp,
) -> Result<Option<ComputerChange>, WriteError> {
    if report.id.is_empty() || report.id.len() > NAME {
        return Err(WriteError::Invalid(format!("a computer's id has 1 to {NAME} bytes")));
    }
    // Since then it came to this server itself, or to another server.
    let newer = |at: Option<Timestamp>| at.is_some() && at > report.last_sync;
    let own: Option<Option<Timestamp>> = db
        .prepare_cached("SELECT last_sync FROM computer WHERE computer_id = ?1")?
        .query_row([&report.id], |row| optional_moment_at(row, 0))
        .optional()?;
    if own.is_some_and(newer) {
        return Ok(Some(ComputerChange::Gone));
    }
    let before: Option<(Uuid, Option<Timestamp>)> = db
        .prepare_cached("SELECT server_id, last_sync FROM rolled_computer WHERE computer_id = ?1")?
        .query_row([&report.id], |row| Ok((uuid_at(row, 0)?, optional_moment_at(row, 1)?)))
        .optional()?;
    let same_server = before.is_some_and(|(server, _)| server == report.server);
    if before.is_some_and(|(_, at)| newer(at)) {
        return Ok((!same_server).then_some(ComputerChange::Gone));
    }
    if !same_server {
        if report.details.is_none() {
            return Ok(Some(ComputerChange::DetailsWanted));
        }
        make_room_for_report(db, &report.id, now)?;
    }
    let details =
        report.details.as_ref().map(|details| serde_json::to_string(&clip_json(details, DETAILS)));
    db.prepare_cached(
        "INSERT INTO rolled_computer (computer_id, server_id, last_sync, last_sync_result,
            last_reboot, last_report, last_inventory, received, details)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, coalesce(?9, '{}'))
         ON CONFLICT (computer_id) DO UPDATE SET
            last_sync = ?3, last_sync_result = ?4, last_reboot = ?5, last_report = ?6,
            last_inventory = ?7, received = ?8, details = coalesce(?9, details)",
    )?
    .execute(params![
        report.id,
        report.server.as_bytes(),
        report.last_sync.map(moment),
        report.last_sync_result,
        report.last_reboot.map(moment),
        report.last_report.map(moment),
        report.last_inventory.map(moment),
        moment(now),
        details.transpose()?,
    ])?;
    Ok(None)
}

fn store_status(db: &Connection, report: &StatusReport, now: Timestamp) -> Result<(), WriteError> {
    let computer = report.computer.as_str();
    if report.full {
        db.prepare_cached("DELETE FROM rolled_compliance WHERE computer_id = ?1")?
            .execute([computer])?;
    }
    // A state that is removed needs no room.
    let states = report.updates.iter().scan(0, |kept, status| {
        *kept += usize::from(status.1.is_some());
        (*kept <= UPDATES).then_some(status)
    });
    for (update, state, changed) in states {
        let (update, changed) = (update.0.as_bytes(), moment(changed.unwrap_or(now)));
        match state {
            Some(state) => db
                .prepare_cached(
                    "INSERT INTO rolled_compliance (computer_id, update_id, state, changed)
                     VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (computer_id, update_id) DO UPDATE SET state = ?3, changed = ?4
                     WHERE ?4 >= changed",
                )?
                .execute(params![computer, update, state_name(*state), changed])?,
            None => db
                .prepare_cached(
                    "DELETE FROM rolled_compliance
                     WHERE computer_id = ?1 AND update_id = ?2 AND ?3 >= changed",
                )?
                .execute(params![computer, update, changed])?,
        };
    }
    db.prepare_cached(
        "UPDATE rolled_computer SET rollup_number = ?2, last_detection = ?3 WHERE computer_id = ?1",
    )?
    .execute(params![computer, report.number, report.last_detection.map(moment)])?;
    Ok(())
}
