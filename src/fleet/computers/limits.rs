//! Bounds on computers and on what they report. Computers that never scanned or reported give way first,
//! then those that were silent longest; none that an administrator placed. What was reported gives way the
//! oldest first. Each step costs in proportion to what goes.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::placement::forget;
use crate::{
    fleet::{dropped, error::WriteError, limits::FleetBounds},
    sqlite::{int, u64_at},
};

/// Computers whose address is not known.
const NOWHERE: &str = "";
/// When reports are over a bound, so many parts of a hundred are freed at once.
const FREED: u64 = 5;
/// When a bound was lowered, so many computers go for each that comes.
const GONE_AT_ONCE: u64 = 1000;

/// Makes room for a computer that is new, at an address and in all. False if there is none, because an
/// administrator has placed all that are there.
pub(super) fn make_room(
    db: &Connection,
    address: Option<&str>,
    bounds: &FleetBounds,
    now: Timestamp,
) -> Result<bool, WriteError> {
    if let Some(address) = address
        && !make_room_at(db, address, true, bounds, now)?
    {
        return Ok(false);
    }
    let all = in_all(db)?.0;
    let mut gone = 0;
    for _ in 0..excess(all, bounds.computers) {
        let Some(address) = who_gives_way(db)? else { break };
        gone += drop_computers(db, address.as_deref(), 1, now)?;
    }
    Ok(has_room(all, gone, bounds.computers))
}

/// Whether one more may come. A bound that was lowered by much is reached with those that come: each
/// takes the place of those that went.
fn has_room(there: u64, gone: u64, bound: u64) -> bool {
    gone > 0 || there < bound
}

/// Makes room at an address for a computer that comes there, and that has or has not scanned before. False
/// if there is none.
pub(super) fn make_room_at(
    db: &Connection,
    address: &str,
    never_scanned: bool,
    bounds: &FleetBounds,
    now: Timestamp,
) -> Result<bool, WriteError> {
    if never_scanned {
        let there = occupied(db, address)?.never_scanned;
        let too_many = excess(there, bounds.never_scanned_of_address);
        drop_computers(db, Some(address), too_many, now)?;
    }
    let there = occupied(db, address)?.computers;
    let too_many = excess(there, bounds.computers_of_address);
    let gone = drop_computers(db, Some(address), too_many, now)?;
    Ok(has_room(there, gone, bounds.computers_of_address))
}

/// How many have to go so that there is room for one more, at most so many at once.
fn excess(there: u64, bound: u64) -> u64 {
    (there + 1).saturating_sub(bound).min(GONE_AT_ONCE)
}

/// The computers of an address in the order in which they give way.
const WHO_GOES: &str =
    "SELECT computer_id FROM computer WHERE address IS ?1 AND placed <> 'administrator'
     ORDER BY never_scanned DESC, last_seen LIMIT ?2";

/// Drops computers of an address; how many it were.
fn drop_computers(
    db: &Connection,
    address: Option<&str>,
    most: u64,
    now: Timestamp,
) -> Result<u64, WriteError> {
    if most == 0 {
        return Ok(0);
    }
    let gone: Vec<String> = db
        .prepare_cached(WHO_GOES)?
        .query_map(params![address, int(most)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in &gone {
        forget(db, id)?;
    }
    dropped::note(db, "computers", gone.len(), address, now)?;
    Ok(gone.len() as u64)
}

/// The address that gives way when there are too many computers in all: that with most computers that
/// never scanned; if there are none, that with most computers of those that may go.
#[expect(clippy::option_option, reason = "the address may be one that is not known")]
fn who_gives_way(db: &Connection) -> rusqlite::Result<Option<Option<String>>> {
    for kind in ["never_scanned", "may_go"] {
        let address: Option<String> = db
            .prepare_cached(&format!(
                "SELECT address FROM occupied WHERE {kind} > 0 ORDER BY {kind} DESC LIMIT 1"
            ))?
            .query_row([], |row| row.get(0))
            .optional()?;
        if let Some(address) = address {
            return Ok(Some(known(address)));
        }
    }
    Ok(None)
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
        let events = drop_events(db, Whose::Computer(computer), over)?;
        dropped::note(db, "events", events, address.as_deref(), now)?;
    }
    if let Some(address) = &address {
        trim_address(db, Some(address), bounds.bytes_of_address, now)?;
    }
    let over = in_all(db)?.1.saturating_sub(bounds.bytes);
    if over > 0 {
        let largest: Option<String> = db
            .prepare_cached("SELECT address FROM occupied ORDER BY bytes DESC LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let largest = largest.unwrap_or_default();
        let its = occupied(db, &largest)?.bytes;
        let over = over + bounds.bytes / 100 * FREED;
        trim_address(db, known(largest).as_deref(), its.saturating_sub(over), now)?;
    }
    Ok(())
}

/// Drops the oldest events of an address, and if that is not enough, the states of the computers that have
/// not reported for longest.
pub(super) fn trim_address(
    db: &Connection,
    address: Option<&str>,
    bytes: u64,
    now: Timestamp,
) -> Result<(), WriteError> {
    let over = |db| {
        let stored = occupied(db, address.unwrap_or(NOWHERE))?.bytes;
        Ok::<_, rusqlite::Error>(stored.saturating_sub(bytes))
    };
    let too_much = over(db)?;
    if too_much == 0 {
        return Ok(());
    }
    // A little more at once: the next report finds room.
    let more = bytes / 100 * FREED;
    let events = drop_events(db, Whose::Address(address), too_much + more)?;
    dropped::note(db, "events", events, address, now)?;
    let too_much = over(db)?;
    if too_much > 0 {
        let states = drop_states(db, address, too_much + more)?;
        dropped::note(db, "states", states, address, now)?;
    }
    Ok(())
}

/// Drops the states of those computers of an address that have not reported for longest, until so many bytes
/// are free; how many.
fn drop_states(db: &Connection, address: Option<&str>, bytes: u64) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "DELETE FROM compliance WHERE computer_id IN (
            SELECT computer_id FROM (
                SELECT computer_id, sum(stored) OVER oldest_first - stored AS freed_before
                FROM computer WHERE address IS ?1 AND stored > 0
                WINDOW oldest_first AS (ORDER BY last_report, computer_id))
            WHERE freed_before < ?2)",
    )?
    .execute(params![address, int(bytes)])
}

