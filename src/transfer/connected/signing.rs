//! Signing a snapshot with the keys of this side.

use std::num::NonZeroU64;

use bundle_format::{
    digest::Sha256,
    index::Index,
    limits::BundleLimits,
    policy::Policy,
    trust::{self, Head, Seal},
};
use jiff::Timestamp;

use super::keys::files::KeyFiles;
use crate::{data_dir::DataDir, transfer::error::TransferError};

type Result<T> = std::result::Result<T, TransferError>;

/// Whether a head holds exactly these roots.
pub(super) fn has_roots(head: &Head, roots: &[Vec<u8>]) -> bool {
    let stored = head.files.keys().filter(|name| name.ends_with(".root.json")).count();
    stored == roots.len()
        && (1_u64..).zip(roots).all(|(version, root)| {
            head.files.get(&format!("metadata/{version}.root.json")).is_some_and(|f| f == root)
        })
}

/// Makes the signed head of a snapshot.
pub(super) fn sign(
    data: &DataDir,
    keys: &KeyFiles,
    roots: &[Vec<u8>],
    index: &Index,
    policy: (&Policy, NonZeroU64),
    expires: Timestamp,
    passphrase: Option<&str>,
) -> Result<Head> {
    let load = |name: &str| keys.load_key(&data.keys(), name, passphrase);
    let content = load(&keys.content)?;
    let policy_key = load(&keys.policy)?;
    let first = match keys.timestamp.first() {
        Some(name) if *name != keys.content => Some(load(name)?),
        _ => None,
    };
    trust::seal(&Seal {
        roots,
        index,
        policy,
        content: &content,
        timestamp: &[first.as_ref().unwrap_or(&content)],
        policy_key: &policy_key,
        expires,
    })
    .map_err(|source| TransferError::Sign { doing: "sign the snapshot", source })
}

/// The timestamp signatures that a head has, and how many it needs.
pub(super) fn count_signatures(head: &Head) -> Result<(u64, u64)> {
    trust::inspect_for_signing(head, &BundleLimits::default())
        .map(|summary| summary.signatures)
        .map_err(|source| TransferError::Sign { doing: "read the snapshot back", source })
}

/// SHA-256 of the compressed index in a head.
pub(super) fn index_digest(head: &Head) -> Result<Sha256> {
    head.files
        .iter()
        .find(|(name, _)| name.ends_with(".index.json.zst"))
        .map(|(_, bytes)| Sha256::hash(bytes))
        .ok_or_else(|| TransferError::refused("the sealed head holds no index"))
}
