//! Keys of encrypted files, and driver sets: what belongs to revisions without standing in their
//! documents.

use bundle_format::digest::Sha1;
use rusqlite::params;
use uuid::Uuid;

use super::{error::CatalogError, read::Catalog, write::CatalogWriter};
use crate::{
    sqlite::{sha1_at, uuid_at},
    update::RevisionId,
};

type Result<T> = std::result::Result<T, CatalogError>;

impl Catalog {
    /// The keys of the encrypted files of a revision, in the order of its files.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn keys_of(&self, id: RevisionId) -> Result<Vec<(Sha1, Vec<u8>)>> {
        let mut keys = Vec::new();
        let sql = "SELECT f.sha1, k.key FROM file f JOIN decryption_key k USING (sha1)
             WHERE f.revision_id = ?1 GROUP BY f.sha1 ORDER BY f.position";
        self.rows("read the keys of a revision", sql, [id.0], |row| {
            keys.push((sha1_at(row, 0)?, row.get(1)?));
            Ok(())
        })?;
        Ok(keys)
    }

    /// What decrypts a file, if it is encrypted.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn key_of(&self, sha1: &Sha1) -> Result<Option<Vec<u8>>> {
        let sql = "SELECT key FROM decryption_key WHERE sha1 = ?1";
        self.row("look up the key of a file", sql, [sha1.as_bytes()], |row| row.get(0))
    }

    /// Calls `each` with every driver set, by its id.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn driver_sets(&self, each: &mut dyn FnMut(Uuid, String)) -> Result<()> {
        let sql = "SELECT set_id, xml FROM driver_set WHERE xml IS NOT NULL ORDER BY set_id";
        self.rows("read the driver sets", sql, [], |row| {
            each(uuid_at(row, 0)?, row.get(1)?);
            Ok(())
        })
    }
}

impl CatalogWriter<'_> {
    /// Keeps the key of a file; true if that changed anything. Keys stay as long as a document names
    /// their file.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn put_key(&mut self, sha1: &Sha1, key: &[u8]) -> Result<bool> {
        let rows = self.execute(
            "keep the key of a file",
            "INSERT INTO decryption_key (sha1, key) VALUES (?1, ?2)
             ON CONFLICT (sha1) DO UPDATE SET key = ?2, sealed = NULL WHERE key <> ?2",
            params![sha1.as_bytes(), key],
        )?;
        if rows > 0 {
            self.touch();
        }
        Ok(rows > 0)
    }

    /// Keeps a driver set, or with `None` that it is gone; true if that changed anything.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn put_driver_set(&mut self, id: &Uuid, xml: Option<&str>) -> Result<bool> {
        let rows = self.execute(
            "keep a driver set",
            "INSERT INTO driver_set (set_id, xml) SELECT ?1, ?2
             WHERE ?2 IS NOT NULL OR EXISTS (SELECT 1 FROM driver_set WHERE set_id = ?1)
             ON CONFLICT (set_id) DO UPDATE SET xml = ?2, sealed = NULL WHERE xml IS NOT ?2",
            params![id.as_bytes(), xml],
        )?;
        if rows > 0 {
            self.touch();
        }
        Ok(rows > 0)
    }
}
