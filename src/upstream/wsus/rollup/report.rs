//! What was reported to the upstream, and why no more.

use serde::Serialize;

use crate::{catalog::CatalogError, fleet::FleetError, upstream::wsus::error::UpstreamError};

/// Why nothing more was reported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RollupError {
    /// The upstream did not answer, or refused.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The fleet failed.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The upstream answered several times that it is busy.
    #[error("the upstream server is too busy for reports; the rest is told the next time")]
    Busy,
}

/// What was reported to the upstream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RollupReport {
    /// Servers, this one included.
    pub servers: u64,
    /// The upstream wants to know of single computers.
    pub detailed: bool,
    /// Computers.
    pub computers: u64,
    /// Computers whose states were reported.
    pub statuses: u64,
}
