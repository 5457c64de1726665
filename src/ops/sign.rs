//! Countersign the newest snapshot of a data folder, or finished volumes in place.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::{Result, context::Context, error::OpsError};
pub use crate::transfer::{
    DecisionToSign, DecisionToSignKind, ListToSign, SnapshotToSign, UpdateToSign,
};
use crate::{journal::EntryKind, transfer};

/// What is signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignRequest {
    /// Finished volumes, or folders of them; if none are named, the newest snapshot of the data folder.
    pub bundles: Vec<PathBuf>,
}

/// A snapshot that was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SignOutcome {
    /// Its number.
    pub snapshot: u64,
    /// How many signatures it has.
    pub signatures: u64,
    /// How many it needs.
    pub needed: u64,
    /// The volumes that have the signature now.
    pub volumes: Vec<PathBuf>,
}

/// The snapshot that would be signed, with what it changes.
///
/// # Errors
/// When nothing is sealed yet, or what is to be signed cannot be read.
pub fn inspect(context: &Context<'_>, request: &SignRequest) -> Result<SnapshotToSign> {
    Ok(match request.bundles.as_slice() {
        [] => transfer::inspect_for_signing(&context.data_dir()?)?,
        bundles => transfer::inspect_volumes_for_signing(bundles)?,
    })
}

/// Adds the signature of a second person to what was shown. What the key has signed on volumes already
/// stays as it is.
///
/// # Errors
/// When it is not what was shown any more, the key does not open, may not sign or has signed the snapshot of the data folder already, or the
/// disk fails.
pub fn countersign(
    context: &Context<'_>,
    shown: &SnapshotToSign,
    key: &Path,
    passphrase: Option<&str>,
) -> Result<SignOutcome> {
    if shown.volumes.is_empty() {
        let signed =
            transfer::countersign(&context.data_dir()?, shown, key, passphrase).map(|summary| {
                let (signatures, needed) = summary.signatures;
                let snapshot = summary.index.snapshot;
                SignOutcome { snapshot, signatures, needed, volumes: Vec::new() }
            });
        let asked = format!("sign with {}", key.display());
        return context.journaled(
            EntryKind::Sign,
            &asked,
            signed.map_err(OpsError::from),
            |signed| {
                Some((format!("snapshot {} was countersigned", signed.snapshot), json!(signed)))
            },
        );
    }
    transfer::countersign_volumes(shown, key, passphrase)?;
    let after = transfer::inspect_volumes_for_signing(&shown.volumes)?;
    Ok(SignOutcome {
        snapshot: after.snapshot,
        signatures: after.signatures,
        needed: after.needed,
        volumes: after.volumes,
    })
}
