//! Keys and signatures on any machine, without a data folder: for people who keep their key themselves.

use std::path::{Path, PathBuf};

use bundle_format::{
    keys::{KeyName, KeyRole, PublicKey, SigningKey},
    trust::{RootRoles, sign_root},
};
use serde::Serialize;

use super::files::{make_key, read_root, write_file};
use crate::transfer::error::TransferError;

type Result<T> = std::result::Result<T, TransferError>;

/// A key that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MadeKey {
    /// What it is for.
    pub role: KeyRole,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<KeyName>,
    /// Its TUF key id.
    pub key_id: String,
    /// The key id as words, to compare by voice.
    pub fingerprint: String,
    /// The secret part: stays with its owner.
    pub secret: PathBuf,
    /// The public part: to carry to the connected side.
    pub public: PathBuf,
}

/// Makes a key, anywhere: the secret part in `path`, the public part beside it as `*.pub`.
///
/// # Errors
/// When one of the two is there already, or the disk fails.
pub fn make_key_file(
    path: &Path,
    role: KeyRole,
    name: Option<KeyName>,
    passphrase: Option<&str>,
) -> Result<MadeKey> {
    let public = path.with_extension("pub");
    if public == path {
        return Err(TransferError::Unfit {
            what:
                "*.pub is the name of the public part: give the secret one another, such as *.pem"
                    .to_owned(),
        });
    }
    let key = make_key(path, role, name, passphrase)?;
    Ok(MadeKey {
        role,
        key_id: key.key_id(),
        fingerprint: key.fingerprint(),
        name: key.name,
        secret: path.to_owned(),
        public,
    })
}

/// A root that is to be signed, for the holder of a root key.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RootToSign {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    #[serde(flatten)]
    pub roles: RootRoles,
}

/// Reads a root that is to be signed.
///
/// # Errors
/// When it cannot be read or is no root.
pub fn inspect_root_to_sign(path: &Path) -> Result<RootToSign> {
    let root = read_root(path)?;
    let roles = RootRoles::from_root(&root)
        .map_err(|source| TransferError::Trust { path: path.to_owned(), source })?;
    Ok(RootToSign { path: path.to_owned(), roles })
}

/// Signs the root that was shown in its file. True: the root names the key; false: the signature can count only as one of
/// the root before.
///
/// # Errors
/// When the file is another root by now, the key does not open or has signed already, or the disk fails.
pub fn sign_root_file(shown: &RootToSign, key: &Path, passphrase: Option<&str>) -> Result<bool> {
    let key = SigningKey::load(key, passphrase)?;
    let path = shown.path.as_path();
    let root = read_root(path)?;
    let found = RootRoles::from_root(&root)
        .map_err(|source| TransferError::Trust { path: path.to_owned(), source })?;
    if found.fingerprint != shown.roles.fingerprint {
        return Err(TransferError::Unfit {
            what: format!(
                "{} is another root than the one that was shown: look at it, then sign it",
                path.display()
            ),
        });
    }
    let signed = sign_root(&root, &key)
        .map_err(|source| TransferError::Trust { path: path.to_owned(), source })?;
    write_file(path, &signed)?;
    let id = key.key_id();
    Ok(found.of(KeyRole::Root).any(|key| key.key_id == id))
}

/// Reads a public part that must have been made for `role`.
pub(super) fn load_public(path: &Path, role: KeyRole) -> Result<PublicKey> {
    let key = PublicKey::load(path)?;
    if key.role != role {
        return Err(TransferError::Unfit {
            what: format!(
                "{} is the public part of a {} key, and a {role} key is asked for",
                path.display(),
                key.role
            ),
        });
    }
    Ok(key)
}
