//! Servers below this one: who they are, what they were given, what they report of themselves.
//! [MS-WSUSSS] 3.1.1
//!
//! All of it is a claim: anyone on the network may be a server with a new id. No more than
//! [`DOWNSTREAMS_KEPT`] are kept.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params, types::Type};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    fleet::{
        database::{Fleet, Result},
        error::WriteError,
        limits::{NAME, clip, clip_json},
    },
    sqlite::{bad_column, int, moment, moment_at, optional_moment_at, u64_at, update_at, uuid_at},
    update::UpdateIdentity,
};

/// Servers that are kept. One more takes the place of the one that was away longest among those
/// that only said who they are; if there is none, it is served but not kept.
pub const DOWNSTREAMS_KEPT: u32 = 1000;

/// A server below this one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Downstream {
    /// Its id, chosen by itself.
    pub id: Uuid,
    /// Its name, as a rule the FQDN.
    pub name: String,
    /// The server that it comes to; none: this one.
    pub parent: Option<Uuid>,
    /// The protocol version of its last cookie.
    pub protocol: Option<String>,
    /// Of its program.
    pub version: Option<String>,
    /// Takes over approvals and groups; not known before it reports.
    pub replica: Option<bool>,
    /// When it was first heard of.
    pub first_seen: Timestamp,
    /// When it was last heard of.
    pub last_contact: Timestamp,
    /// When it last synchronized, as it says.
    pub last_sync: Option<Timestamp>,
    /// When it last reported, as it says.
    pub last_rollup: Option<Timestamp>,
    /// What it has been told of: catalogue changes with a mark below this, categories.
    pub categories: Option<u64>,
    /// The same of updates.
    pub updates: Option<u64>,
    /// When it was last given a list.
    pub listed: Option<Timestamp>,
    /// Up to which change mark it has been given deployments.
    pub deployments: Option<u64>,
    /// When it was last given deployments.
    pub deployed: Option<Timestamp>,
    /// Numbers that it reported.
    pub summary: Option<Value>,
    /// Its computers by system.
    pub clients: Option<Value>,
}

/// What a downstream was just given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownstreamDelivery {
    /// The list of categories, up to this change mark of the catalogue.
    Categories(u64),
    /// The list of updates, up to this change mark of the catalogue.
    Updates(u64),
    /// Deployments, up to this change mark.
    Deployments(u64),
}

