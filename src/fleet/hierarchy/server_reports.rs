//! What servers below report of themselves. [MS-WSUSSS] 3.1.4.14

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::downstream_servers::{is_known, make_room};
use crate::{
    fleet::{
        database::Fleet,
        error::{FleetError, WriteError},
        limits::{DETAILS, FleetBounds, NAME, clip, clip_json},
    },
    sqlite::{moment, optional_moment_at, u64_at, update_at},
    update::UpdateIdentity,
};

/// A server as it reports, or its parent for it.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerReport {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The server that it comes to; none: this one.
    pub parent: Option<Uuid>,
    /// Of its program.
    pub version: String,
    /// Takes over approvals and groups.
    pub replica: bool,
    /// When it last synchronized.
    pub last_sync: Option<Timestamp>,
    /// When it made this report.
    pub last_rollup: Option<Timestamp>,
    /// Numbers, a JSON object.
    pub summary: Value,
    /// Its computers by system, a JSON array without activity.
    pub clients: Vec<Value>,
    /// Installations since its last report: update, revision, succeeded, failed.
    pub activity: Vec<(UpdateIdentity, u32, u32)>,
}

/// Systems that are kept of one server.
const CLIENTS: usize = 1000;
/// Bytes of what is said of one of them.
const CLIENT: usize = 2048;
/// Rows of activity that are kept of one server.
const ACTIVITY: u32 = 50_000;

impl Fleet {
    /// Stores reports of servers, parents before their children. One that is older than what is
    /// stored is passed over; several of one server with the same time belong together.
    /// [MS-WSUSSS] 3.1.4.14
    ///
    /// # Errors
    /// [`FleetError::Invalid`] when a parent is not known, or there is no room for one more
    /// server; then nothing is kept.
    pub fn report_servers(
        &mut self,
        reports: &[ServerReport],
        now: Timestamp,
    ) -> Result<(), FleetError> {
        self.report_servers_from(reports, None, now)
    }

    /// As [`Fleet::report_servers`], with the address of the one who reports.
    ///
    /// # Errors
    /// As [`Fleet::report_servers`].
    pub fn report_servers_from(
        &mut self,
        reports: &[ServerReport],
        address: Option<&str>,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        let (address, bounds) = (address.map(|address| clip(address, NAME)), self.bounds());
        self.write("keep the report of a downstream server", |db| {
            for report in reports {
                check(db, report, address, &bounds, now)?;
                store_report(db, report, address, now)?;
            }
            Ok(())
        })
    }

    /// What was installed on the computers of a server, as it reported, by update.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn downstream_activity(&self, server: Uuid) -> Result<Vec<Activity>, FleetError> {
        self.read("read the activity of a downstream server", |db| {
            let mut statement = db.prepare_cached(
                "SELECT update_id, revision_number, succeeded, failed FROM downstream_activity
                 WHERE server_id = ?1 ORDER BY update_id, revision_number",
            )?;
            let rows = statement.query_map([server.as_bytes()], |row| {
                Ok(Activity {
                    identity: UpdateIdentity { id: update_at(row, 0)?, revision: row.get(1)? },
                    succeeded: u64_at(row, 2)?,
                    failed: u64_at(row, 3)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// Installations of a revision that a server reported, in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Activity {
    /// Which revision.
    pub identity: UpdateIdentity,
    /// How often that succeeded.
    pub succeeded: u64,
    /// How often it failed.
    pub failed: u64,
}

fn store_report(
    db: &Connection,
    report: &ServerReport,
    address: Option<&str>,
    now: Timestamp,
) -> Result<(), WriteError> {
    let stored: Option<(Option<Timestamp>, Option<String>)> = db
        .prepare_cached("SELECT last_rollup, clients FROM downstream WHERE server_id = ?1")?
        .query_row([report.id.as_bytes()], |row| Ok((optional_moment_at(row, 0)?, row.get(1)?)))
        .optional()?;
    let mut clients = Vec::new();
    if let Some((last_rollup, before)) = stored {
        if report.last_rollup < last_rollup {
            return Ok(());
        }
        if report.last_rollup == last_rollup && last_rollup.is_some() {
            clients = before.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        }
    }
    clients.retain(|old| !report.clients.iter().any(|new| same_system(old, new)));
    clients.extend_from_slice(&report.clients);
    clients.truncate(CLIENTS);
    let clients: Vec<Value> = clients.iter().map(|client| clip_json(client, CLIENT)).collect();
    db.prepare_cached(
        "INSERT INTO downstream (server_id, name, parent, version, replica, first_seen,
            last_contact, last_sync, last_rollup, summary, clients, address)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (server_id) DO UPDATE SET
            name = ?2, parent = ?3, version = ?4, replica = ?5, last_contact = ?6, last_sync = ?7,
            last_rollup = ?8, summary = ?9, clients = ?10, address = coalesce(?11, address)",
    )?
    .execute(params![
        report.id.as_bytes(),
        clip(&report.name, NAME),
        report.parent.as_ref().map(Uuid::as_bytes),
        clip(&report.version, NAME),
        report.replica,
        moment(now),
        report.last_sync.map(moment),
        report.last_rollup.map(moment),
        serde_json::to_string(&clip_json(&report.summary, DETAILS))?,
        serde_json::to_string(&clients)?,
        address,
    ])?;
    add_activity(db, report)
}

/// Refuses a report that has no place in the tree of servers.
fn check(
    db: &Connection,
    report: &ServerReport,
    address: Option<&str>,
    bounds: &FleetBounds,
    now: Timestamp,
) -> Result<(), WriteError> {
    let refused = |why: &str| {
        WriteError::Invalid(format!("the report of the downstream server {}: {why}", report.id))
    };
    if report.id.is_nil() || report.parent == Some(report.id) {
        return Err(refused("it has no id of its own"));
    }
    if let Some(parent) = report.parent
        && !is_known(db, parent)?
    {
        return Err(refused("its parent is not known"));
    }
    if !make_room(db, report.id, address, bounds, now)? {
        return Err(refused("there is no room for one more server"));
    }
    Ok(())
}

/// Whether two summaries are of one system, however many computers they count.
fn same_system(a: &Value, b: &Value) -> bool {
    let without_count = |value: &Value| {
        let mut members = value.as_object().cloned().unwrap_or_default();
        members.remove("count");
        members
    };
    without_count(a) == without_count(b)
}

fn add_activity(db: &Connection, report: &ServerReport) -> Result<(), WriteError> {
    let kept: u32 = db
        .prepare_cached("SELECT count(*) FROM downstream_activity WHERE server_id = ?1")?
        .query_row([report.id.as_bytes()], |row| row.get(0))?;
    let mut room = ACTIVITY.saturating_sub(kept);
    for (identity, succeeded, failed) in &report.activity {
        let (id, update) = (report.id.as_bytes(), identity.id.0.as_bytes());
        let counts = params![id, update, identity.revision, succeeded, failed];
        let added = db
            .prepare_cached(
                "UPDATE downstream_activity SET succeeded = succeeded + ?4, failed = failed + ?5
                 WHERE server_id = ?1 AND update_id = ?2 AND revision_number = ?3",
            )?
            .execute(counts)?;
        if added == 0 && room > 0 {
            room -= 1;
            db.prepare_cached(
                "INSERT INTO downstream_activity
                    (server_id, update_id, revision_number, succeeded, failed)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(counts)?;
        }
    }
    Ok(())
}
