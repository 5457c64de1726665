//! Why packs could not be made or read.

use std::path::PathBuf;

use crate::{catalog::CatalogError, file_error::FileError};

/// Why packs could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The disk failed or is full.
    #[error(transparent)]
    File(#[from] FileError),
    /// A pack is not what was once written.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// The pack.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// The documents could not be read.
    #[error("cannot read update documents to pack their fragments")]
    Catalog(#[source] CatalogError),
}
