//! A second person signs the newest snapshot.

use std::path::Path;

use bundle_format::{
    keys::SigningKey,
    limits::BundleLimits,
    trust::{self, Head, SealSummary},
};

use crate::{
    catalog::Catalog,
    data_dir::DataDir,
    transfer::{
        error::TransferError,
        store::{heads, side::require_connected, trust as trust_state},
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// What a countersigner should look at before [`countersign`]: sites, numbers, counts.
///
/// # Errors
/// When there is no snapshot, or its head is damaged.
pub fn inspect_for_signing(data: &DataDir) -> Result<SealSummary> {
    let (_, head) = newest_snapshot(data)?;
    trust::inspect_for_signing(&head, &BundleLimits::default())
        .map_err(|source| TransferError::Sign { doing: "read the snapshot to be signed", source })
}

/// Adds the signature of a second person to the newest snapshot.
///
/// # Errors
/// When the key may not sign it or has done so, or the disk fails.
pub fn countersign(data: &DataDir, key: &Path, passphrase: Option<&str>) -> Result<SealSummary> {
    require_connected(data)?;
    let _lock = trust_state::lock(data)?;
    let (number, mut head) = newest_snapshot(data)?;
    let key = SigningKey::load(key, passphrase)?;
    trust::countersign(&mut head, &key)
        .map_err(|source| TransferError::Sign { doing: "countersign the snapshot", source })?;
    heads::store(data, number, &head)?;
    inspect_for_signing(data)
}

/// The number and the signed head of the newest snapshot.
fn newest_snapshot(data: &DataDir) -> Result<(u64, Head)> {
    require_connected(data)?;
    let last = Catalog::open(&data.catalog())?.snapshots()?.pop();
    let number = last
        .ok_or_else(|| TransferError::Unfit {
            what: "there is no snapshot yet: run `tidegate seal` first".to_owned(),
        })?
        .number;
    Ok((number, heads::load(data, number)?))
}
