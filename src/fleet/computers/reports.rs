//! Events that computers report, and what follows from them. [MS-WUSP] 2.2.2.3.1
//!
//! Claims of the computers, never proofs.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params, types::Type};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    compliance::{ComplianceState, Event, state_at, state_name},
    contacts::{Contact, note_contact},
    limits::trim,
    outcomes::{UpdateState, UpdateStates, apply},
};
use crate::{
    fleet::{
        database::Fleet,
        error::{FleetError, WriteError},
        limits::{EVENT, NAME, clip, clip_all, clip_json},
    },
    sqlite::{bad_column, moment, moment_at, update_at, uuid_at},
    update::UpdateId,
};

/// Events that are kept of one computer; the oldest are dropped.
pub const EVENTS_KEPT: u32 = 10_000;

/// Bytes that an event takes beside its texts.
const EVENT_ROW: usize = 200;

/// State of one update on one computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Compliance {
    /// The computer.
    pub computer: String,
    /// The update.
    pub update: UpdateId,
    /// Its state.
    pub state: ComplianceState,
    /// Of the failure.
    pub hresult: i32,
    /// When it came to that.
    pub changed: Timestamp,
}

impl Fleet {
    /// Stores a batch of events in its order; those whose instance is here already are dropped. Derives
    /// the compliance states. Returns how many were new.
    ///
    /// Texts are kept up to 4 KiB each and 16 KiB of an event, and [`EVENTS_KEPT`] events of a computer;
    /// of all that is kept, [`FleetBounds`](crate::fleet::FleetBounds) hold. The states are derived from
    /// all that was said, up to 20,000 updates of a computer.
    ///
    /// # Errors
    /// When SQLite fails; then none was kept.
    pub fn report(
        &mut self,
        computer: &str,
        events: &[Event],
        now: Timestamp,
    ) -> Result<usize, FleetError> {
        self.report_from(computer, None, events, now)
    }

    /// As [`Fleet::report`], with the address of the computer.
    ///
    /// # Errors
    /// As [`Fleet::report`].
    pub fn report_from(
        &mut self,
        computer: &str,
        address: Option<&str>,
        events: &[Event],
        now: Timestamp,
    ) -> Result<usize, FleetError> {
        let address = address.map(|address| clip(address, NAME));
        let bounds = self.bounds();
        self.write("keep a report", |db| {
            note_contact(db, computer, Contact::Reported, address, &bounds, now)?;
            let mut new = Vec::new();
            for event in events {
                if insert_event(db, computer, event, now)? {
                    new.push(event);
                }
            }
            if new.is_empty() {
                return Ok(0);
            }
            drop_oldest(db, computer)?;
            let old = states(db, computer)?;
            let mut new_states = old.clone();
            apply(&mut new_states, &new);
            store_changes(db, computer, &old, &new_states, now)?;
            trim(db, computer, &bounds, now)?;
            Ok(new.len())
        })
    }

