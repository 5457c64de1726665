//! Snapshots that were sealed or taken in here, and how two of them differ.

use super::{Result, context::Context};
pub use crate::transfer::{DecisionChange, SnapshotDiff, SnapshotEntry, UpdateChanges};
use crate::{catalog::Catalog, transfer};

/// Lists the snapshots that were sealed or taken in here, by number.
///
/// # Errors
/// When there is no data folder, or a store fails.
pub fn list(context: &Context<'_>) -> Result<Vec<SnapshotEntry>> {
    let data = context.data_dir()?;
    let catalog = Catalog::open_to_look(&data.catalog())?;
    Ok(transfer::list_snapshots(&data, &catalog)?)
}

/// Compares two snapshots by what is stored of them.
///
/// # Errors
/// When one of them was never here, or a store fails.
pub fn diff(context: &Context<'_>, from: u64, to: u64) -> Result<SnapshotDiff> {
    let data = context.data_dir()?;
    Ok(transfer::snapshot_diff(&data, (from, to), &context.limits(), context.now())?)
}
