//! The key files of the connected side: `keys/`, with `keys.json` saying which file plays which role.
//! Beside each `*.pem` lies its public part as `*.pub`; the `*.pem` of another person lies elsewhere.

use std::{
    fs,
    io::Read as _,
    num::NonZeroU64,
    path::{Path, PathBuf},
};

use bundle_format::{
    keys::{KeyName, KeyRole, PublicKey, SigningKey, is_encrypted},
    limits::BundleLimits,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    data_dir::{DataDir, FolderLock},
    durable,
    file_error::{Doing as _, FileError},
    transfer::{error::TransferError, store::trust},
};

type Result<T> = std::result::Result<T, TransferError>;

/// A root is good for this many days if nothing else is asked for.
pub(super) const ROOT_DAYS: i64 = 3653;

/// The beginning of the name of the folder in which the first keys are made.
pub(super) const SCRATCH: &str = "keys.";

/// The beginning of the names that root files and `keys.json` have until they are written.
const TEMPORARY: &str = ".tmp";

/// The key files that are used.
pub(in crate::transfer) const IN_USE: &str = "keys.json";

/// The key files of a root that waits for signatures.
pub(in crate::transfer) const WAITING: &str = "next-keys.json";

/// `keys.json`: which file plays which role. File names, never paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KeyFiles {
    /// Version of the newest root; later root files are leftovers of a killed rotation.
    pub root_version: NonZeroU64,
    /// Sign roots.
    pub root: Vec<String>,
    /// How many of them a root needs.
    pub root_threshold: u64,
    /// Signs targets and snapshot.
    pub content: String,
    /// Sign the timestamp; the first is used by `seal`, the others countersign.
    pub timestamp: Vec<String>,
    /// How many of them a snapshot needs.
    pub timestamp_threshold: u64,
    /// Signs the policy.
    pub policy: String,
}

impl KeyFiles {
    /// Reads `keys.json`.
    ///
    /// # Errors
    /// When there are no keys, or the file is damaged.
    pub fn load(folder: &Path) -> Result<Self> {
        Self::load_as(folder, IN_USE)?.ok_or_else(|| {
            let what = match folder.join(WAITING).exists() {
                true => {
                    "the first root waits for signatures of its root keys: see `tidegate keys list`"
                }
                false => "there are no keys yet: run `tidegate keys init` first",
            };
            TransferError::Unfit { what: what.to_owned() }
        })
    }

    /// Reads them from `name` in the folder, if it is there.
    pub(super) fn load_as(folder: &Path, name: &str) -> Result<Option<Self>> {
        let path = folder.join(name);
        let json = match fs::read(&path) {
            Ok(json) => json,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => Err(e).doing("read", &path)?,
        };
        let files = serde_json::from_slice(&json)
            .map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, e))
            .doing("read", path)?;
        Ok(Some(files))
    }

    /// All root files from 1 to the newest.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn roots(&self, folder: &Path) -> Result<Vec<Vec<u8>>> {
        (1..=self.root_version.get())
            .map(|version| {
                let path = folder.join(format!("{version}.root.json"));
                Ok(fs::read(&path).doing("read the root", path)?)
            })
            .collect()
    }

    /// When the newest of these roots was made, with its keys: it expires so many days later.
    pub(in crate::transfer) fn made(roots: &[Vec<u8>]) -> Option<Timestamp> {
        let root: serde_json::Value = serde_json::from_slice(roots.last()?).ok()?;
        let expires: Timestamp = root.pointer("/signed/expires")?.as_str()?.parse().ok()?;
        expires.checked_sub(SignedDuration::from_hours(24 * ROOT_DAYS)).ok()
    }

    /// One key.
    ///
    /// # Errors
    /// When its file is not here or does not open.
    pub fn load_key(
        &self,
        folder: &Path,
        name: &str,
        passphrase: Option<&str>,
    ) -> Result<SigningKey> {
        let path = folder.join(name);
        if !path.exists() && public_path(folder, name).exists() {
            return Err(TransferError::Unfit {
                what: format!(
                    "the secret part of the key {name} is not here: bring the file that `tidegate keys make` wrote to {}",
                    path.display()
                ),
            });
        }
        Ok(SigningKey::load(&path, passphrase)?)
    }

    /// Every key file with its role, each once.
    pub(super) fn all(&self) -> Vec<(KeyRole, &str)> {
        let root = self.root.iter().map(|name| (KeyRole::Root, name.as_str()));
        let others = self.timestamp.iter().filter(|name| **name != self.content);
        root.chain([(KeyRole::Content, self.content.as_str())])
            .chain(others.map(|name| (KeyRole::Countersigner, name.as_str())))
            .chain([(KeyRole::Policy, self.policy.as_str())])
            .collect()
    }

    /// The secret key files that are here, with their role.
    pub(super) fn secret_here(&self, folder: &Path) -> Vec<(String, PathBuf)> {
        let all = self.all().into_iter().map(|(role, name)| (role.to_string(), folder.join(name)));
        all.filter(|(_, path)| path.exists()).collect()
    }

    /// Writes them as `name` in the folder.
    pub(super) fn store_as(&self, folder: &Path, name: &str) -> Result<()> {
        let path = folder.join(name);
        let json =
            serde_json::to_vec_pretty(self).map_err(std::io::Error::other).doing("write", &path)?;
        write_file(&path, &json)?;
        Ok(())
    }
}

