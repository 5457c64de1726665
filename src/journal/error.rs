//! What may go wrong with a journal.

use std::path::PathBuf;

use crate::file_error::FileError;

/// A journal that cannot be written, read or trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The disk failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process has held the lock for too long.
    #[error("another run has been writing to the journal for {seconds} s ({path} is locked)")]
    Busy {
        /// The lock.
        path: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
    /// The chain is broken.
    #[error(
        "the journal does not fit at line {line} of {path}: {what}. Something was changed, lost or put in there, or just before; the entries above are as they were written"
    )]
    Broken {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What does not fit.
        what: String,
    },
}

impl JournalError {
    /// Whether the journal must not be trusted, rather than that it cannot be read.
    pub fn is_broken(&self) -> bool {
        matches!(self, Self::Broken { .. })
    }
}
