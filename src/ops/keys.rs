//! Signing keys of the mirror.

use super::{Result, context::Context, error::OpsError};
use crate::transfer::{self, KeysOptions};
pub use crate::transfer::{KeyRotation, KeysReport};

/// Which keys to make.
#[derive(Debug, Clone)]
pub struct NewKeys {
    /// The passphrase of the key files; without one, whoever reads them can sign.
    pub passphrase: Option<String>,
    /// Root keys, for as many people.
    pub root_keys: u64,
    /// How many of them a new root needs.
    pub root_threshold: u64,
    /// Keys of second persons, each of whom can countersign snapshots.
    pub countersigners: u64,
    /// How many signatures a snapshot needs; if not given, 2 with countersigners, else 1.
    pub threshold: Option<u64>,
}

impl Default for NewKeys {
    /// One root key, no countersigner, no passphrase.
    fn default() -> Self {
        Self {
            passphrase: None,
            root_keys: 1,
            root_threshold: 1,
            countersigners: 0,
            threshold: None,
        }
    }
}

/// Makes keys and the first root.
///
/// # Errors
/// When there are keys already, the numbers contradict each other, or the disk fails.
pub fn init(context: &Context<'_>, new: NewKeys) -> Result<KeysReport> {
    let data = context.data_dir()?;
    let NewKeys { passphrase, root_keys, root_threshold, countersigners, threshold } = new;
    let threshold = threshold.unwrap_or(1 + countersigners.min(1));
    let now = context.now();
    let options =
        KeysOptions { passphrase, root_keys, root_threshold, countersigners, threshold, now };
    Ok(transfer::keys_init(&data, &options)?)
}

/// Replaces keys: makes a new root, signed by the old and the new root keys, that revokes the old.
///
/// # Errors
/// When nothing is to be replaced, the root keys are not here or do not open, or the disk fails.
pub fn rotate(
    context: &Context<'_>,
    which: KeyRotation,
    passphrase: Option<&str>,
) -> Result<KeysReport> {
    let data = context.data_dir()?;
    if !(which.root || which.content || which.policy) {
        return Err(OpsError::usage("say what to replace: --root, --content, --policy"));
    }
    Ok(transfer::keys_rotate(&data, which, passphrase, context.now())?)
}