/// Where the public part of a key file is.
pub(super) fn public_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(name).with_extension("pub")
}

/// The public part of a key file, where it can be known without a passphrase: folders of version 0.1 have
/// no public parts.
pub(super) fn public_part(folder: &Path, role: KeyRole, name: &str) -> Result<Option<PublicKey>> {
    let path = public_path(folder, name);
    if path.exists() {
        return Ok(Some(PublicKey::load(&path)?));
    }
    let path = folder.join(name);
    if !path.exists() || is_encrypted(&path)? {
        return Ok(None);
    }
    Ok(Some(SigningKey::load(&path, None)?.public_part(role, None)?))
}

/// Makes a key: the secret part for its owner alone, and the public part beside it.
pub(super) fn make_key(
    path: &Path,
    role: KeyRole,
    name: Option<KeyName>,
    passphrase: Option<&str>,
) -> Result<PublicKey> {
    let key = SigningKey::generate()?;
    let public = key.public_part(role, name)?;
    key.save(path, passphrase)?;
    if let Err(error) = public.save(&path.with_extension("pub")) {
        // Nobody has seen it: a key that cannot be used is only in the way of the next try.
        fs::remove_file(path).doing("remove", path)?;
        return Err(error.into());
    }
    Ok(public)
}

/// The time so many days after `now`, in whole seconds.
pub(crate) fn later(now: Timestamp, days: i64) -> Timestamp {
    let then = now.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
    Timestamp::from_second(then.as_second()).unwrap_or(then)
}

/// A clock may be set back by so much without a question: it was corrected.
pub(in crate::transfer) const CLOCK_STEP: SignedDuration = SignedDuration::from_hours(1);

/// A root dated before the one that it follows would expire too early, or has expired already.
pub(super) fn check_date(roots: &[Vec<u8>], now: Timestamp) -> Result<()> {
    match KeyFiles::made(roots) {
        Some(made) if made.duration_since(now) > CLOCK_STEP => Err(TransferError::Unfit {
            what: format!(
                "no keys are replaced: the new ones would be dated {now:.0}, but the newest keys were made at {made}; set the clock right, or, if that date is the wrong one, go on with --clock-is-right"
            ),
        }),
        _ => Ok(()),
    }
}

/// One at a time changes the keys; what killed runs left, secret keys perhaps, is removed.
pub(super) fn lock_and_sweep(data: &DataDir) -> Result<FolderLock> {
    let lock = trust::lock(data)?;
    durable::sweep(data.root(), SCRATCH).doing("clear", data.root())?;
    if data.keys().exists() {
        durable::sweep(&data.keys(), TEMPORARY).doing("clear", data.keys())?;
    }
    Ok(lock)
}

/// Reads a root that comes from anywhere: of one that is longer than a root may be comes its beginning.
pub(super) fn read_root(path: &Path) -> Result<Vec<u8>> {
    let mut root = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(BundleLimits::default().metadata_bytes).read_to_end(&mut root))
        .doing("read the root", path)?;
    Ok(root)
}

pub(super) fn write_file(path: &Path, bytes: &[u8]) -> std::result::Result<(), FileError> {
    durable::write(path, bytes).doing("write", path)
}
