//! What may go wrong with the fleet.

use std::path::PathBuf;

/// Why the fleet could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// SQLite failed.
    #[error("cannot {doing} in the fleet database {path}")]
    Sqlite {
        /// What was attempted.
        doing: &'static str,
        /// The database.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// A newer Tidegate made it.
    #[error(
        "the fleet database {path} has schema {found}; this program knows up to {known}: use the newer program"
    )]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// There is no such group or computer, or it may not be changed so.
    #[error("{what}")]
    Invalid {
        /// What is wrong and what to do.
        what: String,
    },
}
