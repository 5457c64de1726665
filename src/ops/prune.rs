//! Remove what belongs to past snapshots only.

use serde_json::json;

use super::{
    Result,
    context::Context,
    wording::{count, listed},
};
pub use crate::transfer::{PruneReport, UnneededPayload, UnneededReason};
use crate::{
    journal::EntryKind,
    transfer::{self, PruneOptions},
};

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
    let options = PruneOptions { dry_run, payloads, unneeded, now: context.now() };
    let report = transfer::prune(&data, &options)?;
    context.journaled(EntryKind::Prune, "prune", Ok(report), |report| {
        let unneeded = if report.frees_unneeded { report.unneeded.as_slice() } else { &[] };
        let files = report.payloads.len() + unneeded.len();
        let what = format!(
            "{} and {} removed",
            count(report.segments.len() as u64, "segment"),
            count(files as u64, "payload")
        );
        let details = json!({
            "bytes": report.bytes,
            "segments": listed(&report.segments),
            "payloads": listed(&report.payloads),
            "unneeded": listed(unneeded),
        });
        (!dry_run && report.bytes > 0).then_some((what, details))
    })
}
