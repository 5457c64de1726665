//! A root that waits for signatures: `next-root.json`, to be carried to the holders of root keys, with
//! `next-keys.json`, the key files that are used as soon as it has enough.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bundle_format::{
    keys::SigningKey,
    trust::{Fingerprint, RootSignatures, gather_signatures, sign_root},
};
use serde::Serialize;

use super::files::{IN_USE, KeyFiles, WAITING, lock_and_sweep, read_root, write_file};
use crate::{
    data_dir::DataDir,
    durable,
    file_error::Doing as _,
    transfer::{error::TransferError, store::side::require_connected},
};

type Result<T> = std::result::Result<T, TransferError>;

/// The root that waits.
pub(super) const NEXT_ROOT: &str = "next-root.json";

/// A new root and its keys.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeysReport {
    /// The root file: to carry to the isolated side, or, as long as it is not in use, to the holders of
    /// root keys.
    pub root: PathBuf,
    /// Its fingerprint in words, to compare by voice.
    pub fingerprint: String,
    /// The same in hexadecimal.
    pub fingerprint_hex: String,
    /// Whether it is in use; if not, it waits for signatures.
    pub in_use: bool,
    /// Its signatures.
    pub signatures: RootSignatures,
    /// Secret key files that are here, with their role.
    pub keys: Vec<(String, PathBuf)>,
}

/// A root that waits, and its key files.
pub(super) struct NextRoot {
    pub(super) files: KeyFiles,
    pub(super) root: Vec<u8>,
    /// The root before it.
    before: Option<Vec<u8>>,
}

impl NextRoot {
    /// The one that waits in this folder, if any.
    pub(super) fn load(folder: &Path) -> Result<Option<Self>> {
        let Some(files) = KeyFiles::load_as(folder, WAITING)? else { return Ok(None) };
        let in_use = KeyFiles::load_as(folder, IN_USE)?;
        // A run that was killed when it was in use already.
        if in_use.is_some_and(|in_use| in_use.root_version >= files.root_version) {
            return Ok(None);
        }
        let path = folder.join(NEXT_ROOT);
        let root = fs::read(&path).doing("read the root", &path)?;
        Ok(Some(Self { before: root_before(folder, &files)?, files, root }))
    }

    /// A new one; nothing is written before [`settle`](Self::settle).
    pub(super) fn new(folder: &Path, files: KeyFiles, root: Vec<u8>) -> Result<Self> {
        Ok(Self { before: root_before(folder, &files)?, files, root })
    }

    /// Adds a signature of a key that is here.
    pub(super) fn sign(&mut self, key: &SigningKey) -> Result<()> {
        self.root = sign_root(&self.root, key).map_err(refused("sign the new root"))?;
        Ok(())
    }

    /// Its signatures.
    pub(super) fn signatures(&self) -> Result<RootSignatures> {
        gather_signatures(&self.root, &[], self.before.as_deref())
            .map(|(_, signatures)| signatures)
            .map_err(refused("count the signatures of the new root"))
    }

    /// Uses it from now on if it has enough signatures, counting those of copies that were carried;
    /// otherwise it waits.
    pub(super) fn settle(mut self, folder: &Path, copies: &[Vec<u8>]) -> Result<KeysReport> {
        let (root, signatures) = gather_signatures(&self.root, copies, self.before.as_deref())
            .map_err(refused("gather the signatures of the new root"))?;
        self.root = root;
        let in_use = signatures.is_enough();
        let path = if in_use {
            let path = folder.join(format!("{}.root.json", self.files.root_version));
            write_file(&path, &self.root)?;
            self.files.store_as(folder, IN_USE)?;
            forget(folder)?;
            path
        } else {
            let path = folder.join(NEXT_ROOT);
            write_file(&path, &self.root)?;
            self.files.store_as(folder, WAITING)?;
            path
        };
        let fingerprint =
            Fingerprint::from_root(&self.root).map_err(refused("read the new root"))?;
        Ok(KeysReport {
            // The newest root: a site that pins it does not trust the keys that were replaced.
            root: path,
            fingerprint: fingerprint.words(),
            fingerprint_hex: fingerprint.0.to_string(),
            in_use,
            signatures,
            keys: self.files.secret_here(folder),
        })
    }
}

/// Uses the root that waits, if it has enough signatures, its own and those of `copies` that the holders of
/// root keys have signed.
///
/// # Errors
/// When none waits, a copy is another root, or the disk fails.
pub fn keys_take_root(data: &DataDir, copies: &[PathBuf]) -> Result<KeysReport> {
    require_connected(data)?;
    let _lock = lock_and_sweep(data)?;
    let folder = data.keys();
    let next = NextRoot::load(&folder)?.ok_or_else(|| TransferError::Unfit {
        what: "no root waits for signatures: see `tidegate keys list`".to_owned(),
    })?;
    let copies = copies.iter().map(|path| read_root(path)).collect::<Result<Vec<_>>>()?;
    next.settle(&folder, &copies)
}

fn root_before(folder: &Path, files: &KeyFiles) -> Result<Option<Vec<u8>>> {
    match files.root_version.get() {
        1 => Ok(None),
        version => {
            let path = folder.join(format!("{}.root.json", version - 1));
            Ok(Some(fs::read(&path).doing("read the root", &path)?))
        }
    }
}

/// Forgets a root that waits.
pub(super) fn forget(folder: &Path) -> Result<()> {
    for name in [WAITING, NEXT_ROOT] {
        remove(&folder.join(name))?;
    }
    durable::sync_folder(folder).doing("sync", folder)?;
    Ok(())
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Ok(Err(e).doing("remove", path)?),
        _ => Ok(()),
    }
}

/// A root of our own that the crate refuses, with what was attempted.
pub(super) fn refused(
    doing: &'static str,
) -> impl Fn(bundle_format::trust::TrustError) -> TransferError {
    move |source| TransferError::Sign { doing, source }
}
