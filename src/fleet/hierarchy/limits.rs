//! Bounds on the computers of servers below.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    fleet::{dropped, limits::FleetBounds},
    sqlite::u64_at,
};

/// When there are too many computers of servers below, so many go at once.
const DROPPED_AT_ONCE: u32 = 1000;

/// Computers of servers below that are kept; for more, those of the address whose servers report most of
/// them go, the oldest first.
pub const DOWNSTREAM_COMPUTERS_KEPT: u32 = 100_000;

/// Removes what another server reported of a computer, and makes room for one more report: of the address
/// whose servers report most computers, those go that were reported longest ago.
pub(super) fn make_room_for_report(
    db: &Connection,
    computer: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM rolled_computer WHERE computer_id = ?1")?.execute([computer])?;
    let kept: u32 = db
        .prepare_cached("SELECT count(*) FROM rolled_computer")?
        .query_row([], |row| row.get(0))?;
    if kept >= DOWNSTREAM_COMPUTERS_KEPT {
        drop_oldest(db, "server computers", DROPPED_AT_ONCE, now)?;
    }
    Ok(())
}

/// Drops computers, with their states, of the address whose servers report most of them; how many.
fn drop_oldest(db: &Connection, what: &str, most: u32, now: Timestamp) -> rusqlite::Result<usize> {
    let largest: Option<Option<String>> = db
        .prepare_cached(
            "SELECT d.address FROM rolled_computer JOIN downstream d USING (server_id)
             GROUP BY d.address ORDER BY count(*) DESC LIMIT 1",
        )?
        .query_row([], |row| row.get(0))
        .optional()?;
    let Some(address) = largest else { return Ok(0) };
    let gone = db
        .prepare_cached(
            "DELETE FROM rolled_computer WHERE computer_id IN (
                SELECT computer_id FROM rolled_computer JOIN downstream d USING (server_id)
                WHERE d.address IS ?1 ORDER BY received LIMIT ?2)",
        )?
        .execute(params![address, most])?;
    dropped::note(db, what, gone, address.as_deref(), now)?;
    Ok(gone)
}

/// Brings the states of the computers of servers below within bounds.
pub(super) fn trim(db: &Connection, bounds: &FleetBounds, now: Timestamp) -> rusqlite::Result<()> {
    let mut stored = db.prepare_cached("SELECT bytes FROM occupied WHERE address = 'below'")?;
    while stored.query_row([], |row| u64_at(row, 0))? > bounds.bytes {
        if drop_oldest(db, "server states", 1, now)? == 0 {
            break;
        }
    }
    Ok(())
}
