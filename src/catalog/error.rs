//! What may go wrong with the catalogue.

use std::path::{Path, PathBuf};

use crate::sqlite::{OpenError, is_unwritable};

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
    #[error(
        "{path} is no Tidegate catalogue ({what}): it is damaged, or another file was put in its place. Bring it back from a backup"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// The database contradicts itself, or what it holds is not what was stored.
    #[error("the catalogue {path} is damaged: {what}")]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
    /// A document that was to be added, or the row of a payload, is wrong in itself or contradicts
    /// what is here. The catalogue is in order.
    #[error("{what}")]
    UnfitDocument {
        /// What is wrong with it, and what to do.
        what: String,
    },
    /// Another mirror numbers the revisions of this catalogue.
    #[error("{what}")]
    OtherMirror {
        /// Which mirrors, and what to do.
        what: String,
    },
    /// An import is between its switch and its policy.
    #[error(
        "the import of snapshot {snapshot} is not finished: its approvals and declines have not taken effect yet. If no import is running, run `tidegate import` with the same bundle again, or start `tidegate serve` again"
    )]
    AwaitsPolicy {
        /// The snapshot.
        snapshot: u64,
    },
}

impl CatalogError {
    /// Whether the one document (or payload row) that was to be added is at fault: another one may
    /// still be added. Otherwise the store itself has failed.
    pub fn is_about_the_document(&self) -> bool {
        match self {
            Self::UnfitDocument { .. } => true,
            Self::Sqlite { .. }
            | Self::NewerSchema { .. }
            | Self::OlderSchema { .. }
            | Self::Foreign { .. }
            | Self::Damaged { .. }
            | Self::AwaitsPolicy { .. }
            | Self::OtherMirror { .. } => false,
        }
    }

    /// Whether the database cannot be written at present, though it may be read: no space, no right, a
    /// disk that fails, or a lock that another process holds for very long.
    pub fn is_unwritable(&self) -> bool {
        matches!(self, Self::Sqlite { source, .. } if is_unwritable(source))
    }

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
