//! What intake and switch ask for: what a snapshot names, what of it is absent, and going back.

use bundle_format::{digest::Sha256, segment::RevisionRecord};
use rusqlite::params;

use super::{Result, failed};
use crate::{
    catalog::{
        columns::{PAYLOAD, payload_row},
        rows::PayloadRow,
        write::CatalogWriter,
    },
    sqlite::{sha256_at, u64_at},
};

impl CatalogWriter<'_> {
    /// Calls `each` with the name and size of every payload that should be here and is not. What a
    /// document that was published here names does not count: no bundle will bring it.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn absent_payloads(&self, each: &mut dyn FnMut(Sha256, u64)) -> Result<()> {
        let doing = "list what is missing";
        let connection = &*self.tx;
        let mut statement = connection
            .prepare(
                "SELECT sha256, size FROM payload p WHERE NOT present AND not_carried IS NULL
                 AND NOT EXISTS (SELECT 1 FROM file f JOIN revision r USING (revision_id)
                 WHERE r.local AND f.sha1 = p.sha1) ORDER BY sha256",
            )
            .map_err(failed(connection, doing))?;
        let mut rows = statement.query([]).map_err(failed(connection, doing))?;
        while let Some(row) = rows.next().map_err(failed(connection, doing))? {
            let (sha256, size) = (|| Ok((sha256_at(row, 0)?, u64_at(row, 1)?)))()
                .map_err(failed(connection, doing))?;
            each(sha256, size);
        }
        Ok(())
    }

    /// Starts a list of what a snapshot names, for [`CatalogWriter::drop_unlisted_payloads`] and
    /// [`CatalogWriter::drop_unlisted_revisions`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn start_list(&mut self) -> Result<()> {
        self.tx
            .execute_batch(
                "DROP TABLE IF EXISTS temp.listed_revision;
                 DROP TABLE IF EXISTS temp.listed_payload;
                 DROP TABLE IF EXISTS temp.listed_key;
                 DROP TABLE IF EXISTS temp.listed_driver_set;
                 CREATE TEMP TABLE listed_key (sha1 BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
                 CREATE TEMP TABLE listed_driver_set (set_id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
                 CREATE TEMP TABLE listed_revision (revision_id INTEGER PRIMARY KEY) STRICT;
                 CREATE TEMP TABLE listed_payload (sha256 BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;",
            )
            .map_err(failed(&self.tx, "start a list"))
    }

    /// Lists a revision by its number.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn list_revision(&mut self, revision_id: i32) -> Result<()> {
        self.execute(
            "list a revision",
            "INSERT OR IGNORE INTO temp.listed_revision VALUES (?1)",
            params![revision_id],
        )?;
        Ok(())
    }

    /// Lists a payload by its name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn list_payload(&mut self, payload: &Sha256) -> Result<()> {
        self.execute(
            "list a payload",
            "INSERT OR IGNORE INTO temp.listed_payload VALUES (?1)",
            params![payload.as_bytes()],
        )?;
        Ok(())
    }

    /// Removes payload rows that were not listed since [`CatalogWriter::start_list`]; what a document that
    /// was published here names stays. Returns how many went.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn drop_unlisted_payloads(&mut self) -> Result<u64> {
        self.drop_unlisted(
            "DELETE FROM payload WHERE sha256 NOT IN (SELECT sha256 FROM temp.listed_payload)
             AND NOT EXISTS (SELECT 1 FROM file f JOIN revision r USING (revision_id)
             WHERE r.local AND f.sha1 = payload.sha1)",
        )
    }

    /// Removes revisions that were not listed since [`CatalogWriter::start_list`]; what was published here
    /// stays. Returns how many went.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn drop_unlisted_revisions(&mut self) -> Result<u64> {
        self.drop_unlisted(
            "DELETE FROM revision WHERE NOT local
             AND revision_id NOT IN (SELECT revision_id FROM temp.listed_revision)",
        )
    }

    fn drop_unlisted(&mut self, sql: &str) -> Result<u64> {
        let dropped = self.execute("remove what the snapshot no longer names", sql, [])?;
        if dropped > 0 {
            self.touch();
        }
        Ok(dropped as u64)
    }

    /// Whether a revision is here with this number and these bytes, and is offered.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn holds(&self, record: &RevisionRecord) -> Result<bool> {
        let found = self.row(
            "find a revision",
            "SELECT 1 FROM revision WHERE revision_id = ?1 AND update_id = ?2
             AND revision_number = ?3 AND document_sha256 = ?4 AND NOT withdrawn AND NOT local",
            params![
                record.revision_id,
                record.update_id.as_bytes(),
                record.revision_number,
                Sha256::hash(&record.xml).as_bytes()
            ],
            |_| Ok(()),
        )?;
        Ok(found.is_some())
    }

    /// A payload row.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payload(&self, sha256: &Sha256) -> Result<Option<PayloadRow>> {
        let sql = format!("{PAYLOAD} WHERE sha256 = ?1");
        self.row("find a payload", &sql, [sha256.as_bytes()], payload_row)
    }

    /// Remembers this point of the transaction, for [`CatalogWriter::back_to_mark`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn mark_point(&mut self) -> Result<()> {
        self.tx.execute_batch("SAVEPOINT mark").map_err(failed(&self.tx, "mark a point"))
    }

    /// Undoes everything since [`CatalogWriter::mark_point`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn back_to_mark(&mut self) -> Result<()> {
        self.tx
            .execute_batch("ROLLBACK TO mark; RELEASE mark")
            .map_err(failed(&self.tx, "go back to a point"))
    }
}
