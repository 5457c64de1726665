//! The write transaction, and running statements that change.

use std::ops::Deref;

use rusqlite::{Params, Transaction, TransactionBehavior};
use zstd::bulk::Compressor;

use super::{error::CatalogError, reader::Catalog};
use crate::sqlite::int;

/// Documents are text that is read often and written once.
const COMPRESSION_LEVEL: i32 = 3;

/// The write transaction. Dropping it undoes everything. It reads as [`Catalog`] does, what it has
/// changed included.
pub struct CatalogWriter<'a> {
    catalog: &'a Catalog,
    tx: Transaction<'a>,
    /// The change counter before.
    change: u64,
    changed: bool,
    pub(super) compressor: Compressor<'static>,
}

impl Deref for CatalogWriter<'_> {
    type Target = Catalog;

    fn deref(&self) -> &Catalog {
        self.catalog
    }
}

impl Catalog {
    /// Starts the one write transaction; nothing is kept without [`CatalogWriter::commit`].
    ///
    /// # Errors
    /// When another process writes for longer than the waiting time, or SQLite fails.
    pub fn write(&mut self) -> Result<CatalogWriter<'_>, CatalogError> {
        // Borrowed for change by the caller, so that there is one transaction at a time.
        let catalog: &Self = self;
        let tx = Transaction::new_unchecked(&catalog.connection, TransactionBehavior::Immediate)
            .map_err(catalog.sqlite("begin writing; another process may be writing"))?;
        let compressor = Compressor::new(COMPRESSION_LEVEL)
            .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
            .map_err(catalog.sqlite("prepare the compression of documents"))?;
        let change = catalog.counter("change", 0)?;
        Ok(CatalogWriter { catalog, tx, change, changed: false, compressor })
    }
}

impl CatalogWriter<'_> {
    /// Commits; returns the change counter. Nothing changed: the counter stays.
    ///
    /// # Errors
    /// When SQLite fails; then nothing was kept.
    pub fn commit(self) -> Result<u64, CatalogError> {
        let mut change = self.change;
        if self.changed {
            change += 1;
            self.set_meta("change", &change.to_string())?;
        }
        let Self { tx, catalog, .. } = self;
        tx.commit().map_err(catalog.sqlite("commit"))?;
        Ok(change)
    }

    /// Remembers this point of the transaction, for [`CatalogWriter::back_to_mark`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn mark_point(&mut self) -> Result<(), CatalogError> {
        self.execute_batch("mark a point", "SAVEPOINT mark")
    }

    /// Undoes everything since [`CatalogWriter::mark_point`].
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn back_to_mark(&mut self) -> Result<(), CatalogError> {
        self.execute_batch("go back to a point", "ROLLBACK TO mark; RELEASE mark")
    }

    /// Forgets the point of [`CatalogWriter::mark_point`]; what was done since stays.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn drop_mark(&mut self) -> Result<(), CatalogError> {
        self.execute_batch("forget a point", "RELEASE mark")
    }

    /// Notes that something changed, and gives the mark for the row: what the change counter will
    /// be after the commit.
    pub(super) fn touch(&mut self) -> i64 {
        self.changed = true;
        self.mark()
    }

    /// The mark of rows that change now; for a statement that may change none.
    pub(super) fn mark(&self) -> i64 {
        int(self.change + 1)
    }

    /// Runs a statement, prepared once; gives the number of rows that it changed.
    pub(super) fn execute(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
    ) -> Result<usize, CatalogError> {
        self.tx
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .map_err(self.sqlite(doing))
    }

    /// As [`CatalogWriter::execute`]; rows that it changed count as a change of the catalogue.
    pub(super) fn execute_change(
        &mut self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
    ) -> Result<usize, CatalogError> {
        let rows = self.execute(doing, sql, params)?;
        self.changed |= rows > 0;
        Ok(rows)
    }

    /// Runs several statements that have no parameters.
    pub(super) fn execute_batch(&self, doing: &'static str, sql: &str) -> Result<(), CatalogError> {
        self.tx.execute_batch(sql).map_err(self.sqlite(doing))
    }
}