    /// Compliance of one computer (by id), or of all; by computer, then update.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn compliance(&self, computer: Option<&str>) -> Result<Vec<Compliance>, FleetError> {
        self.read("read the compliance", |db| {
            Ok(db
                .prepare_cached(
                    "SELECT computer_id, update_id, state, hresult, changed FROM compliance
                     WHERE ?1 IS NULL OR computer_id = ?1 ORDER BY computer_id, update_id",
                )?
                .query_map([computer], |row| {
                    Ok(Compliance {
                        computer: row.get(0)?,
                        update: update_at(row, 1)?,
                        state: state_at(row, 2)?,
                        hresult: row.get(3)?,
                        changed: moment_at(row, 4)?,
                    })
                })?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The newest events of a computer, newest first, at most `limit`.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn events(&self, computer: &str, limit: u32) -> Result<Vec<Event>, FleetError> {
        self.read("read the events", |db| {
            Ok(db
                .prepare_cached(
                    "SELECT event_instance_id, at_target, namespace_id, event_id, source_id,
                            update_id, revision_number, hresult, app_name, strings, misc, extended
                     FROM event WHERE computer_id = ?1 ORDER BY arrival DESC LIMIT ?2",
                )?
                .query_map(params![computer, limit], event_row)?
                .collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// Stores an event; false if it is here already.
fn insert_event(
    db: &Connection,
    computer: &str,
    event: &Event,
    now: Timestamp,
) -> Result<bool, WriteError> {
    let mut left = EVENT;
    let strings = serde_json::to_string(&clip_all(&event.strings, &mut left))?;
    let extended = serde_json::to_string(&clip_json(&event.extended, left))?;
    left = left.saturating_sub(extended.len());
    let misc = serde_json::to_string(&clip_all(&event.misc, &mut left))?;
    let bytes = EVENT_ROW + strings.len() + misc.len() + extended.len();
    let rows = db
        .prepare_cached(
            "INSERT INTO event (computer_id, event_instance_id, received, at_target, namespace_id,
                event_id, source_id, update_id, revision_number, hresult, app_name, strings, misc,
                extended, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             ON CONFLICT (computer_id, event_instance_id) DO NOTHING",
        )?
        .execute(params![
            computer,
            event.instance.as_bytes(),
            moment(now),
            clip(&event.at_target, NAME),
            event.namespace_id,
            event.event_id,
            event.source_id,
            event.update.as_ref().map(|(update, _)| update.0.as_bytes()),
            event.update.map(|(_, revision)| revision),
            event.hresult,
            event.app_name.as_ref().map(|name| clip(name, NAME)),
            strings,
            misc,
            extended,
            i64::try_from(bytes).unwrap_or(i64::MAX),
        ])?;
    Ok(rows > 0)
}

fn drop_oldest(db: &Connection, computer: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "DELETE FROM event WHERE computer_id = ?1 AND arrival <= (
            SELECT arrival FROM event WHERE computer_id = ?1
            ORDER BY arrival DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute(params![computer, EVENTS_KEPT])?;
    Ok(())
}

fn states(db: &Connection, computer: &str) -> rusqlite::Result<UpdateStates> {
    db.prepare_cached("SELECT update_id, state, hresult FROM compliance WHERE computer_id = ?1")?
        .query_map([computer], |row| {
            Ok((update_at(row, 0)?, UpdateState { state: state_at(row, 1)?, hresult: row.get(2)? }))
        })?
        .collect()
}

/// Stores the states that differ.
fn store_changes(
    db: &Connection,
    computer: &str,
    old: &UpdateStates,
    new: &UpdateStates,
    now: Timestamp,
) -> rusqlite::Result<()> {
    for update in old.keys().filter(|update| !new.contains_key(update)) {
        db.prepare_cached("DELETE FROM compliance WHERE computer_id = ?1 AND update_id = ?2")?
            .execute(params![computer, update.0.as_bytes()])?;
    }
    for (update, outcome) in new.iter().filter(|(update, new)| old.get(update) != Some(new)) {
        db.prepare_cached(
            "INSERT INTO compliance (computer_id, update_id, state, hresult, changed)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (computer_id, update_id) DO UPDATE SET
                state = ?3, hresult = ?4, changed = ?5",
        )?
        .execute(params![
            computer,
            update.0.as_bytes(),
            state_name(outcome.state),
            outcome.hresult,
            moment(now)
        ])?;
    }
    Ok(())
}

fn event_row(row: &Row<'_>) -> rusqlite::Result<Event> {
    let update = if row.get_ref(5)?.as_blob_or_null()?.is_some() {
        Some((update_at(row, 5)?, row.get(6)?))
    } else {
        None
    };
    Ok(Event {
        instance: uuid_at(row, 0)?,
        at_target: row.get(1)?,
        namespace_id: row.get(2)?,
        event_id: row.get(3)?,
        source_id: row.get(4)?,
        update,
        hresult: row.get(7)?,
        app_name: row.get(8)?,
        strings: json_at(row, 9)?,
        misc: json_at(row, 10)?,
        extended: json_at(row, 11)?,
    })
}

fn json_at<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?)
        .map_err(|e| bad_column(column, Type::Text, e))
}
