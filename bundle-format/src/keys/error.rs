//! What can go wrong with a key file.

use std::{io, path::Path};

/// What went wrong with a key file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file could not be read or written.
    #[error("cannot read or write the key file {path}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It is no key file, or the passphrase is missing or wrong.
    #[error("cannot use the key file {path}: {what}")]
    Unusable {
        /// The file.
        path: String,
        /// What is wrong, and what to do.
        what: String,
    },
}

pub(super) fn io_error(path: &Path, source: io::Error) -> KeyError {
    KeyError::Io { path: path.display().to_string(), source }
}
