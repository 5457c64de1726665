//! Why packs could not be made or read.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::catalog::CatalogError;

/// Why packs could not be made or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The disk failed or is full.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
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

impl PackError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
