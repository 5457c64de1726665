//! What may go wrong with the data folder.

use std::path::PathBuf;

use crate::file_error::FileError;

/// Why the data folder could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataDirError {
    /// The disk failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no data folder yet.
    #[error(
        "{path} is no Tidegate data folder: run `tidegate init` (connected side) or `tidegate init --site NAME` (isolated side) first"
    )]
    NotInitialized {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is one already.
    #[error("{path} is a Tidegate data folder already ({side}): choose another with --data")]
    AlreadyInitialized {
        /// Where.
        path: PathBuf,
        /// Which side it belongs to.
        side: String,
    },
    /// `tidegate.json` cannot be read.
    #[error("{path} is damaged: restore it from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The catalogue or the fleet has gone. A new catalogue would number updates afresh, and agents keep
    /// these numbers; a new fleet would have no approvals, and the next snapshot would take all back.
    #[error(
        "{path} is missing, empty or cut off, although it was made here: bring it back from a backup, or begin anew in another folder with `tidegate init`"
    )]
    StoreLost {
        /// Where it should be.
        path: PathBuf,
    },
    /// Another process does the same.
    #[error(
        "another `tidegate sync` works on this data folder ({path} is locked): wait until it has ended"
    )]
    Busy {
        /// What it holds.
        path: PathBuf,
    },
    /// Two make the same data folder at once.
    #[error("another `tidegate init` works on {path}: look with `tidegate status` what it made")]
    AnotherInit {
        /// Where.
        path: PathBuf,
    },
    /// A name that is not allowed.
    #[error("{what}")]
    Invalid {
        /// What is wrong and what to do.
        what: String,
    },
}
