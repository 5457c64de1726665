//! What may go wrong with the fleet.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::meta::text;
use crate::sqlite::{OpenError, is_unwritable};

/// Why the fleet could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// SQLite failed.
    #[error("fleet database {path}: cannot {doing}")]
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
    /// The file is something else.
    #[error(
        "{path} is no Tidegate fleet database ({what}): it is damaged, or another file was put in its place. Bring it back from a backup"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: String,
    },
    /// There is no such group or computer, or it may not be changed so.
    #[error("{what}")]
    Invalid {
        /// What is wrong and what to do.
        what: String,
    },
    /// There is no room for one more computer, and none may go.
    #[error(
        "there is no room for one more computer of this address: an administrator has put all that are there into groups. Remove some with `tidegate computers remove`, or raise the bounds in the configuration (`[bounds]`)"
    )]
    NoRoom,
}

impl FleetError {
    /// Whether the database cannot be written at present, though it may be read: no space, no right, a
    /// disk that fails, or a lock that another process holds for very long.
    pub fn is_unwritable(&self) -> bool {
        matches!(self, Self::Sqlite { source, .. } if is_unwritable(source))
    }

    pub(super) fn opening(path: &Path, error: OpenError) -> Self {
        let path = path.to_owned();
        match error {
            OpenError::Sqlite { doing, source } => Self::Sqlite { doing, path, source },
            OpenError::Newer { found, known } | OpenError::Older { found, known } => {
                Self::NewerSchema { path, found, known }
            }
            OpenError::Foreign { what } => Self::Foreign { path, what },
        }
    }
}

/// Why some work on the database failed, before it is said which work it was.
#[derive(Debug)]
pub(super) enum WriteError {
    /// SQLite failed.
    Sqlite(rusqlite::Error),
    /// What is wrong with the change that was asked for.
    Invalid(String),
    /// Only the upstream decides.
    Replica,
    /// There is no room for one more computer.
    NoRoom,
}

impl WriteError {
    pub(super) fn in_context(self, doing: &'static str, path: &Path) -> FleetError {
        match self {
            Self::Sqlite(source) => FleetError::Sqlite { doing, path: path.to_owned(), source },
            Self::Invalid(what) => FleetError::Invalid { what },
            Self::Replica => refusal(None),
            Self::NoRoom => FleetError::NoRoom,
        }
    }
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        if is_refusal(&error) { Self::Replica } else { Self::Sqlite(error) }
    }
}

impl From<serde_json::Error> for WriteError {
    fn from(error: serde_json::Error) -> Self {
        Self::Sqlite(rusqlite::Error::ToSqlConversionFailure(error.into()))
    }
}

/// Whether a trigger of the database has refused a change.
pub(super) fn is_refusal(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(code, Some(message)) = error else { return false };
    code.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_TRIGGER && message == "replica"
}

/// That refusal as an error for people.
pub(super) fn refusal(db: Option<&Connection>) -> FleetError {
    let upstream = db.and_then(|db| text(db, "replica-of").ok().flatten());
    let upstream = upstream.as_deref().unwrap_or("its upstream server");
    FleetError::Invalid {
        what: format!(
            "this is a replica of {upstream}, which decides on groups, approvals, declines and licences. Decide there, or end it with `tidegate sync --autonomous --from {upstream}`: that keeps what is here, as decided here"
        ),
    }
}
