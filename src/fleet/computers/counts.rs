//! How many computers are up to date.

use crate::{
    fleet::{database::Fleet, error::FleetError},
    sqlite::{u64_at, update_at},
    update::UpdateId,
};

/// How the computers here stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ComputerCounts {
    /// Some update is needed.
    pub needing: u32,
    /// The installation of some update failed.
    pub failing: u32,
    /// Neither, though they have reported.
    pub up_to_date: u32,
}

impl Fleet {
    /// How many computers there are.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn computer_count(&self) -> Result<u64, FleetError> {
        self.read("count the computers", |db| {
            Ok(db
                .prepare_cached("SELECT computers FROM occupied_in_all WHERE whose = 'here'")?
                .query_row([], |row| u64_at(row, 0))?)
        })
    }

    /// Counts the computers here, and calls `each` with the updates that any of them reported:
    /// whether some computer needs it, whether it failed on some.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn count_states(
        &self,
        each: &mut dyn FnMut(UpdateId, bool, bool),
    ) -> Result<ComputerCounts, FleetError> {
        const NEEDED: &str = "max(state IN ('needed', 'downloaded', 'restart-pending'))";
        const FAILED: &str = "max(state = 'failed')";
        self.read("count the states of the computers", |db| {
            let sql =
                format!("SELECT update_id, {NEEDED}, {FAILED} FROM compliance GROUP BY update_id");
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                each(update_at(row, 0)?, row.get(1)?, row.get(2)?);
            }
            let sql = format!(
                "SELECT coalesce(sum(needed), 0), coalesce(sum(failed), 0),
                    coalesce(sum(NOT needed AND NOT failed), 0)
                 FROM (SELECT coalesce({NEEDED}, 0) AS needed, coalesce({FAILED}, 0) AS failed
                    FROM computer LEFT JOIN compliance USING (computer_id)
                    WHERE last_report IS NOT NULL GROUP BY computer_id)"
            );
            Ok(db.query_row(&sql, [], |row| {
                Ok(ComputerCounts {
                    needing: row.get(0)?,
                    failing: row.get(1)?,
                    up_to_date: row.get(2)?,
                })
            })?)
        })
    }
}
