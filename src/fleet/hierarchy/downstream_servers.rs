//! Servers below this one: who they are, and what they were given. [MS-WSUSSS] 3.1.1
//!
//! All of it is a claim: anyone on the network may be a server with a new id. No more than
//! [`DOWNSTREAMS_KEPT`] are kept.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params, types::Type};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    fleet::{
        database::Fleet,
        dropped,
        error::FleetError,
        limits::{FleetBounds, NAME, clip},
    },
    sqlite::{bad_column, int, moment, moment_at, optional_moment_at, u64_at, uuid_at},
};

/// Servers that are kept. One more takes the place of one of the address that has most of them: of one
/// that only said who it is, else of the one that was away longest.
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
    /// Categories that changed with a mark of the catalogue below this have been listed to it.
    pub categories: Option<u64>,
    /// As `categories`, for updates.
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
    /// A server says who it is; false if it could not be kept. The id of zeros, which
    /// identifies nobody, is not kept.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note_downstream(
        &mut self,
        id: Uuid,
        name: &str,
        now: Timestamp,
    ) -> Result<bool, FleetError> {
        self.note_downstream_from(id, name, None, now)
    }

    /// As [`Fleet::note_downstream`], with the address.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note_downstream_from(
        &mut self,
        id: Uuid,
        name: &str,
        address: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, FleetError> {
        let (address, bounds) = (address.map(|address| clip(address, NAME)), self.bounds());
        self.write("note a downstream server", |db| {
            if id.is_nil() || !make_room(db, id, address, &bounds, now)? {
                return Ok(false);
            }
            db.prepare_cached(
                "INSERT INTO downstream (server_id, name, first_seen, last_contact, address)
                 VALUES (?1, ?2, ?3, ?3, ?4)
                 ON CONFLICT (server_id) DO UPDATE SET name = ?2, parent = NULL,
                    last_contact = ?3, address = coalesce(?4, address)",
            )?
            .execute(params![
                id.as_bytes(),
                clip(name, NAME),
                moment(now),
                address
            ])?;
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
    ) -> Result<(), FleetError> {
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
    ) -> Result<(), FleetError> {
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
    pub fn downstreams(&self) -> Result<Vec<Downstream>, FleetError> {
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
    pub fn remove_downstream(&mut self, id: Uuid) -> Result<bool, FleetError> {
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

/// Whether a server has introduced itself or was reported.
pub(crate) fn is_known(db: &Connection, id: Uuid) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM downstream WHERE server_id = ?1")?.exists([id.as_bytes()])
}

/// Whether a server is known or can be added; makes room if need be.
pub(super) fn make_room(
    db: &Connection,
    id: Uuid,
    address: Option<&str>,
    bounds: &FleetBounds,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    if is_known(db, id)? {
        return Ok(true);
    }
    let of_address = db
        .prepare_cached("SELECT count(*) FROM downstream WHERE address = ?1")?
        .query_row([address], |row| u64_at(row, 0))?;
    if of_address >= bounds.servers_of_address && !drop_server(db, address, now)? {
        return Ok(false);
    }
    let kept: u32 =
        db.prepare_cached("SELECT count(*) FROM downstream")?.query_row([], |row| row.get(0))?;
    if kept < DOWNSTREAMS_KEPT {
        return Ok(true);
    }
    let largest: Option<String> = db
        .prepare_cached(
            "SELECT address FROM downstream GROUP BY address ORDER BY count(*) DESC LIMIT 1",
        )?
        .query_row([], |row| row.get(0))?;
    drop_server(db, largest.as_deref(), now)
}

/// Drops a server of an address: one that has not reported before one that has, one that was never
/// given a list before one that was, the one that was away longest first. One with servers below it
/// stays.
fn drop_server(db: &Connection, address: Option<&str>, now: Timestamp) -> rusqlite::Result<bool> {
    let gone = db
        .prepare_cached(
            "DELETE FROM downstream WHERE server_id = (
                SELECT server_id FROM downstream d WHERE address IS ?1
                AND NOT EXISTS (SELECT 1 FROM downstream c WHERE c.parent = d.server_id)
                ORDER BY last_rollup IS NOT NULL, listed IS NOT NULL, last_contact LIMIT 1)",
        )?
        .execute([address])?;
    dropped::note(db, "servers", gone, address, now)?;
    Ok(gone > 0)
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
