//! A new root with other keys.

use std::{
    num::NonZeroU64,
    path::{Path, PathBuf},
};

use bundle_format::{
    keys::{KeyRole, PublicKey, SigningKey},
    trust::{RootSpec, make_root},
};
use jiff::Timestamp;

use super::{
    elsewhere::load_public,
    files::{
        KeyFiles, ROOT_DAYS, check_date, later, lock_and_sweep, make_key, public_part, public_path,
    },
    first::BroughtKeys,
    next_root::{KeysReport, NextRoot, forget, refused, remove},
};
use crate::{
    data_dir::DataDir,
    transfer::{error::TransferError, store::side::require_connected},
};

type Result<T> = std::result::Result<T, TransferError>;

/// Which keys a rotation replaces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRotation {
    /// The root keys, by keys made here.
    pub root: bool,
    /// The content key, and with it the timestamp key of the same file.
    pub content: bool,
    /// The policy key.
    pub policy: bool,
    /// Keys that were made elsewhere and take the place of all keys of their role.
    pub brought: BroughtKeys,
    /// How many root keys a new root needs from now on.
    pub root_threshold: Option<u64>,
    /// How many signatures a snapshot needs from now on.
    pub snapshot_threshold: Option<u64>,
    /// Secret root keys that sign, wherever they lie; if none are given, those in `keys/`.
    pub signers: Vec<PathBuf>,
    /// Forget a root that still waits for signatures.
    pub anew: bool,
    /// Whoever asks says that the date is right, although that of the newest keys is later.
    pub clock_is_right: bool,
}

impl KeyRotation {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        !(self.root || self.content || self.policy)
            && self.brought == BroughtKeys::default()
            && self.root_threshold.is_none()
            && self.snapshot_threshold.is_none()
    }
}

/// Makes a new root version with new keys for the chosen roles, to be signed by the root keys before and
/// after. Those that are at hand sign it; it waits for the others. The next seal uses it; bundles carry the
/// whole chain of roots.
///
/// # Errors
/// When another root waits, a key file does not open, the date is before that of the newest keys, or the
/// disk fails.
pub fn keys_rotate(
    data: &DataDir,
    which: KeyRotation,
    passphrase: Option<&str>,
    now: Timestamp,
) -> Result<KeysReport> {
    require_connected(data)?;
    let _lock = lock_and_sweep(data)?;
    let folder = data.keys();
    let old = KeyFiles::load(&folder)?;
    if NextRoot::load(&folder)?.is_some() && !which.anew {
        return Err(TransferError::Unfit {
            what: "another new root still waits for signatures: finish with it (`tidegate keys list`), or forget it with --anew".to_owned(),
        });
    }
    let roots = old.roots(&folder)?;
    if !which.clock_is_right {
        check_date(&roots, now)?;
    }
    forget(&folder)?;
    let mut change = KeyChange::new(&folder, &old, &roots, passphrase)?;
    change.replace(&which)?;
    change.spec.expires = later(now, ROOT_DAYS);
    let root = make_root(&change.spec, change.files.root_version, &[])
        .map_err(refused("make the root"))?;
    let signers = match which.signers.is_empty() {
        true => {
            let mut names = [&old.root[..], &change.files.root[..]].concat();
            names.dedup();
            let paths = names.iter().map(|name| folder.join(name));
            paths.filter(|path| path.exists()).collect()
        }
        false => which.signers,
    };
    let keys = signers
        .iter()
        .map(|path| Ok(SigningKey::load(path, passphrase)?))
        .collect::<Result<Vec<_>>>()?;
    let mut next = NextRoot::new(&folder, change.files, root)?;
    let mut signed: Vec<String> = Vec::new();
    for key in keys {
        if !signed.contains(&key.key_id()) {
            next.sign(&key)?;
            signed.push(key.key_id());
        }
    }
    next.settle(&folder, &[])
}

