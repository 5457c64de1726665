//! Opening the catalogue, and running statements that read.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Params, Row, Transaction};

use super::{error::CatalogError, schema::STORE};
use crate::sqlite::{copy, hold_moment};

/// `catalog.sqlite`, open.
pub struct Catalog {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

impl Catalog {
    /// Opens the catalogue, makes it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// When it cannot be opened, a newer program made it, or the file is something else.
    pub fn open(path: &Path) -> Result<Self, CatalogError> {
        let connection = STORE.open(path).map_err(|e| CatalogError::opening(path, e))?;
        let mut catalog = Self { connection, path: path.to_owned() };
        catalog.reread_documents()?;
        Ok(catalog)
    }

    /// Opens the catalogue for somebody who looks: as [`Catalog::open`], and where it cannot be written (a
    /// read-only file system, missing rights, a full disk) for reading only.
    ///
    /// # Errors
    /// As [`Catalog::open`], when it cannot be read either.
    pub fn open_to_look(path: &Path) -> Result<Self, CatalogError> {
        match Self::open(path) {
            Err(error) if error.is_unwritable() => Self::open_read_only(path)
                .map_err(|second| if second.is_unwritable() { error } else { second }),
            opened => opened,
        }
    }

    /// Opens an existing catalogue for reading only.
    ///
    /// # Errors
    /// When it is not there, or has another schema than this program's.
    pub fn open_read_only(path: &Path) -> Result<Self, CatalogError> {
        let connection = STORE.open_read_only(path).map_err(|e| CatalogError::opening(path, e))?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// The catalogue as it is at this moment, whatever others write from now on: for a copy of it.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn at_this_moment(self) -> Result<Self, CatalogError> {
        hold_moment(&self.connection).map_err(self.sqlite("look at one moment of it"))?;
        Ok(self)
    }

    /// Writes what is seen here into a new file. `each` is told the bytes.
    ///
    /// # Errors
    /// When SQLite fails, on either side.
    pub fn copy_to(&self, path: &Path, each: &mut dyn FnMut(u64)) -> Result<(), CatalogError> {
        copy(&self.connection, path, each).map_err(self.sqlite("copy it"))
    }

    /// The folder that it is in.
    pub fn folder(&self) -> Option<&Path> {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty())
    }

    /// Says what was attempted when SQLite failed.
    pub(super) fn sqlite(
        &self,
        doing: &'static str,
    ) -> impl FnOnce(rusqlite::Error) -> CatalogError {
        move |source| CatalogError::Sqlite { doing, path: self.path.clone(), source }
    }

    pub(super) fn damaged(&self, what: String) -> CatalogError {
        CatalogError::Damaged { path: self.path.clone(), what }
    }

    /// One state for several statements, whatever another process commits meanwhile. Within a write
    /// transaction there is one already.
    pub(super) fn one_state(&self) -> rusqlite::Result<Option<Transaction<'_>>> {
        self.connection.is_autocommit().then(|| self.connection.unchecked_transaction()).transpose()
    }

    /// The first row, if any. The statement is prepared once.
    pub(super) fn row<T>(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, CatalogError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(params, read).optional())
            .map_err(self.sqlite(doing))
    }

    /// Whether there is a row. The statement is prepared once.
    pub(super) fn exists(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
    ) -> Result<bool, CatalogError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.exists(params))
            .map_err(self.sqlite(doing))
    }

    /// All rows, collected. The statement is prepared once.
    pub(super) fn rows<T, C: FromIterator<T>>(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<C, CatalogError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_map(params, read)?.collect())
            .map_err(self.sqlite(doing))
    }

    /// Calls `each` with every row, one in memory at a time. The statement is prepared once.
    pub(super) fn for_each_row(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
        mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), CatalogError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params)?;
            while let Some(row) = rows.next()? {
                each(row)?;
            }
            Ok(())
        };
        read().map_err(self.sqlite(doing))
    }

    /// Calls `each` with what `read` makes of every row, one in memory at a time, until it fails.
    pub(super) fn try_for_each_row<T, E: From<CatalogError>>(
        &self,
        doing: &'static str,
        sql: &str,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
        mut each: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |source| E::from(self.sqlite(doing)(source));
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            each(read(row).map_err(failed)?)?;
        }
        Ok(())
    }
}
