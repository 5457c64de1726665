//! The table `driver_set`: which computers a set of drivers is for.

use bundle_format::segment::Record;
use rusqlite::{Row, params};
use uuid::Uuid;

use super::{error::CatalogError, reader::Catalog, writer::CatalogWriter};
use crate::sqlite::uuid_at;

impl Catalog {
    /// Calls `each` with every driver set, by its id.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn driver_sets(&self, each: &mut dyn FnMut(Uuid, String)) -> Result<(), CatalogError> {
        let sql = "SELECT set_id, xml FROM driver_set WHERE xml IS NOT NULL ORDER BY set_id";
        self.for_each_row("read the driver sets", sql, [], |row| {
            each(uuid_at(row, 0)?, row.get(1)?);
            Ok(())
        })
    }
}

impl CatalogWriter<'_> {
    /// Adds or replaces a driver set, or with `None` notes that it is gone; true if that changed
    /// anything.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn store_driver_set(&mut self, id: &Uuid, xml: Option<&str>) -> Result<bool, CatalogError> {
        let rows = self.execute_change(
            "keep a driver set",
            "INSERT INTO driver_set (set_id, xml) SELECT ?1, ?2
             WHERE ?2 IS NOT NULL OR EXISTS (SELECT 1 FROM driver_set WHERE set_id = ?1)
             ON CONFLICT (set_id) DO UPDATE SET xml = ?2, sealed = NULL WHERE xml IS NOT ?2",
            params![id.as_bytes(), xml],
        )?;
        Ok(rows > 0)
    }

    /// Calls `each` with every driver set that the last snapshot does not carry as it is now. One
    /// that was added and removed between two snapshots is listed as removed, which harms nobody.
    ///
    /// # Errors
    /// When SQLite fails, or `each` does.
    pub fn unsealed_driver_sets<E: From<CatalogError>>(
        &self,
        each: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "SELECT set_id, xml FROM driver_set WHERE sealed IS NULL ORDER BY set_id";
        let read = |row: &Row<'_>| Ok(Record::DriverSet { id: uuid_at(row, 0)?, xml: row.get(1)? });
        self.try_for_each_row("list the driver sets to seal", sql, read, each)
    }
}
