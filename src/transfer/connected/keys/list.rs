//! Which keys there are, and where their secret parts are.

use std::path::{Path, PathBuf};

use bundle_format::{
    keys::{KeyName, KeyRole},
    trust::{RootRoles, RootSignatures},
};
use serde::Serialize;

use super::{
    files::{IN_USE, KeyFiles, public_part},
    next_root::{NEXT_ROOT, NextRoot, refused},
};
use crate::{
    data_dir::DataDir,
    transfer::{error::TransferError, store::side::require_connected},
};

type Result<T> = std::result::Result<T, TransferError>;

/// The keys of a connected side.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeysOverview {
    /// The root that is in use.
    pub root: Option<RootRoles>,
    /// Its keys, and the policy key.
    pub keys: Vec<ListedKey>,
    /// A root that waits for signatures.
    pub waiting: Option<WaitingRoot>,
}

/// A key in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListedKey {
    /// What it is for.
    pub role: KeyRole,
    /// Its TUF key id; `None` for an encrypted key of version 0.1, whose public part nobody has noted.
    pub key_id: Option<String>,
    /// What people call it.
    pub name: Option<KeyName>,
    /// Where its secret part is, if it is here.
    pub secret: Option<PathBuf>,
}

/// A root that waits for signatures.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct WaitingRoot {
    /// The file to carry to the holders of root keys.
    pub path: PathBuf,
    /// What it says.
    pub root: RootRoles,
    /// What it changes, as sentences.
    pub changes: Vec<String>,
    /// The signatures that it has.
    pub signatures: RootSignatures,
}

/// Which keys there are, and where.
///
/// # Errors
/// When this is no connected side, there are no keys, or a file is damaged.
pub fn keys_list(data: &DataDir) -> Result<KeysOverview> {
    require_connected(data)?;
    let folder = data.keys();
    let waiting = NextRoot::load(&folder)?;
    let files = match KeyFiles::load_as(&folder, IN_USE)? {
        None if waiting.is_some() => None,
        _ => Some(KeyFiles::load(&folder)?),
    };
    let mut overview = KeysOverview { root: None, keys: Vec::new(), waiting: None };
    if let Some(files) = &files {
        let roots = files.roots(&folder)?;
        let newest = roots.last().map(Vec::as_slice).unwrap_or_default();
        let root = RootRoles::from_root(newest).map_err(refused("read the newest root"))?;
        overview.keys = list(&folder, files, &root)?;
        overview.root = Some(root);
    }
    if let Some(next) = waiting {
        let root = RootRoles::from_root(&next.root).map_err(refused("read the next root"))?;
        let changes = overview.root.as_ref().map(|before| before.changes(&root));
        overview.waiting = Some(WaitingRoot {
            path: folder.join(NEXT_ROOT),
            signatures: next.signatures()?,
            changes: changes.unwrap_or_default(),
            root,
        });
    }
    Ok(overview)
}

/// The keys that the root names, with the files that hold them.
fn list(folder: &Path, files: &KeyFiles, root: &RootRoles) -> Result<Vec<ListedKey>> {
    let mut known = Vec::new();
    let mut unknown = Vec::new();
    for (role, name) in files.all() {
        let path = Some(folder.join(name)).filter(|path| path.exists());
        match public_part(folder, role, name)? {
            Some(key) => known.push((key, path)),
            None => unknown.extend(path.map(|path| (role, path))),
        }
    }
    let mut keys = Vec::new();
    for key in &root.keys {
        let file = known.iter().find(|(public, _)| public.key_id() == key.key_id);
        let secret = match file {
            Some((_, path)) => path.clone(),
            // An encrypted file of version 0.1: whose it is can be said where there is one choice.
            None => match &unknown.iter().filter(|(role, _)| *role == key.role).collect::<Vec<_>>()
                [..]
            {
                [(_, path)] if root.of(key.role).count() == 1 => Some(path.clone()),
                _ => None,
            },
        };
        let name = file.and_then(|(public, _)| public.name.clone()).or(key.name.clone());
        keys.push(ListedKey { role: key.role, key_id: Some(key.key_id.clone()), name, secret });
    }
    let policy = known.iter().find(|(key, _)| key.role == KeyRole::Policy);
    keys.push(match policy {
        Some((key, secret)) => ListedKey {
            role: KeyRole::Policy,
            key_id: Some(key.key_id()),
            name: key.name.clone(),
            secret: secret.clone(),
        },
        None => ListedKey {
            role: KeyRole::Policy,
            key_id: None,
            name: None,
            secret: Some(folder.join(&files.policy)).filter(|path| path.exists()),
        },
    });
    Ok(keys)
}
