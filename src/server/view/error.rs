//! Why a view could not be loaded.

use crate::{catalog::CatalogError, fleet::FleetError, server::pack::error::PackError};

/// Why a view could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The catalogue could not be read.
    #[error("cannot load what there is to serve")]
    Catalog(#[from] CatalogError),
    /// Imports came between, again and again.
    #[error("an import has changed what there is to serve while it was loaded")]
    Switched,
    /// The fleet could not be read, or the deployments not be recorded.
    #[error("cannot load what is approved for whom")]
    Fleet(#[from] FleetError),
    /// The fragments could not be packed.
    #[error("cannot pack the fragments of the updates")]
    Pack(#[from] PackError),
}
