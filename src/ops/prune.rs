//! Remove what belongs to past snapshots only.

use super::{Result, context::Context};
pub use crate::transfer::PruneReport;
use crate::transfer::{self, PruneOptions};

/// What to remove.
#[derive(Debug, Clone, Copy, Default)]
pub struct PruneRequest {
    /// Only look what would be removed.
    pub dry_run: bool,
    /// Payloads that no update names any more, too.
    pub payloads: bool,
}

/// Removes what belongs to past snapshots only.
///
/// # Errors
/// When another run is at work, or a store fails.
pub fn prune(context: &Context<'_>, request: PruneRequest) -> Result<PruneReport> {
    let data = context.data_dir()?;
    let PruneRequest { dry_run, payloads } = request;
    Ok(transfer::prune(&data, &PruneOptions { dry_run, payloads, now: context.now() })?)
}
