//! Receipt: this site says which snapshot it serves, signed with a key of its own.

use bundle_format::{
    digest::Sha256,
    keys::SigningKey,
    receipt::{NewReceipt, Receipt},
};
use jiff::Timestamp;

use crate::{
    catalog::{Catalog, SnapshotState},
    data_dir::DataDir,
    durable,
    file_error::Doing as _,
    transfer::{
        error::TransferError,
        store::{side::require_isolated, trust},
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// The beginning of the name of the folder in which the key is made.
const TEMPORARY: &str = ".tmp";

/// Makes a receipt for the snapshot in force, with the last entry of the journal of this side; gives its
/// file, too. The first one makes the key of this site.
///
/// # Errors
/// On a connected side, before the first import, and when a store or the disk fails.
pub fn make_receipt(
    data: &DataDir,
    journal: (u64, Sha256),
    now: Timestamp,
) -> Result<(Receipt, Vec<u8>)> {
    let site = require_isolated(data)?.to_owned();
    let nothing = || {
        TransferError::Unfit {
        what: "no snapshot is served here yet, so there is nothing to acknowledge: import a bundle first".to_owned(),
    }
    };
    let catalog = Catalog::open_to_look(&data.catalog())?;
    let snapshots = catalog.snapshots()?;
    let in_force = snapshots.iter().rfind(|row| row.state == SnapshotState::InForce);
    let in_force = in_force.ok_or_else(nothing)?;
    let mirror_id = catalog.mirror_id()?.ok_or_else(nothing)?;
    let (snapshot, index_sha256) = (in_force.number, in_force.index_sha256);
    let new = NewReceipt { created: now, site, mirror_id, snapshot, index_sha256, journal };
    Ok(Receipt::sign(new, &site_key(data)?))
}

/// The key of this site, which is made when it is not there. It has no passphrase: receipts are made
/// unattended, and whoever reads this folder could sign in its name in any case.
fn site_key(data: &DataDir) -> Result<SigningKey> {
    let _lock = trust::lock(data)?;
    let (folder, path) = (data.keys(), data.keys().join("site.pem"));
    if folder.exists() {
        durable::sweep(&folder, TEMPORARY).doing("clear", &folder)?;
    }
    if !path.exists() {
        std::fs::create_dir_all(&folder).doing("make", &folder)?;
        durable::permit(&folder, 0o700).doing("set the permissions of", &folder)?;
        // Written beside, so that a run that is killed leaves no half key.
        let scratch = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(&folder);
        let scratch = scratch.doing("make a folder in", &folder)?;
        let new = scratch.path().join("site.pem");
        SigningKey::generate()?.save(&new, None)?;
        std::fs::rename(&new, &path).doing("keep the key of this site as", &path)?;
        durable::sync_folder(&folder).doing("sync", &folder)?;
    }
    Ok(SigningKey::load(&path, None)?)
}
