//! Which snapshots there are, and which still matter.

use serde::Serialize;

use crate::{
    catalog::{Catalog, CatalogError, SnapshotRow, SnapshotState},
    data_dir::DataDir,
    transfer::{
        error::TransferError,
        store::{heads, segments},
    },
};

/// A snapshot that was sealed or taken in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SnapshotEntry {
    /// Its number, state and dates.
    #[serde(flatten)]
    pub row: SnapshotRow,
    /// Segments that it names.
    pub segments: u64,
    /// Those of them that are not here (any more, or not yet).
    pub segments_gone: u64,
}

/// All snapshots that were sealed or taken in here, by number.
///
/// # Errors
/// When a store fails.
pub fn list_snapshots(
    data: &DataDir,
    catalog: &Catalog,
) -> Result<Vec<SnapshotEntry>, TransferError> {
    let folder = data.segments();
    let mut entries = Vec::new();
    for mut row in catalog.snapshots()? {
        row.expires = row.expires.or_else(|| heads::expires(data, row.number));
        let named = catalog.segments_of(row.number)?;
        let gone = named.iter().filter(|segment| segments::find(&folder, segment).is_none());
        let segments_gone = gone.count() as u64;
        entries.push(SnapshotEntry { row, segments: named.len() as u64, segments_gone });
    }
    Ok(entries)
}

/// The snapshot that was sealed last, the one that is served, and the pending ones.
pub(super) fn snapshots_in_use(catalog: &Catalog) -> Result<Vec<SnapshotRow>, CatalogError> {
    let snapshots = catalog.snapshots()?;
    let sealed = snapshots.iter().rfind(|s| s.state == SnapshotState::Sealed);
    let taken_in = snapshots
        .iter()
        .filter(|s| matches!(s.state, SnapshotState::InForce | SnapshotState::Pending));
    Ok(sealed.into_iter().chain(taken_in).cloned().collect())
}
