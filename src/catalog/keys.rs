//! The table `decryption_key`: keys of encrypted files. They stand in no document.

use bundle_format::{digest::Sha1, segment::Record};
use rusqlite::{Row, params};

use super::{error::CatalogError, reader::Catalog, writer::CatalogWriter};
use crate::{sqlite::sha1_at, update::RevisionId};

impl Catalog {
    /// The keys of the encrypted files of a revision, in the order of its files.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn keys_of(&self, id: RevisionId) -> Result<Vec<(Sha1, Vec<u8>)>, CatalogError> {
        let sql = "SELECT f.sha1, k.key FROM file f JOIN decryption_key k USING (sha1)
             WHERE f.revision_id = ?1 GROUP BY f.sha1 ORDER BY f.position";
        self.rows("read the keys of a revision", sql, [id.0], |row| {
            Ok((sha1_at(row, 0)?, row.get(1)?))
        })
    }

    /// What decrypts a file, if it is encrypted.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn key_of(&self, sha1: &Sha1) -> Result<Option<Vec<u8>>, CatalogError> {
        let sql = "SELECT key FROM decryption_key WHERE sha1 = ?1";
        self.row("look up the key of a file", sql, [sha1.as_bytes()], |row| row.get(0))
    }
}

impl CatalogWriter<'_> {
    /// Adds or replaces the key of a file; true if that changed anything. Keys stay as long as a
    /// document names their file.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn store_key(&mut self, sha1: &Sha1, key: &[u8]) -> Result<bool, CatalogError> {
        let rows = self.execute_change(
            "keep the key of a file",
            "INSERT INTO decryption_key (sha1, key) VALUES (?1, ?2)
             ON CONFLICT (sha1) DO UPDATE SET key = ?2, sealed = NULL WHERE key <> ?2",
            params![sha1.as_bytes(), key],
        )?;
        Ok(rows > 0)
    }

    /// Calls `each` with every key that the last snapshot does not carry as it is now, by its file.
    ///
    /// # Errors
    /// When SQLite fails, or `each` does.
    pub fn unsealed_keys<E: From<CatalogError>>(
        &self,
        each: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "SELECT sha1, key FROM decryption_key WHERE sealed IS NULL ORDER BY sha1";
        let read = |row: &Row<'_>| Ok(Record::Key { sha1: sha1_at(row, 0)?, key: row.get(1)? });
        self.try_for_each_row("list the keys to seal", sql, read, each)
    }
}
