//! What may go wrong with the catalogue.

use std::path::PathBuf;

/// Why the catalogue could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// SQLite failed.
    #[error("cannot {doing} in the catalogue {path}")]
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
        "the catalogue {path} has schema {found}; this program knows up to {known}: use the newer program"
    )]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Its contents contradict themselves.
    #[error("the catalogue {path} is damaged: {what}")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
    /// What is to be written contradicts what is there.
    #[error("{what}")]
    Conflict {
        /// What contradicts what, and what to do.
        what: String,
    },
}
