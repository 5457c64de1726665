//! Registered computers: names, target groups, hardware, last contact.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use uuid::Uuid;

use super::{
    contacts::{note_seen_at, unfit_id},
    placement::{forget, memberships, place_as_requested, requested_groups, resolve},
};
use crate::{
    fleet::{
        database::Fleet,
        decisions::groups::UNASSIGNED_COMPUTERS,
        error::FleetError,
        limits::{DETAILS, NAME, TEXT, clip, clip_json},
    },
    sqlite::{moment_at, optional_moment_at, uuid_at},
};

/// A computer as lists show it. All of it are claims of the computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Computer {
    /// `clientId`.
    pub id: String,
    /// DNS name.
    pub dns_name: String,
    /// Groups asked for by client-side targeting, divided by `;`.
    pub requested_group: Option<String>,
    /// What RegisterComputer said, JSON.
    pub details: Option<serde_json::Value>,
    /// Groups that it is in itself (without ancestors); Unassigned Computers if none.
    pub groups: Vec<Uuid>,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// Its last SyncUpdates.
    pub last_sync: Option<Timestamp>,
    /// Its last report.
    pub last_report: Option<Timestamp>,
}

/// A computer says who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// `clientId`.
    pub id: String,
    /// DNS name.
    pub dns_name: String,
    /// Groups asked for by client-side targeting, divided by `;`.
    pub requested_group: Option<String>,
    /// Where it calls from.
    pub address: Option<String>,
}

impl Fleet {
    /// A computer presents itself (GetAuthorizationCookie). If `requested_group` names groups, divided
    /// by `;`, and no administrator has put the computer elsewhere, it joins all of them that exist, and
    /// leaves them when it asks for others or for none.
    ///
    /// # Errors
    /// When the id is empty or longer than 256 bytes, or SQLite fails.
    pub fn introduce(
        &mut self,
        id: &str,
        dns_name: &str,
        requested_group: Option<&str>,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        let introduction = Introduction {
            id: id.to_owned(),
            dns_name: dns_name.to_owned(),
            requested_group: requested_group.map(str::to_owned),
            address: None,
        };
        self.introduce_as(&introduction, now)
    }

    /// As [`Fleet::introduce`], with the address. If there is no room for one more computer, another goes:
    /// see [`FleetBounds`].
    ///
    /// # Errors
    /// As [`Fleet::introduce`]; [`FleetError::NoRoom`] when none may go.
    pub fn introduce_as(&mut self, new: &Introduction, now: Timestamp) -> Result<(), FleetError> {
        let bounds = self.bounds();
        self.write("note a computer", |db| {
            note_seen_at(db, &new.id, new.address.as_deref(), &bounds, now)?;
            let requested = new.requested();
            db.prepare_cached(
                "UPDATE computer SET dns_name = ?2, requested_group = ?3 WHERE computer_id = ?1",
            )?
            .execute(params![new.id, clip(&new.dns_name, NAME), requested])?;
            place_as_requested(db, &new.id, requested)
        })
    }

