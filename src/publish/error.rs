//! What may go wrong with publishing.

use super::rule_parser::BadRule;
use crate::{
    catalog::CatalogError, content::ContentError, file_error::FileError, update::DocumentError,
};

/// Why a file was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The request cannot become a valid update.
    #[error("{what}")]
    Invalid {
        /// What is wrong and what to do.
        what: String,
    },
    /// A rule is not understood.
    #[error(transparent)]
    Rule(#[from] BadRule),
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The document would not be accepted by those who read it.
    #[error("the update document made of this request is not valid")]
    Document(#[from] DocumentError),
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The store of payloads failed.
    #[error(transparent)]
    Content(#[from] ContentError),
}

impl PublishError {
    pub(super) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid { what: what.into() }
    }
}
