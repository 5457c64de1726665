//! Bounds on computers and on what they report: what is over them goes, of the address that occupies most,
//! the computers that never scanned and the oldest first. None that an administrator placed goes.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::placement::forget;
use crate::{
    fleet::{dropped, error::WriteError, limits::FleetBounds},
    sqlite::{int, u64_at},
};

/// All computers, in the table of what is occupied.
const ALL: &str = "*";
/// Computers whose address is not known.
const NOWHERE: &str = "";
/// When the fleet is full, so many parts of a hundred are freed at once.
const FREED: u64 = 5;

/// Makes room for a new computer of an address.
pub(super) fn make_room(
    db: &Connection,
    address: Option<&str>,
    bounds: &FleetBounds,
    now: Timestamp,
) -> Result<(), WriteError> {
    if let Some(address) = address {
        let never_scanned = db
            .prepare_cached(&format!("SELECT count(*) FROM computer WHERE address = ?1 AND {NEW}"))?
            .query_row([address], |row| u64_at(row, 0))?;
        if never_scanned >= bounds.never_scanned_of_address {
            drop_computer(db, Some(address), now)?;
        }
        if occupied(db, address)?.0 >= bounds.computers_of_address {
            drop_computer(db, Some(address), now)?;
        }
    }
    if occupied(db, ALL)?.0 >= bounds.computers {
        let largest = largest(db, "computers")?;
        drop_computer(db, largest.as_deref(), now)?;
    }
    Ok(())
}

/// A computer that has only said its name.
const NEW: &str = "last_sync IS NULL AND last_report IS NULL AND placed <> 'administrator'";

/// Drops a computer of an address: one that never scanned, else the one that was away longest.
fn drop_computer(db: &Connection, address: Option<&str>, now: Timestamp) -> Result<(), WriteError> {
    let find = |condition: &str| {
        db.prepare_cached(&format!(
            "SELECT computer_id FROM computer WHERE address IS ?1 AND {condition}
             ORDER BY last_seen LIMIT 1"
        ))?
        .query_row([address], |row| row.get::<_, String>(0))
        .optional()
    };
    let found = match find(NEW)? {
        Some(id) => Some(id),
        None => find("placed <> 'administrator'")?,
    };
    if let Some(id) = found {
        forget(db, &id)?;
        dropped::note(db, "computers", 1, address, now)?;
    }
    Ok(())
}

/// Brings what a computer, those of its address, and all computers have reported within bounds.
pub(super) fn trim(
    db: &Connection,
    computer: &str,
    bounds: &FleetBounds,
    now: Timestamp,
) -> Result<(), WriteError> {
    let (stored, address): (u64, Option<String>) = db
        .prepare_cached("SELECT stored, address FROM computer WHERE computer_id = ?1")?
        .query_row([computer], |row| Ok((u64_at(row, 0)?, row.get(1)?)))?;
    if let Some(over) = stored.checked_sub(bounds.bytes_of_computer).filter(|over| *over > 0) {
        let events = drop_events(db, "computer_id = ?1", Some(computer), over)?;
        dropped::note(db, "events", events, address.as_deref(), now)?;
    }
    if let Some(address) = &address {
        trim_address(db, Some(address), bounds.bytes_of_address, now)?;
    }
    let (_, all) = occupied(db, ALL)?;
    if all > bounds.bytes {
        let largest = largest(db, "bytes")?;
        let (_, its) = occupied(db, largest.as_deref().unwrap_or(NOWHERE))?;
        let over = (all - bounds.bytes) + bounds.bytes / 100 * FREED;
        trim_address(db, largest.as_deref(), its.saturating_sub(over), now)?;
    }
    Ok(())
}

/// Drops the oldest events of an address, and if that is not enough, the states of the computers that have
/// not reported for longest.
fn trim_address(
    db: &Connection,
    address: Option<&str>,
    bytes: u64,
    now: Timestamp,
) -> Result<(), WriteError> {
    let over = |db| {
        let (_, stored) = occupied(db, address.unwrap_or(NOWHERE))?;
        Ok::<_, rusqlite::Error>(stored.saturating_sub(bytes))
    };
    let too_much = over(db)?;
    if too_much == 0 {
        return Ok(());
    }
    // A little more at once: the next report finds room.
    let too_much = too_much + bytes / 100 * FREED;
    let of_address = "computer_id IN (SELECT computer_id FROM computer WHERE address IS ?1)";
    let events = drop_events(db, of_address, address, too_much)?;
    dropped::note(db, "events", events, address, now)?;
    let mut states = 0;
    while over(db)? > 0 {
        let oldest: Option<String> = db
            .prepare_cached(
                "SELECT computer_id FROM computer WHERE address IS ?1 AND stored > 0
                 ORDER BY last_report LIMIT 1",
            )?
            .query_row([address], |row| row.get(0))
            .optional()?;
        let Some(oldest) = oldest else { break };
        let removed = db
            .prepare_cached("DELETE FROM compliance WHERE computer_id = ?1")?
            .execute([&oldest])?;
        if removed == 0 {
            break;
        }
        states += removed;
    }
    dropped::note(db, "states", states, address, now)?;
    Ok(())
}

/// Drops the oldest events that fit a condition until so many bytes are free; how many.
fn drop_events(
    db: &Connection,
    condition: &str,
    of: Option<&str>,
    bytes: u64,
) -> rusqlite::Result<usize> {
    let until: Option<i64> = db
        .prepare_cached(&format!(
            "SELECT min(arrival) FROM (
                SELECT arrival, sum(bytes) OVER (ORDER BY arrival) AS freed
                FROM event WHERE {condition})
             WHERE freed >= ?2"
        ))?
        .query_row(params![of, int(bytes)], |row| row.get(0))?;
    db.prepare_cached(&format!(
        "DELETE FROM event WHERE {condition} AND (?2 IS NULL OR arrival <= ?2)"
    ))?
    .execute(params![of, until])
}

/// Computers and bytes of an address.
fn occupied(db: &Connection, address: &str) -> rusqlite::Result<(u64, u64)> {
    let found = db
        .prepare_cached("SELECT computers, bytes FROM occupied WHERE address = ?1")?
        .query_row([address], |row| Ok((u64_at(row, 0)?, u64_at(row, 1)?)))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// The address that occupies most; none where it is not known.
fn largest(db: &Connection, what: &str) -> rusqlite::Result<Option<String>> {
    let address: String = db
        .prepare_cached(&format!(
            "SELECT address FROM occupied WHERE address NOT IN ('*', 'below')
             ORDER BY {what} DESC LIMIT 1"
        ))?
        .query_row([], |row| row.get(0))?;
    Ok((address != NOWHERE).then_some(address))
}
