//! Make a new data folder from a backup.

use std::path::Path;

use super::{Result, context::Context, progress::TransferPhases};
pub use crate::transfer::RestoreReport;
use crate::{data_dir::Side, transfer};

/// Makes the data folder of the context, which must not be there yet, from a backup.
///
/// # Errors
/// When there is something in the data folder, the backup is damaged or not whole, or there is no room.
/// Nothing is left of an attempt that fails.
pub fn restore(context: &Context<'_>, backup: &Path) -> Result<RestoreReport> {
    let phases = TransferPhases::new(context.observer());
    let report = transfer::restore(backup, context.folder(), context.now(), &phases)?;
    drop(phases);
    for unreadable in &report.unreadable {
        context.observer().warn(&format!("it was not in the backup: {unreadable}"));
    }
    for problem in &report.problems {
        context.observer().warn(problem);
    }
    context.observer().warn(&danger(&report));
    Ok(report)
}

/// What is dangerous about going on with something older.
fn danger(report: &RestoreReport) -> String {
    let (created, next) = (report.created, report.snapshot.unwrap_or(0) + 1);
    match report.side {
        Side::Isolated { .. } => format!(
            "this site knows only what it knew at {created:.0}. What it imported and which keys were revoked since then is forgotten: an old medium with snapshot {next} or a later one is taken for a new one, and so is what a revoked key has signed. Import the newest bundle first. The other server must not serve any more"
        ),
        Side::Connected { .. } => format!(
            "this mirror knows only what it knew at {created:.0}. If a snapshot {next} was sealed since then and carried to a site, do not seal here: the site would refuse another snapshot of this number. Make a mirror with `tidegate init --seed` from the newest bundle instead, and take only keys/ from here. The other mirror must not seal any more"
        ),
    }
}
