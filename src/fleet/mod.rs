//! The fleet: `fleet.sqlite`. Computers, target groups, approvals, events and compliance: the only
//! data that agents change. What agents say are claims.
//!
//! Blocking and durable. Knows neither the protocol nor the other stores.

mod approvals;
mod computers;
mod deployments;
mod error;
mod groups;
mod reports;
mod schema;

use std::path::Path;

pub use approvals::*;
pub use computers::*;
pub use deployments::*;
pub use error::FleetError;
pub use groups::*;
pub use reports::*;

type Result<T> = std::result::Result<T, FleetError>;

/// `fleet.sqlite`, open. One per thread or behind a mutex.
pub struct Fleet {
    // rusqlite::Connection, path
}

impl Fleet {
    /// Opens the fleet, makes it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// When it cannot be opened, or a newer program made it.
    pub fn open(path: &Path) -> Result<Self> {
        let _ = path;
        unimplemented!()
    }

    /// A counter that grows with every change of groups, memberships, approvals, declines and
    /// licences: what a server's view depends on. Check-ins and reports do not move it.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn change(&self) -> Result<u64> {
        unimplemented!()
    }

    /// A value that belongs to the server: `server-id`, `cookie-key`, `last-change`.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn value(&self, key: &str) -> Result<Option<Vec<u8>>> {
        let _ = key;
        unimplemented!()
    }

    /// Sets such a value if it is not there yet, and returns the one that is there then.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn value_or_insert(&mut self, key: &str, value: &[u8]) -> Result<Vec<u8>> {
        let _ = (key, value);
        unimplemented!()
    }
}
