//! What went because of a bound, so that the operator hears of it.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::{database::Fleet, error::FleetError};
use crate::sqlite::{int, moment, moment_at, u64_at};

/// The same is said once in so long in the log.
const SAY_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// Something that went because of a bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Dropped {
    /// What: `computers`, `events`, `states`, `servers`, `server computers`, `server states`.
    pub what: String,
    /// How many, since the first.
    pub times: u64,
    /// When the first went.
    pub first: Timestamp,
    /// When the last went.
    pub last: Timestamp,
    /// The address whose the last was; a network, `a:b:c:d::/64`, with IPv6.
    pub address: Option<String>,
}

impl Fleet {
    /// What went because of a bound.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn dropped(&self) -> Result<Vec<Dropped>, FleetError> {
        self.read("list what went because of a bound", |db| {
            let sql = "SELECT what, times, first, last, address FROM dropped ORDER BY what";
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(Dropped {
                    what: row.get(0)?,
                    times: u64_at(row, 1)?,
                    first: moment_at(row, 2)?,
                    last: moment_at(row, 3)?,
                    address: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// Notes that something went, and says so in the log, once in a while.
pub(super) fn note(
    db: &Connection,
    what: &str,
    times: usize,
    address: Option<&str>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    if times == 0 {
        return Ok(());
    }
    let times = u64::try_from(times).unwrap_or(u64::MAX);
    let before: Option<Timestamp> = db
        .prepare_cached("SELECT last FROM dropped WHERE what = ?1")?
        .query_row([what], |row| moment_at(row, 0))
        .optional()?;
    db.prepare_cached(
        "INSERT INTO dropped (what, times, first, last, address) VALUES (?1, ?2, ?3, ?3, ?4)
         ON CONFLICT (what) DO UPDATE SET times = times + ?2, last = ?3, address = ?4",
    )?
    .execute(params![what, int(times), moment(now), address])?;
    if before.is_none_or(|last| now.duration_since(last).abs() >= SAY_EVERY) {
        tracing::warn!(
            what,
            address,
            "more is claimed than is kept: the oldest go. See `tidegate status`, and which machine this address is"
        );
    }
    Ok(())
}
