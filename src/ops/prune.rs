//! Remove what belongs to past snapshots only.

use super::{Result, context::Context};
use crate::transfer::{self, PruneOptions};
pub use crate::transfer::{PruneReport, UnneededPayload, UnneededReason};

/// What to remove.
#[derive(Debug, Clone, Copy, Default)]
pub struct PruneRequest {
    /// Only look what would be removed.
    pub dry_run: bool,
    /// Payloads that no update names any more, too; those that nobody needs are shown.
    pub payloads: bool,
    /// With `payloads`: remove those that nobody needs (declined; superseded and approved nowhere;
    /// replaced by newer revisions).
    pub unneeded: bool,
}

/// Removes what belongs to past snapshots only.
///
/// # Errors
/// When another run is at work, or a store fails.
pub fn prune(context: &Context<'_>, request: PruneRequest) -> Result<PruneReport> {
    let data = context.data_dir()?;
    let PruneRequest { dry_run, payloads, unneeded } = request;
    Ok(transfer::prune(&data, &PruneOptions { dry_run, payloads, unneeded, now: context.now() })?)
}
