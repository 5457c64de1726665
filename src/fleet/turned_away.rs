//! Clients that were turned away, so that the operator hears why a machine is missing.

use jiff::Timestamp;
use rusqlite::params;
use serde::Serialize;

use super::{database::Fleet, error::FleetError};
use crate::sqlite::{int, moment, moment_at, u64_at};

/// Addresses and reasons that are kept: anybody on the network can cause an entry.
pub const TURNED_AWAY_KEPT: u64 = 1000;

/// Clients of one address that were turned away for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TurnedAway {
    /// Where they came from; a network, `a:b:c:d::/64`, with IPv6.
    pub address: String,
    /// Why, as a word: `old-agent`, `protocol-version`.
    pub reason: String,
    /// How often, since the first.
    pub times: u64,
    /// When the first came.
    pub first: Timestamp,
    /// When the last came.
    pub last: Timestamp,
}

impl Fleet {
    /// Clients that were turned away, the last one first.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn turned_away(&self) -> Result<Vec<TurnedAway>, FleetError> {
        self.read("list who was turned away", |db| {
            let sql = "SELECT address, reason, times, first, last FROM turned_away
                       ORDER BY last DESC, address, reason";
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(TurnedAway {
                    address: row.get(0)?,
                    reason: row.get(1)?,
                    times: u64_at(row, 2)?,
                    first: moment_at(row, 3)?,
                    last: moment_at(row, 4)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Adds clients that were turned away; the oldest entries go when there are too many.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn note_turned_away(&mut self, entries: &[TurnedAway]) -> Result<(), FleetError> {
        self.write("note who was turned away", |db| {
            let mut statement = db.prepare_cached(
                "INSERT INTO turned_away (address, reason, times, first, last)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (address, reason) DO UPDATE SET times = times + ?3, last = ?5",
            )?;
            for entry in entries {
                let TurnedAway { address, reason, times, first, last } = entry;
                statement.execute(params![
                    address,
                    reason,
                    int(*times),
                    moment(*first),
                    moment(*last)
                ])?;
            }
            db.prepare_cached(
                "DELETE FROM turned_away WHERE (address, reason) IN
                 (SELECT address, reason FROM turned_away ORDER BY last DESC LIMIT -1 OFFSET ?1)",
            )?
            .execute([int(TURNED_AWAY_KEPT)])?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn counts_add_up_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let mut fleet = Fleet::open(&folder.path().join("fleet.sqlite")).unwrap();
        let start: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
        let entry = |number: u64, at: i64| TurnedAway {
            address: format!("192.0.2.{number}"),
            reason: "old-agent".to_owned(),
            times: 2,
            first: start + SignedDuration::from_secs(at),
            last: start + SignedDuration::from_secs(at),
        };
        fleet.note_turned_away(&[entry(0, 0)]).unwrap();
        fleet.note_turned_away(&[entry(0, 9)]).unwrap();
        let both = TurnedAway { times: 4, first: start, ..entry(0, 9) };
        assert_eq!(fleet.turned_away().unwrap(), [both]);
        let many: Vec<_> = (1..=TURNED_AWAY_KEPT + 5).map(|at| entry(at, 10 + at as i64)).collect();
        fleet.note_turned_away(&many).unwrap();
        let left = fleet.turned_away().unwrap();
        assert_eq!(left.len() as u64, TURNED_AWAY_KEPT);
        assert_eq!(left.first(), many.last());
        assert_eq!(left.last(), many.get(5));
    }
}