impl Fleet {
    /// A server says who it is; false if it could not be kept. The id of zeros, by which nobody can
    /// be told, is not kept.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note_downstream(&mut self, id: Uuid, name: &str, now: Timestamp) -> Result<bool> {
        self.write("note a downstream server", |db| {
            if id.is_nil() || !room(db, id)? {
                return Ok(false);
            }
            db.prepare_cached(
                "INSERT INTO downstream (server_id, name, first_seen, last_contact)
                 VALUES (?1, ?2, ?3, ?3)
                 ON CONFLICT (server_id) DO UPDATE SET
                    name = ?2, parent = NULL, last_contact = ?3",
            )?
            .execute(params![id.as_bytes(), clip(name, NAME), moment(now)])?;
            Ok(true)
        })
    }

    /// Notes the protocol version that a known server speaks.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note_downstream_protocol(
        &mut self,
        id: Uuid,
        protocol: &str,
        now: Timestamp,
    ) -> Result<()> {
        self.write("note the version of a downstream server", |db| {
            db.prepare_cached(
                "UPDATE downstream SET protocol = ?2, last_contact = ?3 WHERE server_id = ?1",
            )?
            .execute(params![id.as_bytes(), clip(protocol, NAME), moment(now)])?;
            Ok(())
        })
    }

    /// Notes what a known server was given.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note_delivery(
        &mut self,
        id: Uuid,
        given: DownstreamDelivery,
        now: Timestamp,
    ) -> Result<()> {
        let (sql, mark) = match given {
            DownstreamDelivery::Categories(mark) => ("categories = ?2, listed = ?3", mark),
            DownstreamDelivery::Updates(mark) => ("updates = ?2, listed = ?3", mark),
            DownstreamDelivery::Deployments(mark) => ("deployments = ?2, deployed = ?3", mark),
        };
        self.write("note what a downstream server was given", |db| {
            let sql =
                format!("UPDATE downstream SET {sql}, last_contact = ?3 WHERE server_id = ?1");
            db.prepare_cached(&sql)?.execute(params![id.as_bytes(), int(mark), moment(now)])?;
            Ok(())
        })
    }

    /// All servers below, by name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn downstreams(&self) -> Result<Vec<Downstream>> {
        self.read("list the downstream servers", |db| {
            let sql = "SELECT server_id, name, parent, protocol, version, replica, first_seen,
                    last_contact, last_sync, last_rollup, categories, updates, listed,
                    deployments, deployed, summary, clients
                 FROM downstream ORDER BY name COLLATE NOCASE, server_id";
            let mut statement = db.prepare_cached(sql)?;
            let all = statement.query_map([], downstream)?;
            Ok(all.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Forgets a server with all that it reported; those below it go too. True if it was there.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn remove_downstream(&mut self, id: Uuid) -> Result<bool> {
        self.write("forget a downstream server", |db| {
            // A circle of parents ends, because UNION drops what it has seen.
            let removed = db.execute(
                "WITH RECURSIVE below (id) AS (
                    SELECT ?1 UNION
                    SELECT d.server_id FROM downstream d JOIN below b ON d.parent = b.id)
                 DELETE FROM downstream WHERE server_id IN (SELECT id FROM below)",
                [id.as_bytes()],
            )?;
            Ok(removed > 0)
        })
    }
}

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

/// Rows of activity that are kept of one server.
const ACTIVITY: u32 = 50_000;

impl Fleet {
    /// Takes in reports of servers, parents before their children. One that is older than what is
    /// known is passed over; several of one server with the same time belong together.
    /// [MS-WSUSSS] 3.1.4.14
    ///
    /// # Errors
    /// [`super::FleetError::Invalid`] when a parent is not known, or there is no room for one more
    /// server; then nothing is kept.
    pub fn report_servers(&mut self, reports: &[ServerReport], now: Timestamp) -> Result<()> {
        self.write("keep the report of a downstream server", |db| {
            reports.iter().try_for_each(|report| take_in(db, report, now))
        })
    }

    /// What was installed on the computers of a server, as it reported, by update.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn downstream_activity(&self, server: Uuid) -> Result<Vec<Activity>> {
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

fn take_in(
    db: &Connection,
    report: &ServerReport,
    now: Timestamp,
) -> std::result::Result<(), WriteError> {
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
    if !room(db, report.id)? {
        return Err(refused("there is no room for one more server"));
    }
    let known: Option<(Option<Timestamp>, Option<String>)> = db
        .prepare_cached("SELECT last_rollup, clients FROM downstream WHERE server_id = ?1")?
        .query_row([report.id.as_bytes()], |row| Ok((optional_moment_at(row, 0)?, row.get(1)?)))
        .optional()?;
    let mut clients = Vec::new();
    if let Some((last_rollup, before)) = known {
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
    db.prepare_cached(
        "INSERT INTO downstream (server_id, name, parent, version, replica, first_seen,
            last_contact, last_sync, last_rollup, summary, clients)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (server_id) DO UPDATE SET
            name = ?2, parent = ?3, version = ?4, replica = ?5, last_contact = ?6, last_sync = ?7,
            last_rollup = ?8, summary = ?9, clients = ?10",
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
        serde_json::to_string(&clip_json(&report.summary))?,
        serde_json::to_string(&clients)?,
    ])?;
    add_activity(db, report)
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

/// Systems that are kept of one server.
const CLIENTS: usize = 1000;

fn add_activity(db: &Connection, report: &ServerReport) -> std::result::Result<(), WriteError> {
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

pub(crate) fn is_known(db: &Connection, id: Uuid) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM downstream WHERE server_id = ?1")?.exists([id.as_bytes()])
}

/// Whether a server is known or can be added; makes room if need be.
fn room(db: &Connection, id: Uuid) -> rusqlite::Result<bool> {
    let kept: u32 =
        db.prepare_cached("SELECT count(*) FROM downstream")?.query_row([], |row| row.get(0))?;
    if kept < DOWNSTREAMS_KEPT || is_known(db, id)? {
        return Ok(true);
    }
    let dropped = db
        .prepare_cached(
            "DELETE FROM downstream WHERE server_id = (
                SELECT server_id FROM downstream d
                WHERE listed IS NULL AND last_rollup IS NULL
                AND NOT EXISTS (SELECT 1 FROM downstream c WHERE c.parent = d.server_id)
                ORDER BY last_contact LIMIT 1)",
        )?
        .execute([])?;
    Ok(dropped > 0)
}

fn downstream(row: &Row<'_>) -> rusqlite::Result<Downstream> {
    let mark = |column| {
        let mark: Option<i64> = row.get(column)?;
        mark.map(u64::try_from).transpose().map_err(|e| bad_column(column, Type::Integer, e))
    };
    let json = |column| {
        let text: Option<String> = row.get(column)?;
        Ok::<_, rusqlite::Error>(text.and_then(|text| serde_json::from_str(&text).ok()))
    };
    let has_parent = row.get_ref(2)?.as_blob_or_null()?.is_some();
    Ok(Downstream {
        id: uuid_at(row, 0)?,
        name: row.get(1)?,
        parent: if has_parent { Some(uuid_at(row, 2)?) } else { None },
        protocol: row.get(3)?,
        version: row.get(4)?,
        replica: row.get(5)?,
        first_seen: moment_at(row, 6)?,
        last_contact: moment_at(row, 7)?,
        last_sync: optional_moment_at(row, 8)?,
        last_rollup: optional_moment_at(row, 9)?,
        categories: mark(10)?,
        updates: mark(11)?,
        listed: optional_moment_at(row, 12)?,
        deployments: mark(13)?,
        deployed: optional_moment_at(row, 14)?,
        summary: json(15)?,
        clients: json(16)?,
    })
}
