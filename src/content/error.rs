//! What may go wrong with content.

use std::path::PathBuf;

use crate::file_error::FileError;

/// Why content could not be read or stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The disk failed or is full.
    #[error(transparent)]
    File(#[from] FileError),
    /// The bytes are not those that were promised.
    #[error("{path} does not have the expected {what}: expected {expected}, found {found}")]
    Mismatch {
        /// The source of the bytes.
        path: PathBuf,
        /// `size`, `SHA-256` or `SHA-1`.
        what: &'static str,
        /// What was promised.
        expected: String,
        /// What came.
        found: String,
    },
    /// Only one process at a time may add to partial payloads.
    #[error("another process downloads into {path} already; wait until it has ended")]
    Busy {
        /// The folder.
        path: PathBuf,
    },
}
