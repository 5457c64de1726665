//! What is wrong: the file itself, and documents that contradict the payload table.

use rusqlite::Connection;

use super::{Result, failed};
use crate::{
    catalog::{read::Catalog, write::CatalogWriter},
    sqlite::{sha1_at, sha256_at, u64_at},
};

/// A file that a document names in another way than the payload table, or two payloads of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// What contradicts what.
    pub what: String,
}

impl Catalog {
    /// What SQLite itself finds wrong with the file; empty when it is in order.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn integrity(&self) -> Result<Vec<String>> {
        let doing = "check the integrity";
        let mut found = Vec::new();
        for pragma in ["PRAGMA integrity_check(20)", "PRAGMA foreign_key_check"] {
            let mut statement =
                self.connection.prepare(pragma).map_err(failed(&self.connection, doing))?;
            let mut rows = statement.query([]).map_err(failed(&self.connection, doing))?;
            while let Some(row) = rows.next().map_err(failed(&self.connection, doing))? {
                let text: String = row.get(0).map_err(failed(&self.connection, doing))?;
                if text != "ok" {
                    found.push(text);
                }
            }
        }
        Ok(found)
    }

    /// Contradictions between documents and payload table, at most a hundred.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn contradictions(&self) -> Result<Vec<Contradiction>> {
        contradictions(&self.connection)
    }
}

impl CatalogWriter<'_> {
    /// See [`Catalog::contradictions`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn contradictions(&self) -> Result<Vec<Contradiction>> {
        contradictions(&self.tx)
    }
}

fn contradictions(connection: &Connection) -> Result<Vec<Contradiction>> {
    let doing = "compare documents and payloads";
    let sql = "SELECT r.title, f.name, f.sha1, f.sha256, p.sha256, f.size, p.size
         FROM payload p JOIN file f ON f.sha1 = p.sha1 JOIN revision r USING (revision_id)
         WHERE p.not_carried IS NULL AND NOT r.withdrawn
         AND ((f.sha256 IS NOT NULL AND f.sha256 <> p.sha256) OR f.size <> p.size)
         UNION ALL
         SELECT r.title, f.name, f.sha1, f.sha256, p.sha256, f.size, p.size
         FROM payload p JOIN file f ON f.sha256 = p.sha256 JOIN revision r USING (revision_id)
         WHERE p.not_carried IS NULL AND NOT r.withdrawn AND f.sha1 <> p.sha1
         LIMIT 100";
    let mut statement = connection.prepare_cached(sql).map_err(failed(connection, doing))?;
    let mut rows = statement.query([]).map_err(failed(connection, doing))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed(connection, doing))? {
        let what = (|| {
            Ok(format!(
                "{:?} names the file {} with SHA-1 {} and {} bytes, but the payload {} has other digests or size ({} bytes)",
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                sha1_at(row, 2)?,
                u64_at(row, 5)?,
                sha256_at(row, 4)?,
                u64_at(row, 6)?,
            ))
        })();
        found.push(Contradiction { what: what.map_err(failed(connection, doing))? });
    }
    Ok(found)
}
