//! What a snapshot names is listed; what is not listed is removed.

use bundle_format::{
    digest::{Sha1, Sha256},
    segment::RevisionRecord,
};
use rusqlite::params;
use uuid::Uuid;

use crate::catalog::{error::CatalogError, sql::is_named_locally, writer::CatalogWriter};

impl CatalogWriter<'_> {
    /// Starts a list of what a snapshot names, for [`CatalogWriter::drop_unlisted_payloads`],
    /// [`CatalogWriter::drop_unlisted_revisions`] and [`CatalogWriter::drop_unlisted_extras`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn start_list(&mut self) -> Result<(), CatalogError> {
        self.execute_batch(
            "start a list",
            "DROP TABLE IF EXISTS temp.listed_revision;
             DROP TABLE IF EXISTS temp.listed_payload;
             DROP TABLE IF EXISTS temp.listed_key;
             DROP TABLE IF EXISTS temp.listed_driver_set;
             CREATE TEMP TABLE listed_key (sha1 BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
             CREATE TEMP TABLE listed_driver_set (set_id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
             CREATE TEMP TABLE listed_revision (revision_id INTEGER PRIMARY KEY) STRICT;
             CREATE TEMP TABLE listed_payload (sha256 BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;",
        )
    }

    /// Lists a revision by its number.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn list_revision(&mut self, revision_id: i32) -> Result<(), CatalogError> {
        let sql = "INSERT OR IGNORE INTO temp.listed_revision VALUES (?1)";
        self.execute("list a revision", sql, params![revision_id])?;
        Ok(())
    }

    /// Lists a payload by its name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn list_payload(&mut self, payload: &Sha256) -> Result<(), CatalogError> {
        let sql = "INSERT OR IGNORE INTO temp.listed_payload VALUES (?1)";
        self.execute("list a payload", sql, params![payload.as_bytes()])?;
        Ok(())
    }

    /// Lists a key by its file.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn list_key(&mut self, sha1: &Sha1) -> Result<(), CatalogError> {
        let sql = "INSERT OR IGNORE INTO temp.listed_key VALUES (?1)";
        self.execute("list a key", sql, params![sha1.as_bytes()])?;
        Ok(())
    }

    /// Lists a driver set by its id.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn list_driver_set(&mut self, id: &Uuid) -> Result<(), CatalogError> {
        let sql = "INSERT OR IGNORE INTO temp.listed_driver_set VALUES (?1)";
        self.execute("list a driver set", sql, params![id.as_bytes()])?;
        Ok(())
    }

    /// Removes payload rows that were not listed since [`CatalogWriter::start_list`]; what a document
    /// that was published here names stays. Returns the number of removed rows.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn drop_unlisted_payloads(&mut self) -> Result<u64, CatalogError> {
        self.drop_unlisted(&format!(
            "DELETE FROM payload WHERE sha256 NOT IN (SELECT sha256 FROM temp.listed_payload)
             AND NOT {}",
            is_named_locally("payload")
        ))
    }

    /// Removes revisions that were not listed since [`CatalogWriter::start_list`]; what was published
    /// here stays. Returns the number of removed revisions.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn drop_unlisted_revisions(&mut self) -> Result<u64, CatalogError> {
        self.drop_unlisted(
            "DELETE FROM revision WHERE NOT local
             AND revision_id NOT IN (SELECT revision_id FROM temp.listed_revision)",
        )
    }

    /// Removes keys and driver sets that were not listed since [`CatalogWriter::start_list`]. The key
    /// of a file that a document names stays: without it the file is worth nothing.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn drop_unlisted_extras(&mut self) -> Result<(), CatalogError> {
        self.drop_unlisted(
            "DELETE FROM decryption_key WHERE sha1 NOT IN (SELECT sha1 FROM temp.listed_key)
             AND NOT EXISTS (SELECT 1 FROM file f WHERE f.sha1 = decryption_key.sha1)",
        )?;
        self.drop_unlisted(
            "DELETE FROM driver_set
             WHERE set_id NOT IN (SELECT set_id FROM temp.listed_driver_set)",
        )?;
        Ok(())
    }

    fn drop_unlisted(&mut self, sql: &str) -> Result<u64, CatalogError> {
        let rows = self.execute_change("remove what the snapshot no longer names", sql, [])?;
        Ok(rows as u64)
    }

    /// Removes revisions of the mirror that cannot be beside this one: another one with its number, and the
    /// same one with another number or other bytes. Returns how many.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn drop_contradicting(&mut self, record: &RevisionRecord) -> Result<u64, CatalogError> {
        let sql = "DELETE FROM revision WHERE NOT local
             AND (revision_id = ?1 OR (update_id = ?2 AND revision_number = ?3))
             AND NOT (revision_id = ?1 AND update_id = ?2 AND revision_number = ?3
                      AND document_sha256 = ?4)";
        let digest = Sha256::hash(&record.xml);
        let params = params![
            record.revision_id,
            record.update_id.as_bytes(),
            record.revision_number,
            digest.as_bytes()
        ];
        Ok(self.execute_change("remove what replaced keys have signed", sql, params)? as u64)
    }

    /// Whether a revision is here with this number and these bytes, and is offered.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn holds(&self, record: &RevisionRecord) -> Result<bool, CatalogError> {
        self.exists(
            "find a revision",
            "SELECT 1 FROM revision WHERE revision_id = ?1 AND update_id = ?2
             AND revision_number = ?3 AND document_sha256 = ?4 AND NOT withdrawn AND NOT local",
            params![
                record.revision_id,
                record.update_id.as_bytes(),
                record.revision_number,
                Sha256::hash(&record.xml).as_bytes()
            ],
        )
    }
}
