//! What export asks for: the sites, and what was packed for them.

use bundle_format::digest::Sha256;
use rusqlite::{Connection, params};

use super::{PRESENT, Result, failed};
use crate::{
    catalog::{read::Catalog, write::CatalogWriter},
    sqlite::{int, sha256_at, u64_at},
};

impl Catalog {
    /// The sites that this mirror packs for, sorted.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn sites(&self) -> Result<Vec<String>> {
        sites(&self.connection)
    }

    /// Calls `each` with every payload that the last snapshot carries, ascending by name, without
    /// those that were packed for `site` before (unless `full`).
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payloads_to_pack(
        &self,
        site: &str,
        full: bool,
        each: &mut dyn FnMut(Sha256, u64),
    ) -> Result<()> {
        let doing = "list the payloads to pack";
        let connection = &self.connection;
        let mut statement = connection
            .prepare_cached(
                "SELECT sha256, size FROM payload p WHERE sealed_as = ?1 AND (?2 OR NOT EXISTS
                 (SELECT 1 FROM packed k WHERE k.site = ?3 AND k.sha256 = p.sha256))
                 ORDER BY sha256",
            )
            .map_err(failed(connection, doing))?;
        let mut rows =
            statement.query(params![PRESENT, full, site]).map_err(failed(connection, doing))?;
        while let Some(row) = rows.next().map_err(failed(connection, doing))? {
            let (sha256, size) = (|| Ok((sha256_at(row, 0)?, u64_at(row, 1)?)))()
                .map_err(failed(connection, doing))?;
            each(sha256, size);
        }
        Ok(())
    }

    /// Whether an object was packed for `site` before.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn is_packed(&self, site: &str, object: &Sha256) -> Result<bool> {
        self.connection
            .prepare_cached("SELECT 1 FROM packed WHERE site = ?1 AND sha256 = ?2")
            .and_then(|mut s| s.exists(params![site, object.as_bytes()]))
            .map_err(failed(&self.connection, "look up what was packed"))
    }
}

impl CatalogWriter<'_> {
    /// See [`Catalog::sites`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn sites(&self) -> Result<Vec<String>> {
        sites(&self.tx)
    }

    /// Adds a site; true if it is new.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn add_site(&mut self, site: &str) -> Result<bool> {
        Ok(self.execute(
            "add a site",
            "INSERT OR IGNORE INTO site (site) VALUES (?1)",
            params![site],
        )? > 0)
    }

    /// Notes that an object was packed for a site.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn mark_packed(&mut self, site: &str, object: &Sha256, snapshot: u64) -> Result<()> {
        self.execute(
            "note what was packed",
            "INSERT INTO packed (site, sha256, snapshot) VALUES (?1, ?2, ?3)
             ON CONFLICT (site, sha256) DO UPDATE SET snapshot = excluded.snapshot",
            params![site, object.as_bytes(), int(snapshot)],
        )?;
        Ok(())
    }
}

fn sites(connection: &Connection) -> Result<Vec<String>> {
    connection
        .prepare_cached("SELECT site FROM site ORDER BY site")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .map_err(failed(connection, "list the sites"))
}
