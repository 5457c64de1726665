//! The keys of the connected side: `keys/`, with `keys.json` saying which file plays which role.

use std::{
    fs,
    num::NonZeroU64,
    path::{Path, PathBuf},
};

use bundle_format::{
    keys::SigningKey,
    trust::{Fingerprint, RootSpec, make_root},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    data_dir::{DataDir, FolderLock},
    durable,
    file_error::{Doing as _, FileError},
    transfer::{
        error::TransferError,
        store::{side::require_connected, trust},
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// A root is good for this many days if nothing else is asked for.
const ROOT_DAYS: i64 = 3653;

/// A clock may be set back by so much without a question: it was corrected.
pub(super) const CLOCK_STEP: SignedDuration = SignedDuration::from_hours(1);

/// The beginning of the name of the folder in which the first keys are made.
const SCRATCH: &str = "keys.";

/// The beginning of the names that root files and `keys.json` have until they are written.
const TEMPORARY: &str = ".tmp";

/// Which keys `keys init` makes.
#[derive(Debug, Clone)]
pub struct KeysOptions {
    /// Encrypts all key files; with `None` they are stored in the clear.
    pub passphrase: Option<String>,
    /// Root keys, at least one.
    pub root_keys: u64,
    /// How many root keys a new root needs.
    pub root_threshold: u64,
    /// Further keys whose holders countersign every snapshot.
    pub countersigners: u64,
    /// How many signatures a snapshot needs, the content key's own included.
    pub threshold: u64,
    /// When the root begins.
    pub now: Timestamp,
}

impl KeysOptions {
    /// One root key, one content key, no countersigner, no passphrase.
    pub fn new(now: Timestamp) -> Self {
        Self {
            passphrase: None,
            root_keys: 1,
            root_threshold: 1,
            countersigners: 0,
            threshold: 1,
            now,
        }
    }
}

/// What was made.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeysReport {
    /// The root file to carry to the isolated side.
    pub root: PathBuf,
    /// Its fingerprint in words, to compare by voice.
    pub fingerprint: String,
    /// The same in hexadecimal.
    pub fingerprint_hex: String,
    /// Secret key files, with their role.
    pub keys: Vec<(String, PathBuf)>,
}

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

/// Which keys a rotation replaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyRotation {
    /// The root keys.
    pub root: bool,
    /// The content key, and with it the timestamp key of the same file.
    pub content: bool,
    /// The policy key.
    pub policy: bool,
    /// Whoever asks says that the date is right, although that of the newest keys is later.
    pub clock_is_right: bool,
}

/// Makes the keys and the first root of a connected side, all or nothing.
///
/// # Errors
/// When there are keys already, the numbers make no sense, or the disk fails.
pub fn keys_init(data: &DataDir, options: &KeysOptions) -> Result<KeysReport> {
    require_connected(data)?;
    let _lock = lock_and_sweep(data)?;
    let folder = data.keys();
    if folder.join("keys.json").exists() {
        return Err(TransferError::Unfit {
            what: format!(
                "there are keys already in {}: use `tidegate keys rotate` to replace them",
                folder.display()
            ),
        });
    }
    if options.root_keys == 0 || !(1..=options.root_keys).contains(&options.root_threshold) {
        return Err(TransferError::Unfit {
            what: "the root threshold must be between 1 and the number of root keys".to_owned(),
        });
    }
    if !(1..=options.countersigners + 1).contains(&options.threshold) {
        return Err(TransferError::Unfit {
            what: "the threshold must be between 1 and the number of countersigners plus 1"
                .to_owned(),
        });
    }
    let scratch = tempfile::Builder::new()
        .prefix(SCRATCH)
        .tempdir_in(data.root())
        .doing("make a folder in", data.root())?;
    let names = |what: &str, count: u64| -> Vec<String> {
        (1..=count).map(|n| format!("{what}-{n}.pem")).collect()
    };
    let mut timestamp = vec!["content-1.pem".to_owned()];
    timestamp.extend(names("countersigner", options.countersigners));
    let files = KeyFiles {
        root_version: NonZeroU64::MIN,
        root: names("root", options.root_keys),
        root_threshold: options.root_threshold,
        content: "content-1.pem".to_owned(),
        timestamp,
        timestamp_threshold: options.threshold,
        policy: "policy-1.pem".to_owned(),
    };
    let passphrase = options.passphrase.as_deref();
    for name in files.all_names() {
        SigningKey::generate()?.save(&scratch.path().join(name), passphrase)?;
    }
    let root = files.sign_root(scratch.path(), passphrase, options.now, &[])?;
    write_file(&scratch.path().join("1.root.json"), &root)?;
    files.store(scratch.path())?;
    durable::permit(scratch.path(), 0o700).doing("set the permissions of", scratch.path())?;
    fs::rename(scratch.path(), &folder).doing("make", &folder)?;
    durable::sync_folder(data.root()).doing("sync", data.root())?;
    // The folder has its final name now, so the guard must not remove it.
    drop(scratch.keep());
    files.describe(&folder, &root)
}

