//! What may go wrong with the catalogue.

use std::path::{Path, PathBuf};

use crate::sqlite::OpenError;

/// Why the catalogue could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// SQLite failed.
    #[error("catalogue {path}: cannot {doing}")]
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
    /// An older Tidegate made it, and it was opened for reading only.
    #[error(
        "the catalogue {path} has schema {found}, this program needs {known}: run a command that writes to it (such as `tidegate status`) once"
    )]
    OlderSchema {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// The file is something else.
    #[error("{path} is not a Tidegate catalogue: {what}; move it away or choose another --data")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
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

impl CatalogError {
    pub(super) fn opening(path: &Path, error: OpenError) -> Self {
        let path = path.to_owned();
        match error {
            OpenError::Sqlite { doing, source } => Self::Sqlite { doing, path, source },
            OpenError::Newer { found, known } => Self::NewerSchema { path, found, known },
            OpenError::Older { found, known } => Self::OlderSchema { path, found, known },
            OpenError::Foreign { what } => Self::Foreign { path, what },
        }
    }
}
