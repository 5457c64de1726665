//! The database file, its transactions, and the values and counters that all tables share.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use super::{
    error::{FleetError, WriteError, refusal},
    limits::FleetBounds,
    meta::{counter, set_value, value},
    schema,
};
use crate::sqlite::{copy, hold_moment, integrity, moment};

/// `fleet.sqlite`, open. One per thread or behind a mutex.
pub struct Fleet {
    connection: Connection,
    path: PathBuf,
    bounds: FleetBounds,
}

impl Fleet {
    /// Opens the fleet, makes it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// When it cannot be opened, a newer program made it, or the file is something else.
    pub fn open(path: &Path) -> Result<Self, FleetError> {
        let connection = schema::STORE.open(path).map_err(|e| FleetError::opening(path, e))?;
        Ok(Self { connection, path: path.to_owned(), bounds: FleetBounds::default() })
    }

    /// Opens the fleet for somebody who looks: as [`Fleet::open`], and where it cannot be written (a
    /// read-only file system, missing rights, a full disk) for reading only.
    ///
    /// # Errors
    /// As [`Fleet::open`], when it cannot be read either.
    pub fn open_to_look(path: &Path) -> Result<Self, FleetError> {
        match Self::open(path) {
            Err(error) if error.is_unwritable() => Self::open_read_only(path)
                .map_err(|second| if second.is_unwritable() { error } else { second }),
            opened => opened,
        }
    }

    /// With other bounds on what computers and servers may occupy.
    #[must_use]
    pub fn with_bounds(self, bounds: FleetBounds) -> Self {
        Self { bounds, ..self }
    }

    /// Bounds on what computers and servers may occupy.
    pub(super) fn bounds(&self) -> FleetBounds {
        self.bounds
    }

    /// Opens a fleet that is there, with exactly this program's schema, for reading: beside whoever writes
    /// at the same time.
    ///
    /// # Errors
    /// As [`Fleet::open`], and when it is not there.
    pub fn open_read_only(path: &Path) -> Result<Self, FleetError> {
        let opened = schema::STORE.open_read_only(path);
        let connection = opened.map_err(|e| FleetError::opening(path, e))?;
        Ok(Self { connection, path: path.to_owned(), bounds: FleetBounds::default() })
    }

    /// A counter that grows with every change of groups, memberships, approvals, declines and
    /// licences: what a server's view depends on. Check-ins and reports do not move it.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn change(&self) -> Result<u64, FleetError> {
        self.read("read the change counter", |db| {
            let text: String = db
                .prepare_cached("SELECT CAST(value AS TEXT) FROM meta WHERE key = 'change'")?
                .query_row([], |row| row.get(0))?;
            Ok(counter(&text)?)
        })
    }

    /// A value that belongs to the server: `server-id`, `cookie-key`.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn value(&self, key: &str) -> Result<Option<Vec<u8>>, FleetError> {
        self.read("read a value", |db| Ok(value(db, key)?))
    }

    /// Sets such a value if it is not there yet, and returns the one that is there then.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn value_or_insert(&mut self, key: &str, new: &[u8]) -> Result<Vec<u8>, FleetError> {
        self.write("write a value", |db| {
            db.prepare_cached("INSERT OR IGNORE INTO meta (key, value) VALUES (?1, ?2)")?
                .execute((key, new))?;
            Ok(value(db, key)?.unwrap_or_else(|| new.to_vec()))
        })
    }

    /// What SQLite itself finds wrong with the file; empty when it is in order.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn integrity(&self) -> Result<Vec<String>, FleetError> {
        self.read("check the integrity", |db| Ok(integrity(db)?))
    }

    /// Writes something that means nothing: whether that is possible again.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn try_writing(&mut self, now: Timestamp) -> Result<(), FleetError> {
        self.write("write", |db| Ok(set_value(db, "written", moment(now).as_bytes())?))
    }

    /// Changes the database behind the back of everybody.
    #[cfg(test)]
    pub(crate) fn tamper(&mut self, sql: &str) -> Result<(), FleetError> {
        self.write("tamper", |db| Ok(db.execute_batch(sql)?))
    }

    /// Makes many changes with one transaction: all of them or, if `work` fails, none. Much faster
    /// than each by itself, which waits for the disk every time.
    ///
    /// # Errors
    /// When `work` fails, or SQLite.
    pub fn at_once<T, E: From<FleetError>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let run = |fleet: &Self, sql| {
            fleet
                .connection
                .execute_batch(sql)
                .map_err(|e| WriteError::from(e).in_context("make changes at once", &fleet.path))
        };
        run(self, "BEGIN IMMEDIATE")?;
        let result = work(self).and_then(|made| Ok(run(self, "COMMIT").map(|()| made)?));
        if result.is_err() && !self.connection.is_autocommit() {
            // The first error is returned; SQLite rolls back by itself at the latest on closing.
            let _ = run(self, "ROLLBACK");
        }
        result
    }

    /// The fleet as it is at this moment, whatever others write from now on: for a copy of it.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn at_this_moment(self) -> Result<Self, FleetError> {
        let held = hold_moment(&self.connection);
        held.map_err(|e| WriteError::from(e).in_context("look at one moment of", &self.path))?;
        Ok(self)
    }

    /// Writes what is seen here into a new file. `each` is told the bytes.
    ///
    /// # Errors
    /// When SQLite fails, on either side.
    pub fn copy_to(&self, path: &Path, each: &mut dyn FnMut(u64)) -> Result<(), FleetError> {
        let copied = copy(&self.connection, path, each);
        copied.map_err(|e| WriteError::from(e).in_context("copy", &self.path))
    }

    /// Several looks at one moment: what is written meanwhile is not seen.
    ///
    /// # Errors
    /// When `look` fails, or SQLite.
    pub fn at_one_moment<T>(
        &self,
        look: impl FnOnce(&Self) -> Result<T, FleetError>,
    ) -> Result<T, FleetError> {
        let begun = self.connection.unchecked_transaction();
        let moment = begun
            .map_err(|e| WriteError::from(e).in_context("look at the database", &self.path))?;
        let found = look(self);
        // Nothing was written: how it ends does not matter.
        drop(moment);
        found
    }

    /// One consistent look at the database.
    pub(super) fn read<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, WriteError>,
    ) -> Result<T, FleetError> {
        let look = || {
            if !self.connection.is_autocommit() {
                return work(&self.connection);
            }
            let tx = self.connection.unchecked_transaction()?;
            work(&tx)
        };
        look().map_err(|error| error.in_context(doing, &self.path))
    }

    /// One transaction, kept as a whole or not at all.
    pub(super) fn write<T>(
        &mut self,
        doing: &'static str,
        work: impl FnOnce(&Connection) -> Result<T, WriteError>,
    ) -> Result<T, FleetError> {
        let Self { connection, path, .. } = self;
        let change = || {
            if !connection.is_autocommit() {
                // Within `at_once`: what fails here is undone here.
                let tx = connection.savepoint()?;
                let result = work(&tx)?;
                tx.commit()?;
                return Ok(result);
            }
            let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&tx)?;
            tx.commit()?;
            Ok(result)
        };
        let result: Result<T, WriteError> = change();
        result.map_err(|error| match error {
            WriteError::Replica => refusal(Some(connection)),
            error => error.in_context(doing, path),
        })
    }
}