const OF_ADDRESS: &str = "SELECT computer_id FROM computer WHERE address IS ?1";

/// Whose events are dropped.
#[derive(Clone, Copy)]
enum Whose<'a> {
    Computer(&'a str),
    Address(Option<&'a str>),
}

/// Drops the oldest events until so many bytes are free; how many.
fn drop_events(db: &Connection, whose: Whose<'_>, bytes: u64) -> rusqlite::Result<usize> {
    let (of, computers) = match whose {
        Whose::Computer(id) => (Some(id), "SELECT ?1 AS computer_id"),
        Whose::Address(address) => (address, OF_ADDRESS),
    };
    let until: Option<i64> = db
        .prepare_cached(&last_to_go(computers))?
        .query_row(params![of, int(bytes)], |row| row.get(0))?;
    db.prepare_cached(&format!(
        "DELETE FROM event WHERE computer_id IN ({computers}) AND arrival <= ?2"
    ))?
    .execute(params![of, until.unwrap_or(i64::MAX)])
}

/// The last event that goes when the oldest of some computers are dropped until so many bytes are free. The
/// order of the join matters: the events of these computers are read, not all that there are.
fn last_to_go(computers: &str) -> String {
    format!(
        "SELECT min(arrival) FROM (
            SELECT arrival, sum(bytes) OVER (ORDER BY arrival) AS freed
            FROM ({computers}) AS c CROSS JOIN event e USING (computer_id))
         WHERE freed >= ?2"
    )
}

/// What there is of an address.
#[derive(Debug, Default)]
struct Occupied {
    computers: u64,
    never_scanned: u64,
    bytes: u64,
}

fn occupied(db: &Connection, address: &str) -> rusqlite::Result<Occupied> {
    let found = db
        .prepare_cached("SELECT computers, never_scanned, bytes FROM occupied WHERE address = ?1")?
        .query_row([address], |row| {
            Ok(Occupied {
                computers: u64_at(row, 0)?,
                never_scanned: u64_at(row, 1)?,
                bytes: u64_at(row, 2)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// Computers and bytes in all.
fn in_all(db: &Connection) -> rusqlite::Result<(u64, u64)> {
    db.prepare_cached("SELECT computers, bytes FROM occupied_in_all WHERE whose = 'here'")?
        .query_row([], |row| Ok((u64_at(row, 0)?, u64_at(row, 1)?)))
}

/// An address as computers have it.
fn known(address: String) -> Option<String> {
    (address != NOWHERE).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::database::Fleet;

    /// What SQLite does for a query, in its words.
    fn plan(fleet: &Fleet, sql: &str) -> String {
        let look = |db: &Connection| {
            let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let lines =
                statement.query_map(params!["192.0.2.1", 1], |row| row.get::<_, String>(3))?;
            Ok(lines.collect::<rusqlite::Result<Vec<_>>>()?.join("; "))
        };
        fleet.read("explain", look).unwrap()
    }

    #[test]
    fn who_gives_way_is_found_without_reading_all() {
        let folder = tempfile::tempdir().unwrap();
        let fleet = Fleet::open(&folder.path().join("fleet.sqlite")).unwrap();
        let who = plan(&fleet, WHO_GOES);
        assert!(who.contains("INDEX computer_to_go (address=?)"), "{who}");
        assert!(!who.contains("TEMP B-TREE") && !who.contains("SCAN"), "{who}");
        let events = plan(&fleet, &last_to_go(OF_ADDRESS));
        assert!(events.contains("COVERING INDEX event_by_computer (computer_id=?)"), "{events}");
        assert!(!events.contains("SCAN event"), "{events}");
    }
}
