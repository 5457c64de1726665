//! The connected side: sealing a snapshot, and countersigning it.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU64,
};

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;
use tough::{
    TargetName,
    schema::{
        self, DelegatedRole, Delegations, PathPattern, PathSet, RoleType, Root, Signed, Snapshot,
        Target, Targets,
    },
};

use super::{
    TrustError,
    document::{self, SPEC_VERSION, broken},
    head::{Head, INDEX_TARGET, POLICY_ROLE, POLICY_TARGET, Part},
    root::{parse_root, whole_seconds},
};
use crate::{digest::Sha256, index::Index, keys::SigningKey, policy::Policy};

/// The paths that the policy role has a say over.
pub(super) const POLICY_PATHS: &str = "policy.*";

/// What is sealed, and with what.
pub struct Seal<'a> {
    /// All root files from 1.
    pub roots: &'a [Vec<u8>],
    /// The index; its snapshot number is the version of targets, snapshot and timestamp.
    pub index: &'a Index,
    /// The policy and the version of its role (never falls, and changes with the policy), always
    /// present once made.
    pub policy: (&'a Policy, NonZeroU64),
    /// Signs targets and snapshot.
    pub content: &'a SigningKey,
    /// Sign the timestamp; fewer than the threshold leave it to be countersigned.
    pub timestamp: &'a [&'a SigningKey],
    /// Signs the policy role, which targets delegates to it.
    pub policy_key: &'a SigningKey,
    /// When targets, snapshot, timestamp and policy expire. Whole seconds; fractions are dropped.
    pub expires: Timestamp,
}

/// Makes and signs the head of a snapshot. The same input gives the same bytes.
///
/// # Errors
/// When the roots do not parse or a key is not one that they name.
pub fn seal(seal: &Seal<'_>) -> Result<Head, TrustError> {
    let refused =
        |what: String| TrustError::refused(format!("the snapshot cannot be sealed: {what}"));
    let chain = super::root::check_chain(seal.roots.iter().map(Vec::as_slice))?;
    let root = &chain.last().ok_or_else(|| refused("there is no root".to_owned()))?.signed;
    let version = NonZeroU64::new(seal.index.snapshot)
        .ok_or_else(|| refused("snapshots count from 1".to_owned()))?;
    let expires = whole_seconds(seal.expires)?;
    for kind in [RoleType::Targets, RoleType::Snapshot] {
        require_named(root, kind, seal.content)?;
    }

    let policy_file = seal.policy.0.to_zst().map_err(|e| refused(e.to_string()))?;
    let mut policy = Targets::new(SPEC_VERSION.to_owned(), seal.policy.1, expires);
    policy.delegations = None;
    policy.add_target(target_name(POLICY_TARGET)?, target(&policy_file));
    let policy = signed(policy, &[seal.policy_key])?;
    let policy_bytes = document::to_bytes(&policy)?;

    let index_file = seal.index.to_zst().map_err(|e| refused(e.to_string()))?;
    let mut targets = Targets::new(SPEC_VERSION.to_owned(), version, expires);
    targets.delegations = Some(delegation(seal.policy_key)?);
    targets.add_target(
        target_name(INDEX_TARGET)?,
        Target { custom: custom(seal.index), ..target(&index_file) },
    );
    let targets_bytes = document::to_bytes(&signed(targets, &[seal.content])?)?;

    let mut snapshot = Snapshot::new(SPEC_VERSION.to_owned(), version, expires);
    snapshot.meta.insert("targets.json".to_owned(), document::metafile(&targets_bytes, version));
    snapshot
        .meta
        .insert(format!("{POLICY_ROLE}.json"), document::metafile(&policy_bytes, seal.policy.1));
    let snapshot_bytes = document::to_bytes(&signed(snapshot, &[seal.content])?)?;

    let mut timestamp = schema::Timestamp::new(SPEC_VERSION.to_owned(), version, expires);
    timestamp.meta.insert("snapshot.json".to_owned(), document::metafile(&snapshot_bytes, version));
    for key in seal.timestamp {
        require_named(root, RoleType::Timestamp, key)?;
    }
    let timestamp = signed(timestamp, seal.timestamp)?;
    let signers = document::role(root, RoleType::Timestamp).map_err(refused)?.keyids.len();
    let timestamp_bytes = document::to_slot(&timestamp, signers)?;

    let mut files = BTreeMap::new();
    for (root, number) in seal.roots.iter().zip(1u64..) {
        files.insert(Part::Root(number).name(), Bytes::copy_from_slice(root));
    }
    for (part, bytes) in [
        (Part::Timestamp, timestamp_bytes),
        (Part::Snapshot(version.get()), snapshot_bytes),
        (Part::Targets(version.get()), targets_bytes),
        (Part::Policy(seal.policy.1.get()), policy_bytes),
        (Part::IndexTarget(Sha256::hash(&index_file)), index_file),
        (Part::PolicyTarget(Sha256::hash(&policy_file)), policy_file),
    ] {
        files.insert(part.name(), bytes.into());
    }
    Ok(Head { files })
}