/// Makes a new root version with new keys for the chosen roles, signed by the root keys before and
/// after. The next seal uses them; bundles carry the whole chain of roots.
///
/// # Errors
/// When a root key file is not here, the date is before that of the newest keys, or the disk fails.
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
    if !which.clock_is_right {
        check_date(&old.roots(&folder)?, now)?;
    }
    let more_signers = old.load_all(&folder, &old.root, passphrase)?;
    let version = old.root_version.checked_add(1).unwrap_or(NonZeroU64::MAX);
    let mut new = KeyFiles { root_version: version, ..old.clone() };
    if which.root {
        new.root = (1..).zip(&old.root).map(|(n, _)| format!("root-{n}.v{version}.pem")).collect();
    }
    if which.content {
        new.content = format!("content-1.v{version}.pem");
        for name in new.timestamp.iter_mut().filter(|name| **name == old.content) {
            name.clone_from(&new.content);
        }
    }
    if which.policy {
        new.policy = format!("policy-1.v{version}.pem");
    }
    let existing = old.all_names();
    for name in new.all_names().into_iter().filter(|name| !existing.contains(name)) {
        let path = folder.join(&name);
        // A killed rotation may have left such a file; no root names its key.
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(e).doing("replace", &path)?;
            }
            _ => SigningKey::generate()?.save(&path, passphrase)?,
        }
    }
    let more_signers: Vec<&SigningKey> = more_signers.iter().collect();
    let root = new.sign_root(&folder, passphrase, now, &more_signers)?;
    write_file(&folder.join(format!("{version}.root.json")), &root)?;
    new.store(&folder)?;
    new.describe(&folder, &root)
}

impl KeyFiles {
    /// Reads `keys.json`.
    ///
    /// # Errors
    /// When there are no keys, or the file is damaged.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join("keys.json");
        let json = match fs::read(&path) {
            Ok(json) => json,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(TransferError::Unfit {
                    what: "there are no keys yet: run `tidegate keys init` first".to_owned(),
                });
            }
            Err(e) => Err(e).doing("read", &path)?,
        };
        let files = serde_json::from_slice(&json)
            .map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, e))
            .doing("read", path)?;
        Ok(files)
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
    pub(super) fn made(roots: &[Vec<u8>]) -> Option<Timestamp> {
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
        Ok(SigningKey::load(&folder.join(name), passphrase)?)
    }

    fn load_all(
        &self,
        folder: &Path,
        names: &[String],
        passphrase: Option<&str>,
    ) -> Result<Vec<SigningKey>> {
        names.iter().map(|name| self.load_key(folder, name, passphrase)).collect()
    }

    /// Every key file, each once.
    fn all_names(&self) -> Vec<String> {
        let mut names = self.root.clone();
        names.push(self.content.clone());
        names.extend(self.timestamp.iter().filter(|name| **name != self.content).cloned());
        names.push(self.policy.clone());
        names
    }

    fn sign_root(
        &self,
        folder: &Path,
        passphrase: Option<&str>,
        now: Timestamp,
        more_signers: &[&SigningKey],
    ) -> Result<Vec<u8>> {
        let root = self.load_all(folder, &self.root, passphrase)?;
        let content = self.load_key(folder, &self.content, passphrase)?;
        let timestamp = self.load_all(folder, &self.timestamp, passphrase)?;
        let (root, timestamp): (Vec<_>, Vec<_>) =
            (root.iter().collect(), timestamp.iter().collect());
        make_root(
            &RootSpec {
                root: (&root, self.root_threshold),
                content: &content,
                timestamp: (&timestamp, self.timestamp_threshold),
                expires: later(now, ROOT_DAYS),
            },
            self.root_version,
            more_signers,
        )
        .map_err(|source| TransferError::Sign { doing: "make the root", source })
    }

    fn store(&self, folder: &Path) -> Result<()> {
        let path = folder.join("keys.json");
        let json =
            serde_json::to_vec_pretty(self).map_err(std::io::Error::other).doing("write", &path)?;
        write_file(&path, &json)?;
        Ok(())
    }

    fn describe(&self, folder: &Path, root: &[u8]) -> Result<KeysReport> {
        let fingerprint = Fingerprint::from_root(root)
            .map_err(|source| TransferError::Sign { doing: "read the new root", source })?;
        let role = |role: &str, names: &[String]| -> Vec<(String, PathBuf)> {
            names.iter().map(|name| (role.to_owned(), folder.join(name))).collect()
        };
        let mut keys = role("root", &self.root);
        keys.extend(role("content", std::slice::from_ref(&self.content)));
        let others: Vec<_> =
            self.timestamp.iter().filter(|name| **name != self.content).cloned().collect();
        keys.extend(role("countersigner", &others));
        keys.extend(role("policy", std::slice::from_ref(&self.policy)));
        Ok(KeysReport {
            // The newest root: a site that pins it does not trust the keys that were replaced.
            root: folder.join(format!("{}.root.json", self.root_version)),
            fingerprint: fingerprint.words(),
            fingerprint_hex: fingerprint.0.to_string(),
            keys,
        })
    }
}

/// The time so many days after `now`, in whole seconds.
pub(crate) fn later(now: Timestamp, days: i64) -> Timestamp {
    let then = now.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
    Timestamp::from_second(then.as_second()).unwrap_or(then)
}

/// A root dated before the one that it follows would expire too early, or has expired already.
fn check_date(roots: &[Vec<u8>], now: Timestamp) -> Result<()> {
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
fn lock_and_sweep(data: &DataDir) -> Result<FolderLock> {
    let lock = trust::lock(data)?;
    durable::sweep(data.root(), SCRATCH).doing("clear", data.root())?;
    if data.keys().exists() {
        durable::sweep(&data.keys(), TEMPORARY).doing("clear", data.keys())?;
    }
    Ok(lock)
}

fn write_file(path: &Path, bytes: &[u8]) -> std::result::Result<(), FileError> {
    durable::write(path, bytes).doing("write", path)
}
