//! Roots: who may sign what, made, checked and compared by voice.

use std::num::NonZeroU64;

use bytes::Bytes;
use jiff::{Timestamp, Unit};
use tough::schema::{RoleKeys, RoleType, Root, Signed};

use super::{
    TrustError,
    document::{self, broken},
    error::DAMAGED,
    fingerprint::Fingerprint,
    root_spec::{RootSpec, names_for_people},
    signers::invalid_signatures,
};
use crate::keys::SigningKey;

/// Makes a root and signs it with `signers`. `version` 1 starts a chain; a later one needs signatures of
/// the keys of the root before it too. Signatures that are missing can be added by [`sign_root`].
///
/// # Errors
/// When two keys of a role are the same, or a threshold cannot be met.
pub fn make_root(
    spec: &RootSpec,
    version: NonZeroU64,
    signers: &[&SigningKey],
) -> Result<Vec<u8>, TrustError> {
    let content = std::slice::from_ref(&spec.content);
    let roles = [
        (RoleType::Root, &spec.root[..], spec.root_threshold),
        (RoleType::Timestamp, &spec.timestamp[..], spec.timestamp_threshold),
        (RoleType::Snapshot, content, 1),
        (RoleType::Targets, content, 1),
    ];
    let mut root = Root {
        spec_version: document::SPEC_VERSION.to_owned(),
        consistent_snapshot: true,
        version,
        expires: whole_seconds(spec.expires)?,
        keys: Default::default(),
        roles: Default::default(),
        _extra: names_for_people(spec),
    };
    for (role, keys, threshold) in roles {
        let threshold = NonZeroU64::new(threshold)
            .ok_or_else(|| TrustError::refused(format!("{role} needs a threshold of 1 or more")))?;
        let mut keyids = Vec::new();
        for key in keys {
            let key = key.tuf_key();
            let id = key.key_id().map_err(broken)?;
            root.keys.insert(id.clone(), key);
            keyids.push(id);
        }
        keyids.sort_by(|a, b| a.as_ref().cmp(b.as_ref()));
        root.roles.insert(role, RoleKeys { keyids, threshold, _extra: Default::default() });
    }
    document::check_root(&root)
        .map_err(|what| TrustError::refused(format!("the new root cannot be made: {what}")))?;
    let mut signed = Signed { signed: root, signatures: Vec::new() };
    let mut signers = signers.to_vec();
    signers.sort_by_key(|key| key.key_id());
    signers.dedup_by_key(|key| key.key_id());
    for key in signers {
        document::sign(&mut signed, key)?;
    }
    document::to_bytes(&signed)
}

/// Drops fractions of a second: TUF dates have none.
pub(super) fn whole_seconds(time: Timestamp) -> Result<Timestamp, TrustError> {
    let floor = jiff::TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Floor);
    time.round(floor).map_err(|e| TrustError::machine("a date is out of range", e))
}

/// Parses a root and checks that it is signed by its own keys and keeps our rules.
pub(super) fn parse_root(bytes: &[u8]) -> Result<Signed<Root>, String> {
    let root: Signed<Root> = document::parse(bytes)?;
    document::check_root(&root.signed)?;
    root.signed
        .verify_role(&root)
        .map_err(|_| "does not carry enough signatures of its own keys".to_owned())?;
    Ok(root)
}

/// Checks a chain of root files from 1: each in its one form, signed by its own keys and by those
/// of the one before. Yields them parsed.
pub(super) fn check_chain<'a>(
    roots: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<Signed<Root>>, TrustError> {
    let mut chain: Vec<Signed<Root>> = Vec::new();
    for (bytes, number) in roots.zip(1u64..) {
        let refuse = |what: String| TrustError::refused(format!("{number}.root.json: {what}"));
        document::parse_strict::<Root>(bytes).map_err(refuse)?;
        let root = parse_root(bytes).map_err(refuse)?;
        if root.signed.version.get() != number {
            return Err(refuse(format!("it says that it is version {}", root.signed.version)));
        }
        if let Some(before) = chain.last() {
            before.signed.verify_role(&root).map_err(|_| {
                TrustError::refused(format!(
                    "{number}.root.json is not signed by the keys of the root before it"
                ))
            })?;
        }
        // No digest covers a root: a signature that counts for nothing could come and go unnoticed.
        let roots: Vec<&Root> =
            chain.last().into_iter().chain([&root]).map(|root| &root.signed).collect();
        let invalid = invalid_signatures(&roots, &root);
        if invalid > 0 {
            return Err(refuse(format!(
                "{invalid} of the signatures on it do not hold: {DAMAGED}"
            )));
        }
        chain.push(root);
    }
    Ok(chain)
}

/// Refuses roots of which the one of our version is not our root: another mirror's, and the message
/// can say so before signatures fail for that reason.
pub(super) fn same_mirror(pinned: &Root, roots: &[Bytes]) -> Result<(), TrustError> {
    let at = usize::try_from(pinned.version.get() - 1).unwrap_or(usize::MAX);
    let Some(theirs) = roots.get(at) else { return Ok(()) };
    let ours = Fingerprint::from_parsed(pinned)?;
    let theirs = Fingerprint::from_root(theirs)?;
    if ours == theirs {
        return Ok(());
    }
    Err(TrustError::refused(format!(
        "it is signed under another root than the one trusted here (version {}): unknown signer. \
         Trusted: {ours}. In the bundle: {theirs}. Replaced keys come with the bundles and never \
         look so. If the connected side has lost all its keys and begun anew, compare this \
         fingerprint with it by voice and use `tidegate trust replace`",
        pinned.version
    )))
}
