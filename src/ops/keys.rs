//! Signing keys of the mirror, and of the people who sign for it.

use std::path::{Path, PathBuf};

use bundle_format::keys::is_encrypted;
pub use bundle_format::keys::{KeyName, KeyRole};
use serde_json::{Value, json};

use super::{Result, context::Context, error::OpsError};
pub use crate::transfer::{
    BroughtKeys, KeyRotation, KeysOverview, KeysReport, ListedKey, MadeKey, RootToSign, WaitingRoot,
};
use crate::{
    journal::EntryKind,
    transfer::{self, KeysOptions, TransferError},
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
    /// Public parts of keys that were made elsewhere.
    pub brought: BroughtKeys,
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
            brought: BroughtKeys::default(),
        }
    }
}

/// A root that was signed.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SignedRoot {
    /// The root.
    #[serde(flatten)]
    pub root: RootToSign,
    /// Whether it names the key; if not, the signature counts only if the root before it names the key.
    pub names_key: bool,
}

/// Makes a key on any machine, without a data folder.
///
/// # Errors
/// When the file or its public part is there already, or the disk fails.
pub fn make(
    out: &Path,
    role: KeyRole,
    name: Option<KeyName>,
    passphrase: Option<&str>,
) -> Result<MadeKey> {
    Ok(transfer::make_key_file(out, role, name, passphrase)?)
}

/// Makes keys and the first root.
///
/// # Errors
/// When there are keys already, the numbers contradict each other, or the disk fails.
pub fn init(context: &Context<'_>, new: NewKeys) -> Result<KeysReport> {
    let data = context.data_dir()?;
    let NewKeys { passphrase, root_keys, root_threshold, countersigners, threshold, brought } = new;
    let persons = countersigners.max(brought.countersigner.len() as u64);
    let threshold = threshold.unwrap_or(1 + persons.min(1));
    let now = context.now();
    let options = KeysOptions {
        passphrase,
        root_keys,
        root_threshold,
        countersigners,
        threshold,
        brought,
        now,
    };
    let made = transfer::keys_init(&data, &options).map_err(OpsError::from);
    context.journaled(EntryKind::Keys, "keys init", made, |report| {
        Some(("keys were made".to_owned(), entry(report)))
    })
}

/// Replaces keys: makes a new root, signed by the old and the new root keys, that revokes the old.
///
/// # Errors
/// When nothing is to be replaced, a key does not open, or the disk fails.
pub fn rotate(
    context: &Context<'_>,
    which: KeyRotation,
    passphrase: Option<&str>,
) -> Result<KeysReport> {
    let data = context.data_dir()?;
    if which.is_empty() {
        return Err(OpsError::usage(
            "say what to replace: --root, --content, --policy, or the public part of a new key such as --countersigner-key",
        ));
    }
    let roles = [(which.root, "root"), (which.content, "content"), (which.policy, "policy")];
    let roles: Vec<&str> = roles.iter().filter(|(is, _)| *is).map(|(_, role)| *role).collect();
    let made = transfer::keys_rotate(&data, which, passphrase, context.now());
    context.journaled(EntryKind::Keys, "keys rotate", made.map_err(OpsError::from), |report| {
        Some((format!("keys were replaced: {}", roles.join(", ")), entry(report)))
    })
}

/// What the journal says of keys: nothing that is secret.
fn entry(report: &KeysReport) -> Value {
    json!({ "root": report.root, "fingerprint": report.fingerprint_hex })
}

/// Reads a root that is to be signed, to be shown first.
///
/// # Errors
/// When it cannot be read or is no root.
pub fn inspect_root(root: &Path) -> Result<RootToSign> {
    Ok(transfer::inspect_root_to_sign(root)?)
}

/// Signs the root that was shown in its file, on any machine.
///
/// # Errors
/// When it is not what was shown any more, the key does not open or has signed it already, or the disk fails.
pub fn sign_root(shown: RootToSign, key: &Path, passphrase: Option<&str>) -> Result<SignedRoot> {
    let names_key = transfer::sign_root_file(&shown, key, passphrase)?;
    Ok(SignedRoot { root: shown, names_key })
}

/// Uses the root that waits from now on, if it has enough signatures with those of the copies given.
///
/// # Errors
/// When none waits, a copy is another root, or the disk fails.
pub fn take_root(context: &Context<'_>, copies: &[PathBuf]) -> Result<KeysReport> {
    let taken = transfer::keys_take_root(&context.data_dir()?, copies).map_err(OpsError::from);
    context.journaled(EntryKind::Keys, "keys take-root", taken, |report| {
        Some(("a new root is used".to_owned(), entry(report)))
    })
}

/// Which keys there are, and where their secret parts are.
///
/// # Errors
/// When there are none, or a file is damaged.
pub fn list(context: &Context<'_>) -> Result<KeysOverview> {
    Ok(transfer::keys_list(&context.data_dir()?)?)
}

/// The first of these key files that opens with a passphrase only; files that are not there need none.
///
/// # Errors
/// When one cannot be read.
pub fn encrypted(paths: &[PathBuf]) -> Result<Option<PathBuf>> {
    for path in paths.iter().filter(|path| path.exists()) {
        if is_encrypted(path).map_err(TransferError::from)? {
            return Ok(Some(path.clone()));
        }
    }
    Ok(None)
}

/// The secret key files of the mirror that are here.
///
/// # Errors
/// As [`list`].
pub fn secret_files(context: &Context<'_>) -> Result<Vec<PathBuf>> {
    Ok(list(context)?.keys.into_iter().filter_map(|key| key.secret).collect())
}
