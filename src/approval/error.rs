//! Why nothing was approved.

use crate::{catalog::CatalogError, fleet::FleetError};

/// Why nothing was approved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The fleet failed.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// A rule cannot be kept or read.
    #[error("the rule {name:?}: {what}")]
    Rule {
        /// Its name.
        name: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// The selection holds no update.
    #[error("{what}")]
    NoSuchUpdate {
        /// What was looked for and how to find what is there.
        what: String,
    },
}