/// Adds a signature to the timestamp in its fixed slot: no other byte of the head changes, and the
/// length of none. `shown` is the timestamp's digest by [`inspect_for_signing`](super::inspect_for_signing).
///
/// # Errors
/// When it is another timestamp than was shown, the key is not one of the role's, or has signed already.
pub fn countersign(head: &mut Head, key: &SigningKey, shown: &Sha256) -> Result<(), TrustError> {
    let roots = head.roots();
    let newest = roots.last().ok_or_else(|| TrustError::refused("the head holds no root"))?;
    let root = parse_root(newest)
        .map_err(|what| TrustError::refused(format!("the newest root in the head {what}")))?;
    require_named(&root.signed, RoleType::Timestamp, key)?;
    let before = head
        .get(Part::Timestamp)
        .ok_or_else(|| TrustError::refused("the head holds no timestamp"))?;
    let mut timestamp: Signed<schema::Timestamp> = document::parse_slot(before)
        .map_err(|what| TrustError::refused(format!("timestamp.json {what}")))?;
    if document::digest(&timestamp.signed)? != *shown {
        return Err(TrustError::refused(
            "it is another snapshot than the one that was shown: look at it, then sign it",
        ));
    }
    document::sign(&mut timestamp, key)?;
    let length = before.len();
    let mut bytes = document::to_bytes(&timestamp)?;
    if bytes.len() > length {
        return Err(TrustError::refused(
            "the timestamp's slot is full; seal and export again with this signature",
        ));
    }
    bytes.resize(length, b' ');
    head.files.insert(Part::Timestamp.name(), bytes.into());
    Ok(())
}

/// What `Target.custom` says of the index: enough to refuse a bundle for another site, of another
/// mirror or in another format before the index is opened.
pub(super) fn custom(index: &Index) -> HashMap<String, serde_json::Value> {
    HashMap::from([
        ("format-version".to_owned(), json!(index.format_version)),
        ("mirror-id".to_owned(), json!(index.mirror_id)),
        ("snapshot".to_owned(), json!(index.snapshot)),
        ("sites".to_owned(), json!(index.sites)),
    ])
}

/// Refuses a key that the root does not name for `kind`.
fn require_named(root: &Root, kind: RoleType, key: &SigningKey) -> Result<(), TrustError> {
    let keyid = key.tuf_key().key_id().map_err(broken)?;
    let is_named = document::role(root, kind).is_ok_and(|role| role.keyids.contains(&keyid));
    is_named.then_some(()).ok_or_else(|| {
        TrustError::refused(format!(
            "the root (version {}) does not name the key {} for {kind}; use the key that it names, \
             or make a new root",
            root.version,
            key.key_id()
        ))
    })
}

fn signed<T: schema::Role>(signed: T, keys: &[&SigningKey]) -> Result<Signed<T>, TrustError> {
    let mut document = Signed { signed, signatures: Vec::new() };
    for key in keys {
        document::sign(&mut document, key)?;
    }
    Ok(document)
}

fn delegation(policy_key: &SigningKey) -> Result<Delegations, TrustError> {
    let key = policy_key.tuf_key();
    let keyid = key.key_id().map_err(broken)?;
    let mut delegations = Delegations::new();
    delegations.keys.insert(keyid.clone(), key);
    delegations.roles.push(DelegatedRole {
        name: POLICY_ROLE.to_owned(),
        keyids: vec![keyid],
        threshold: NonZeroU64::MIN,
        paths: PathSet::Paths(vec![PathPattern::new(POLICY_PATHS).map_err(broken)?]),
        terminating: true,
        targets: None,
    });
    Ok(delegations)
}

fn target(file: &[u8]) -> Target {
    Target {
        length: file.len() as u64,
        hashes: document::hashes(file),
        custom: HashMap::new(),
        _extra: HashMap::new(),
    }
}

pub(super) fn target_name(name: &str) -> Result<TargetName, TrustError> {
    TargetName::new(name).map_err(|e| TrustError::machine("a target's name is not usable", e))
}
