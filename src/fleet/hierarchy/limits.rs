//! Bounds on the computers of servers below: of the address whose servers report most, those go that were
//! reported longest ago, many at once, so that each that comes costs little.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    fleet::{dropped, limits::FleetBounds},
    sqlite::{int, u64_at},
};

/// When there is too much, so many parts of a hundred are freed at once.
const FREED: u64 = 5;
/// Addresses that give way at once.
const ADDRESSES: usize = 100;

/// Computers of servers below that are kept; for more, those of the address whose servers report most of
/// them go, the oldest first.
pub const DOWNSTREAM_COMPUTERS_KEPT: u32 = 100_000;

/// What is counted of the computers of servers below.
#[derive(Clone, Copy)]
enum Counted {
    Computers,
    /// Bytes of their states.
    Bytes,
}

/// Removes what another server reported of a computer, and makes room for one more report: of the address
/// whose servers report most computers, those go that were reported longest ago.
pub(super) fn make_room_for_report(
    db: &Connection,
    computer: &str,
    now: Timestamp,
) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM rolled_computer WHERE computer_id = ?1")?.execute([computer])?;
    bring_below(db, Counted::Computers, u64::from(DOWNSTREAM_COMPUTERS_KEPT) - 1, now)
}

/// Brings the states of the computers of servers below within bounds.
pub(super) fn trim(db: &Connection, bounds: &FleetBounds, now: Timestamp) -> rusqlite::Result<()> {
    bring_below(db, Counted::Bytes, bounds.bytes, now)
}

/// When there is more than a bound, drops computers with their states until there is some room below it.
fn bring_below(
    db: &Connection,
    counted: Counted,
    bound: u64,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let (column, what) = match counted {
        Counted::Computers => ("computers", "server computers"),
        Counted::Bytes => ("bytes", "server states"),
    };
    let stored = |db: &Connection| {
        let sql = format!("SELECT {column} FROM occupied_in_all WHERE whose = 'below'");
        db.prepare_cached(&sql)?.query_row([], |row| u64_at(row, 0))
    };
    if stored(db)? <= bound {
        return Ok(());
    }
    let wanted = bound - bound / 100 * FREED;
    for _ in 0..ADDRESSES {
        let over = stored(db)?.saturating_sub(wanted);
        if over == 0 {
            break;
        }
        let largest: Option<Option<String>> = db
            .prepare_cached(&format!(
                "SELECT d.address FROM occupied_below JOIN downstream d USING (server_id)
                 GROUP BY d.address ORDER BY sum({column}) DESC LIMIT 1"
            ))?
            .query_row([], |row| row.get(0))
            .optional()?;
        let Some(address) = largest else { break };
        let gone = drop_oldest(db, counted, address.as_deref(), over)?;
        dropped::note(db, what, gone, address.as_deref(), now)?;
        if gone == 0 {
            break;
        }
    }
    Ok(())
}

/// Drops those computers of the servers of an address that were reported longest ago, until so much is gone;
/// how many.
fn drop_oldest(
    db: &Connection,
    counted: Counted,
    address: Option<&str>,
    over: u64,
) -> rusqlite::Result<usize> {
    let size = match counted {
        Counted::Computers => "1",
        Counted::Bytes => {
            "(SELECT 80 * count(*) FROM rolled_compliance s WHERE s.computer_id = c.computer_id)"
        }
    };
    db.prepare_cached(&format!(
        "DELETE FROM rolled_computer WHERE computer_id IN (
            SELECT computer_id FROM (
                SELECT computer_id, sum(size) OVER oldest_first - size AS gone_before
                FROM (SELECT computer_id, received, {size} AS size
                    FROM downstream d CROSS JOIN rolled_computer c USING (server_id)
                    WHERE d.address IS ?1)
                WINDOW oldest_first AS (ORDER BY received, computer_id))
            WHERE gone_before < ?2)"
    ))?
    .execute(params![address, int(over)])
}
