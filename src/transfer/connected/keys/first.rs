//! The first keys and the first root of a connected side.

use std::{fs, num::NonZeroU64, path::PathBuf};

use bundle_format::{
    keys::{KeyRole, PublicKey, SigningKey},
    trust::{RootSpec, make_root},
};
use jiff::Timestamp;

use super::{
    elsewhere::load_public,
    files::{
        IN_USE, KeyFiles, ROOT_DAYS, SCRATCH, WAITING, later, lock_and_sweep, make_key, public_path,
    },
    next_root::{KeysReport, NextRoot, refused},
};
use crate::{
    data_dir::DataDir,
    durable,
    file_error::Doing as _,
    transfer::{error::TransferError, store::side::require_connected},
};

type Result<T> = std::result::Result<T, TransferError>;

/// Which keys `keys init` makes, and which are brought.
#[derive(Debug, Clone)]
pub struct KeysOptions {
    /// Encrypts all key files that are made; with `None` they are stored in the clear.
    pub passphrase: Option<String>,
    /// Root keys to be made, if none are brought: at least one.
    pub root_keys: u64,
    /// How many root keys a new root needs.
    pub root_threshold: u64,
    /// Keys to be made whose holders countersign every snapshot, if none are brought.
    pub countersigners: u64,
    /// How many signatures a snapshot needs, the content key's own included.
    pub threshold: u64,
    /// Public parts of keys that were made elsewhere.
    pub brought: BroughtKeys,
    /// When the root begins.
    pub now: Timestamp,
}

/// Files with public parts of keys that were made on other machines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BroughtKeys {
    /// All root keys.
    pub root: Vec<PathBuf>,
    /// All countersigners.
    pub countersigner: Vec<PathBuf>,
    /// The content key; its secret part must be brought to `keys/` before the next seal.
    pub content: Option<PathBuf>,
    /// The policy key; likewise.
    pub policy: Option<PathBuf>,
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
            brought: BroughtKeys::default(),
            now,
        }
    }
}

/// Makes the keys and the first root of a connected side, all or nothing. With root keys of others the root
/// waits for their signatures.
///
/// # Errors
/// When there are keys already, the numbers make no sense, or the disk fails.
pub fn keys_init(data: &DataDir, options: &KeysOptions) -> Result<KeysReport> {
    require_connected(data)?;
    let _lock = lock_and_sweep(data)?;
    let folder = data.keys();
    if folder.join(IN_USE).exists() || folder.join(WAITING).exists() {
        return Err(TransferError::Unfit {
            what: format!(
                "there are keys already in {}: use `tidegate keys rotate` to replace them",
                folder.display()
            ),
        });
    }
    let brought = LoadedKeys::load(&options.brought)?;
    let files = name_files(options, &brought)?;
    let scratch = tempfile::Builder::new()
        .prefix(SCRATCH)
        .tempdir_in(data.root())
        .doing("make a folder in", data.root())?;
    let passphrase = options.passphrase.as_deref();
    let mut keys = Vec::new();
    for (role, name) in files.all() {
        keys.push(match brought.take(role, &keys) {
            Some(key) => {
                key.save(&public_path(scratch.path(), name))?;
                key
            }
            None => make_key(&scratch.path().join(name), role, None, passphrase)?,
        });
    }
    let of = |role| keys.iter().filter(move |key| key.role == role).cloned();
    let content = of(KeyRole::Content).next();
    let spec = RootSpec {
        root: of(KeyRole::Root).collect(),
        root_threshold: files.root_threshold,
        content: content.clone().ok_or_else(|| unfit("there is no content key"))?,
        timestamp: content.into_iter().chain(of(KeyRole::Countersigner)).collect(),
        timestamp_threshold: files.timestamp_threshold,
        policy: of(KeyRole::Policy).next(),
        expires: later(options.now, ROOT_DAYS),
    };
    let root = make_root(&spec, files.root_version, &[]).map_err(refused("make the root"))?;
    let signers: Vec<_> = files.root.iter().map(|name| scratch.path().join(name)).collect();
    let mut next = NextRoot::new(scratch.path(), files, root)?;
    for path in signers.iter().filter(|path| path.exists()) {
        next.sign(&SigningKey::load(path, passphrase)?)?;
    }
    let mut report = next.settle(scratch.path(), &[])?;
    durable::permit(scratch.path(), 0o700).doing("set the permissions of", scratch.path())?;
    fs::rename(scratch.path(), &folder).doing("make", &folder)?;
    durable::sync_folder(data.root()).doing("sync", data.root())?;
    // The folder has its final name now, so the guard must not remove it.
    drop(scratch.keep());
    for path in report.keys.iter_mut().map(|(_, path)| path).chain([&mut report.root]) {
        if let Some(name) = path.file_name() {
            *path = folder.join(name);
        }
    }
    Ok(report)
}

/// The public parts that were brought.
struct LoadedKeys(Vec<PublicKey>);

impl LoadedKeys {
    fn load(brought: &BroughtKeys) -> Result<Self> {
        let mut keys = Vec::new();
        for (role, paths) in [
            (KeyRole::Root, &brought.root[..]),
            (KeyRole::Countersigner, &brought.countersigner[..]),
            (KeyRole::Content, brought.content.as_slice()),
            (KeyRole::Policy, brought.policy.as_slice()),
        ] {
            for path in paths {
                keys.push(load_public(path, role)?);
            }
        }
        Ok(Self(keys))
    }

    fn count(&self, role: KeyRole) -> u64 {
        self.0.iter().filter(|key| key.role == role).count() as u64
    }

    /// The next key of this role that is not among `taken`.
    fn take(&self, role: KeyRole, taken: &[PublicKey]) -> Option<PublicKey> {
        let taken = taken.iter().filter(|key| key.role == role).count();
        self.0.iter().filter(|key| key.role == role).nth(taken).cloned()
    }
}

/// Names all key files, and checks that the numbers make sense.
fn name_files(options: &KeysOptions, brought: &LoadedKeys) -> Result<KeyFiles> {
    let or_brought = |role, made: u64| match brought.count(role) {
        0 => made,
        brought => brought,
    };
    let root_keys = or_brought(KeyRole::Root, options.root_keys);
    let countersigners = or_brought(KeyRole::Countersigner, options.countersigners);
    if !(1..=root_keys).contains(&options.root_threshold) {
        return Err(unfit("the root threshold must be between 1 and the number of root keys"));
    }
    if !(1..=countersigners + 1).contains(&options.threshold) {
        return Err(unfit(
            "the threshold must be between 1 and the number of countersigners plus 1",
        ));
    }
    let names = |what: &str, count: u64| -> Vec<String> {
        (1..=count).map(|n| format!("{what}-{n}.pem")).collect()
    };
    let mut timestamp = vec!["content-1.pem".to_owned()];
    timestamp.extend(names("countersigner", countersigners));
    Ok(KeyFiles {
        root_version: NonZeroU64::MIN,
        root: names("root", root_keys),
        root_threshold: options.root_threshold,
        content: "content-1.pem".to_owned(),
        timestamp,
        timestamp_threshold: options.threshold,
        policy: "policy-1.pem".to_owned(),
    })
}

fn unfit(what: &str) -> TransferError {
    TransferError::Unfit { what: what.to_owned() }
}
