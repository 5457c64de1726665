//! Which snapshots still matter.

use crate::catalog::{Catalog, CatalogError, SnapshotRow, SnapshotState};

/// The snapshot that was sealed last, the one that is served, and the pending ones.
pub(super) fn snapshots_in_use(catalog: &Catalog) -> Result<Vec<SnapshotRow>, CatalogError> {
    let snapshots = catalog.snapshots()?;
    let sealed = snapshots.iter().rfind(|s| s.state == SnapshotState::Sealed);
    let taken_in = snapshots
        .iter()
        .filter(|s| matches!(s.state, SnapshotState::InForce | SnapshotState::Pending));
    Ok(sealed.into_iter().chain(taken_in).cloned().collect())
}
