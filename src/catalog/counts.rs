//! How much there is.

use serde::Serialize;

use super::{error::CatalogError, reader::Catalog, sql::IS_LEFT_OUT};
use crate::sqlite::u64_at;

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CatalogCounts {
    /// Different updates.
    pub updates: u64,
    /// Revisions, withdrawn ones included.
    pub revisions: u64,
    /// Withdrawn by the mirror.
    pub withdrawn: u64,
    /// Revisions that the mirror leaves out of its snapshots.
    pub left_out: u64,
    /// Payload rows.
    pub payloads: u64,
    /// Payloads whose bytes are here.
    pub present: u64,
    /// Their bytes.
    pub present_bytes: u64,
    /// Distinct files that documents name, licence texts among them.
    pub files: u64,
}

impl Catalog {
    /// How much there is.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn counts(&self) -> Result<CatalogCounts, CatalogError> {
        let counts = self.row(
            "count",
            &format!(
                "SELECT (SELECT count(DISTINCT update_id) FROM revision),
                    (SELECT count(*) FROM revision),
                    (SELECT count(*) FROM revision r WHERE withdrawn AND NOT {IS_LEFT_OUT}),
                    count(*), count(*) FILTER (WHERE present),
                    coalesce(sum(size) FILTER (WHERE present), 0),
                    (SELECT count(DISTINCT sha1) FROM file),
                    (SELECT count(*) FROM revision r WHERE {IS_LEFT_OUT})
                 FROM payload"
            ),
            [],
            |row| {
                Ok(CatalogCounts {
                    updates: u64_at(row, 0)?,
                    revisions: u64_at(row, 1)?,
                    withdrawn: u64_at(row, 2)?,
                    payloads: u64_at(row, 3)?,
                    present: u64_at(row, 4)?,
                    present_bytes: u64_at(row, 5)?,
                    files: u64_at(row, 6)?,
                    left_out: u64_at(row, 7)?,
                })
            },
        )?;
        Ok(counts.unwrap_or_default())
    }
}
