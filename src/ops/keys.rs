//! Signing keys of the mirror.

use serde_json::{Value, json};

use super::{Result, context::Context, error::OpsError};
pub use crate::transfer::{KeyRotation, KeysReport};
use crate::{
    journal::EntryKind,
    transfer::{self, KeysOptions},
};

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
    let made = transfer::keys_init(&data, &options).map_err(OpsError::from);
    context.journaled(EntryKind::Keys, "keys init", made, |report| {
        Some(("keys were made".to_owned(), entry(report)))
    })
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
    let made = transfer::keys_rotate(&data, which, passphrase, context.now());
    context.journaled(EntryKind::Keys, "keys rotate", made.map_err(OpsError::from), |report| {
        let roles = [(which.root, "root"), (which.content, "content"), (which.policy, "policy")];
        let roles: Vec<&str> = roles.iter().filter(|(is, _)| *is).map(|(_, role)| *role).collect();
        Some((format!("keys were replaced: {}", roles.join(", ")), entry(report)))
    })
}

/// What the journal says of keys: nothing that is secret.
fn entry(report: &KeysReport) -> Value {
    json!({ "root": report.root, "fingerprint": report.fingerprint_hex })
}
