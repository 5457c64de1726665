//! The tables `site` and `packed`: the sites, and what export has packed for them.

use std::ops::RangeInclusive;

use bundle_format::digest::Sha256;
use rusqlite::params;

use super::PRESENT;
use crate::{
    catalog::{error::CatalogError, reader::Catalog, writer::CatalogWriter},
    sqlite::{int, sha256_at, u64_at},
};

impl Catalog {
    /// The sites that this mirror packs for, sorted.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn sites(&self) -> Result<Vec<String>, CatalogError> {
        self.rows("list the sites", "SELECT site FROM site ORDER BY site", [], |row| row.get(0))
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
    ) -> Result<(), CatalogError> {
        let sql = "SELECT sha256, size FROM payload p WHERE sealed_as = ?1 AND (?2 OR NOT EXISTS
             (SELECT 1 FROM packed k WHERE k.site = ?3 AND k.sha256 = p.sha256))
             ORDER BY sha256";
        let params = params![PRESENT, full, site];
        self.for_each_row("list the payloads to pack", sql, params, |row| {
            each(sha256_at(row, 0)?, u64_at(row, 1)?);
            Ok(())
        })
    }

    /// Whether an object was packed for `site` before.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn is_packed(&self, site: &str, object: &Sha256) -> Result<bool, CatalogError> {
        let sql = "SELECT 1 FROM packed WHERE site = ?1 AND sha256 = ?2";
        self.exists("look up what was packed", sql, params![site, object.as_bytes()])
    }

    /// The snapshots with which objects of these names were packed for `site` last.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn packed_with(
        &self,
        site: &str,
        names: &RangeInclusive<Sha256>,
    ) -> Result<Vec<u64>, CatalogError> {
        let sql = "SELECT DISTINCT snapshot FROM packed
             WHERE site = ?1 AND sha256 BETWEEN ?2 AND ?3 ORDER BY snapshot";
        let params = params![site, names.start().as_bytes(), names.end().as_bytes()];
        self.rows("look up what was packed", sql, params, |row| u64_at(row, 0))
    }

    /// The newest snapshot that was packed for `site`.
    ///
    /// # Errors
    /// When SQLite fails, or its note is damaged.
    pub fn exported(&self, site: &str) -> Result<Option<u64>, CatalogError> {
        if let Some(text) = self.meta(&exported_note(site))? {
            let number = text.parse().map(Some);
            return number.map_err(|_| self.damaged(format!("its note of exports is {text:?}")));
        }
        // As versions without this note have left it: a snapshot that brought no object is missed.
        let sql =
            "SELECT MAX(snapshot) FROM packed WHERE site = ?1 HAVING MAX(snapshot) IS NOT NULL";
        self.row("look up what was packed", sql, [site], |row| u64_at(row, 0))
    }

    /// The objects that were packed for `site` last with this snapshot.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn packed_in(&self, site: &str, snapshot: u64) -> Result<Vec<Sha256>, CatalogError> {
        let sql = "SELECT sha256 FROM packed WHERE site = ?1 AND snapshot = ?2 ORDER BY sha256";
        let params = params![site, int(snapshot)];
        self.rows("list what was packed", sql, params, |row| sha256_at(row, 0))
    }
}

impl CatalogWriter<'_> {
    /// Adds a site; true if it is new.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn add_site(&mut self, site: &str) -> Result<bool, CatalogError> {
        let sql = "INSERT OR IGNORE INTO site (site) VALUES (?1)";
        Ok(self.execute("add a site", sql, params![site])? > 0)
    }

    /// Notes that a snapshot was packed for a site; an older one changes nothing.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn set_exported(&mut self, site: &str, snapshot: u64) -> Result<(), CatalogError> {
        let newest = self.exported(site)?.unwrap_or(0).max(snapshot);
        self.set_note(&exported_note(site), &newest.to_string())?;
        Ok(())
    }

    /// Notes that an object was packed for a site.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn mark_packed(
        &mut self,
        site: &str,
        object: &Sha256,
        snapshot: u64,
    ) -> Result<(), CatalogError> {
        self.execute(
            "note what was packed",
            "INSERT INTO packed (site, sha256, snapshot) VALUES (?1, ?2, ?3)
             ON CONFLICT (site, sha256) DO UPDATE SET snapshot = excluded.snapshot",
            params![site, object.as_bytes(), int(snapshot)],
        )?;
        Ok(())
    }
}

/// The key of the note with the newest snapshot that was packed for a site.
fn exported_note(site: &str) -> String {
    format!("exported-{site}")
}