/// The next root in the making.
struct KeyChange<'a> {
    folder: &'a Path,
    passphrase: Option<&'a str>,
    version: NonZeroU64,
    existing: Vec<String>,
    files: KeyFiles,
    spec: RootSpec,
}

impl<'a> KeyChange<'a> {
    fn new(
        folder: &'a Path,
        old: &KeyFiles,
        roots: &[Vec<u8>],
        passphrase: Option<&'a str>,
    ) -> Result<Self> {
        let version = old.root_version.checked_add(1).unwrap_or(NonZeroU64::MAX);
        let newest = roots.last().map(Vec::as_slice).unwrap_or_default();
        let mut spec = RootSpec::from_root(newest).map_err(refused("read the newest root"))?;
        spec.policy = public_part(folder, KeyRole::Policy, &old.policy)?;
        let existing = old.all().into_iter().map(|(_, name)| name.to_owned()).collect();
        let files = KeyFiles { root_version: version, ..old.clone() };
        Ok(Self { folder, passphrase, version, existing, files, spec })
    }

    fn replace(&mut self, which: &KeyRotation) -> Result<()> {
        let brought = &which.brought;
        if which.root || !brought.root.is_empty() {
            let count = match brought.root.len() {
                0 => self.files.root.len(),
                brought => brought,
            };
            (self.files.root, self.spec.root) = self.keys(KeyRole::Root, &brought.root, count)?;
        }
        if !brought.countersigner.is_empty() {
            let role = KeyRole::Countersigner;
            let count = brought.countersigner.len();
            let (names, keys) = self.keys(role, &brought.countersigner, count)?;
            self.files.timestamp = [std::slice::from_ref(&self.files.content), &names[..]].concat();
            self.spec.timestamp = [std::slice::from_ref(&self.spec.content), &keys[..]].concat();
        }
        if which.content || brought.content.is_some() {
            let (names, keys) = self.keys(KeyRole::Content, brought.content.as_slice(), 1)?;
            let (old_name, old_key) = (self.files.content.clone(), self.spec.content.clone());
            for (name, key) in names.into_iter().zip(keys) {
                let file = self.files.timestamp.iter_mut().find(|file| **file == old_name);
                file.into_iter().for_each(|file| file.clone_from(&name));
                let old = self.spec.timestamp.iter_mut().find(|k| k.key_id() == old_key.key_id());
                old.into_iter().for_each(|old| old.clone_from(&key));
                (self.files.content, self.spec.content) = (name, key);
            }
        }
        if which.policy || brought.policy.is_some() {
            let (names, keys) = self.keys(KeyRole::Policy, brought.policy.as_slice(), 1)?;
            self.files.policy = names.into_iter().next().unwrap_or_default();
            self.spec.policy = keys.into_iter().next();
        }
        if let Some(threshold) = which.root_threshold {
            (self.files.root_threshold, self.spec.root_threshold) = (threshold, threshold);
        }
        if let Some(threshold) = which.snapshot_threshold {
            (self.files.timestamp_threshold, self.spec.timestamp_threshold) =
                (threshold, threshold);
        }
        Ok(())
    }

    /// So many new keys of a role: those that were brought, or keys that are made here.
    fn keys(
        &self,
        role: KeyRole,
        brought: &[PathBuf],
        count: usize,
    ) -> Result<(Vec<String>, Vec<PublicKey>)> {
        let (mut names, mut keys) = (Vec::new(), Vec::new());
        for n in 0..count {
            let name = format!("{role}-{}.v{}.pem", n + 1, self.version);
            let path = self.folder.join(&name);
            // A killed rotation may have left such files; no root names their key.
            if !self.existing.contains(&name) {
                remove(&path)?;
                remove(&public_path(self.folder, &name))?;
            }
            keys.push(match brought.get(n) {
                Some(path) => {
                    let key = load_public(path, role)?;
                    key.save(&public_path(self.folder, &name))?;
                    key
                }
                None => make_key(&path, role, None, self.passphrase)?,
            });
            names.push(name);
        }
        Ok((names, keys))
    }
}
