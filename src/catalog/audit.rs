//! What is wrong: the file itself, and documents that contradict the payload table.

use super::{error::CatalogError, reader::Catalog};
use crate::sqlite::{sha1_at, sha256_at, u64_at};

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
    pub fn integrity(&self) -> Result<Vec<String>, CatalogError> {
        let mut found = Vec::new();
        for pragma in ["PRAGMA integrity_check(20)", "PRAGMA foreign_key_check"] {
            let texts: Vec<String> =
                self.rows("check the integrity", pragma, [], |row| row.get(0))?;
            found.extend(texts.into_iter().filter(|text| text != "ok"));
        }
        Ok(found)
    }

    /// Contradictions between documents and payload table, at most a hundred.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn contradictions(&self) -> Result<Vec<Contradiction>, CatalogError> {
        let compare = |on: &str, differs: &str| {
            format!(
                "SELECT r.title, f.name, f.sha1, f.sha256, p.sha256, f.size, p.size
                 FROM payload p JOIN file f ON {on} JOIN revision r USING (revision_id)
                 WHERE p.not_carried IS NULL AND NOT r.withdrawn AND ({differs})"
            )
        };
        let sql = format!(
            "{} UNION ALL {} LIMIT 100",
            compare(
                "f.sha1 = p.sha1",
                "(f.sha256 IS NOT NULL AND f.sha256 <> p.sha256) OR f.size <> p.size"
            ),
            compare("f.sha256 = p.sha256", "f.sha1 <> p.sha1"),
        );
        self.rows("compare documents and payloads", &sql, [], |row| {
            let what = format!(
                "{:?} names the file {} with SHA-1 {} and {} bytes, but the payload {} has other digests or size ({} bytes)",
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                sha1_at(row, 2)?,
                u64_at(row, 5)?,
                sha256_at(row, 4)?,
                u64_at(row, 6)?,
            );
            Ok(Contradiction { what })
        })
    }
}
