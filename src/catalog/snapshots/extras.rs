//! Keys and driver sets on their way into snapshots and out of them.

use bundle_format::{digest::Sha1, segment::Record};
use rusqlite::{Row, params};
use uuid::Uuid;

use super::{Result, failed};
use crate::{
    catalog::{error::CatalogError, write::CatalogWriter},
    sqlite::{int, sha1_at, uuid_at},
};

impl CatalogWriter<'_> {
    /// Calls `each` with every key that the last snapshot does not carry as it is now, by its file.
    ///
    /// # Errors
    /// When SQLite fails, or `each` does.
    pub fn unsealed_keys<E: From<CatalogError>>(
        &self,
        each: impl FnMut(Record) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let sql = "SELECT sha1, key FROM decryption_key WHERE sealed IS NULL ORDER BY sha1";
        self.records("list the keys to seal", sql, each, |row| {
            Ok(Record::Key { sha1: sha1_at(row, 0)?, key: row.get(1)? })
        })
    }

    /// The same of driver sets. One that came and went between two snapshots is told as gone, which
    /// harms nobody.
    ///
    /// # Errors
    /// When SQLite fails, or `each` does.
    pub fn unsealed_driver_sets<E: From<CatalogError>>(
        &self,
        each: impl FnMut(Record) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let sql = "SELECT set_id, xml FROM driver_set WHERE sealed IS NULL ORDER BY set_id";
        self.records("list the driver sets to seal", sql, each, |row| {
            Ok(Record::DriverSet { id: uuid_at(row, 0)?, xml: row.get(1)? })
        })
    }

    fn records<E: From<CatalogError>>(
        &self,
        doing: &'static str,
        sql: &str,
        mut each: impl FnMut(Record) -> std::result::Result<(), E>,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<Record>,
    ) -> std::result::Result<(), E> {
        let connection = &*self.tx;
        let mut statement = connection.prepare(sql).map_err(failed(connection, doing))?;
        let mut rows = statement.query([]).map_err(failed(connection, doing))?;
        while let Some(row) = rows.next().map_err(failed(connection, doing))? {
            each(read(row).map_err(failed(connection, doing))?)?;
        }
        Ok(())
    }

    /// Notes that a snapshot carries all of them.
    pub(super) fn seal_extras(&mut self, snapshot: u64) -> Result<()> {
        for sql in [
            "UPDATE decryption_key SET sealed = ?1 WHERE sealed IS NULL",
            "UPDATE driver_set SET sealed = ?1 WHERE sealed IS NULL",
        ] {
            self.execute("note what is sealed", sql, params![int(snapshot)])?;
        }
        Ok(())
    }

    /// Lists a key, for [`CatalogWriter::drop_unlisted_extras`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn list_key(&mut self, sha1: &Sha1) -> Result<()> {
        let sql = "INSERT OR IGNORE INTO temp.listed_key VALUES (?1)";
        self.execute("list a key", sql, params![sha1.as_bytes()])?;
        Ok(())
    }

    /// Lists a driver set, for [`CatalogWriter::drop_unlisted_extras`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn list_driver_set(&mut self, id: &Uuid) -> Result<()> {
        let sql = "INSERT OR IGNORE INTO temp.listed_driver_set VALUES (?1)";
        self.execute("list a driver set", sql, params![id.as_bytes()])?;
        Ok(())
    }

    /// Removes keys and driver sets that were not listed since [`CatalogWriter::start_list`]. The key of a
    /// file that a document names stays: without it the file is worth nothing.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn drop_unlisted_extras(&mut self) -> Result<()> {
        let mut dropped = 0;
        for sql in [
            "DELETE FROM decryption_key WHERE sha1 NOT IN (SELECT sha1 FROM temp.listed_key)
             AND NOT EXISTS (SELECT 1 FROM file f WHERE f.sha1 = decryption_key.sha1)",
            "DELETE FROM driver_set
             WHERE set_id NOT IN (SELECT set_id FROM temp.listed_driver_set)",
        ] {
            dropped += self.execute("remove what the snapshot no longer names", sql, [])?;
        }
        if dropped > 0 {
            self.touch();
        }
        Ok(())
    }
}