    /// Whether a computer has said exactly this before, and is in the groups that follow from it: then
    /// there is nothing to write but when it was here.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn is_introduced(&self, new: &Introduction) -> Result<bool, FleetError> {
        self.read("look up a computer", |db| {
            let placed: Option<String> = db
                .prepare_cached(
                    "SELECT placed FROM computer WHERE computer_id = ?1 AND dns_name = ?2
                        AND requested_group IS ?3 AND (?4 IS NULL OR address IS ?4)",
                )?
                .query_row(
                    params![new.id, clip(&new.dns_name, NAME), new.requested(), new.address],
                    |row| row.get(0),
                )
                .optional()?;
            match (placed.as_deref(), new.requested()) {
                (None, _) => Ok(false),
                (Some("administrator"), _) | (Some("nobody"), None) => Ok(true),
                (Some(_), requested) => {
                    let mut wanted = requested
                        .map_or(Ok(Vec::new()), |names| requested_groups(db, &new.id, names))?;
                    wanted.sort_unstable();
                    Ok(memberships(db, &new.id)? == wanted)
                }
            }
        })
    }

    /// Stores what RegisterComputer said; texts are cut at 4 KiB.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn register(
        &mut self,
        id: &str,
        details: &serde_json::Value,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        self.register_from(id, details, None, now)
    }

    /// As [`Fleet::register`], with the address.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn register_from(
        &mut self,
        id: &str,
        details: &serde_json::Value,
        address: Option<&str>,
        now: Timestamp,
    ) -> Result<(), FleetError> {
        let bounds = self.bounds();
        self.write("register a computer", |db| {
            note_seen_at(db, id, address, &bounds, now)?;
            db.prepare_cached("UPDATE computer SET details = ?2 WHERE computer_id = ?1")?
                .execute(params![id, details_text(details)?])?;
            Ok(())
        })
    }

    /// Whether a computer has registered with exactly these details.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn has_details(&self, id: &str, details: &serde_json::Value) -> Result<bool, FleetError> {
        self.read("look up a computer", |db| {
            let details = details_text(details)?;
            Ok(db
                .prepare_cached("SELECT 1 FROM computer WHERE computer_id = ?1 AND details = ?2")?
                .exists([id, &details])?)
        })
    }

    /// Whether RegisterComputer has been called for it.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn is_registered(&self, id: &str) -> Result<bool, FleetError> {
        self.read("look up a computer", |db| {
            Ok(db
                .prepare_cached(
                    "SELECT 1 FROM computer WHERE computer_id = ?1 AND details IS NOT NULL",
                )?
                .exists([id])?)
        })
    }

    /// All computers, by name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn computers(&self) -> Result<Vec<Computer>, FleetError> {
        self.read("list the computers", |db| {
            let mut memberships: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
            let mut statement = db.prepare_cached(
                "SELECT computer_id, group_id FROM membership ORDER BY computer_id, group_id",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                memberships.entry(row.get(0)?).or_default().push(uuid_at(row, 1)?);
            }
            let mut statement = db.prepare_cached(
                "SELECT computer_id, dns_name, requested_group, details, first_seen, last_seen,
                        last_sync, last_report
                 FROM computer ORDER BY dns_name COLLATE NOCASE, computer_id",
            )?;
            let computers = statement.query_map([], |row| {
                let id: String = row.get(0)?;
                let groups = memberships.remove(&id).unwrap_or_else(|| vec![UNASSIGNED_COMPUTERS]);
                computer(row, id, groups)
            })?;
            Ok(computers.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Removes a computer, with what it reported.
    ///
    /// # Errors
    /// When there is no such computer, or several have the name.
    pub fn remove_computer(&mut self, id_or_name: &str) -> Result<(), FleetError> {
        self.write("remove a computer", |db| {
            let id = resolve(db, id_or_name)?;
            forget(db, &id)
        })
    }
}

impl Introduction {
    /// The same with texts no longer than what is kept.
    ///
    /// # Errors
    /// [`FleetError::Invalid`] when the id is empty or longer than 256 bytes.
    pub fn bounded(self) -> Result<Self, FleetError> {
        if let Some(what) = unfit_id(&self.id) {
            return Err(FleetError::Invalid { what });
        }
        let requested_group = self.requested().map(str::to_owned);
        Ok(Self { dns_name: clip(&self.dns_name, NAME).to_owned(), requested_group, ..self })
    }

    fn requested(&self) -> Option<&str> {
        self.requested_group.as_deref().map(|name| clip(name, TEXT))
    }
}

/// What is kept of the details of a computer.
pub fn bounded_details(details: &serde_json::Value) -> serde_json::Value {
    clip_json(details, DETAILS)
}

/// The details of a computer as they are stored.
fn details_text(details: &serde_json::Value) -> serde_json::Result<String> {
    serde_json::to_string(&bounded_details(details))
}

fn computer(row: &Row<'_>, id: String, groups: Vec<Uuid>) -> rusqlite::Result<Computer> {
    let details: Option<String> = row.get(3)?;
    Ok(Computer {
        id,
        dns_name: row.get(1)?,
        requested_group: row.get(2)?,
        details: details.and_then(|json| serde_json::from_str(&json).ok()),
        groups,
        first_seen: moment_at(row, 4)?,
        last_seen: moment_at(row, 5)?,
        last_sync: optional_moment_at(row, 6)?,
        last_report: optional_moment_at(row, 7)?,
    })
}
