//! The rules of format version 1 for the metadata, beyond TUF's own.

use tough::schema::{self, DelegatedRole, PathSet, RoleType, Snapshot, Targets};

use super::{
    TrustError, document,
    error::DAMAGED,
    head::{Head, INDEX_TARGET, POLICY_ROLE, POLICY_TARGET, Part},
    load::Loaded,
    sign::POLICY_PATHS,
    signers::invalid_signatures,
};
use crate::index::MAX_SNAPSHOT;

/// The rules of format version 1 for the metadata, beyond TUF's own.
pub(super) fn check_shape(head: &Head, loaded: &Loaded) -> Result<(), TrustError> {
    let refused = |what: &str| Err(TrustError::refused(format!("its metadata are wrong: {what}")));
    document::check_root(&loaded.root.signed).map_err(|what| {
        TrustError::refused(format!("its root (version {}): {what}", loaded.root.signed.version))
    })?;
    let number = loaded.number();
    if number > MAX_SNAPSHOT {
        return refused("the snapshot's number is out of range");
    }
    if loaded.timestamp.signed.version.get() != number
        || loaded.targets.signed.version.get() != number
    {
        return refused("timestamp, snapshot and targets do not have the same version");
    }
    let Some(policy) = policy_role(&loaded.targets.signed) else {
        return refused("targets must delegate policy.* to the role policy, and nothing else");
    };
    let keys = loaded.targets.signed.delegations.iter().flat_map(|d| d.keys.values());
    document::distinct(POLICY_ROLE, keys)
        .map_err(|what| TrustError::refused(format!("its targets metadata: {what}")))?;
    let Some(policy_targets) = &policy.targets else {
        return refused("the snapshot does not list the policy role");
    };
    if policy_targets.signed.delegations.is_some()
        || !only_target(&policy_targets.signed, POLICY_TARGET)
        || !only_target(&loaded.targets.signed, INDEX_TARGET)
    {
        return refused("a role names other targets than its own");
    }
    check_listed(head, loaded)?;
    check_forms(head, loaded)?;
    check_signatures(loaded)?;
    // No digest covers the timestamp, so another form of the same content would go unnoticed.
    let timestamp = head.get(Part::Timestamp).map(AsRef::as_ref).unwrap_or_default();
    let parsed = document::parse_slot::<schema::Timestamp>(timestamp)
        .map_err(|what| TrustError::refused(format!("timestamp.json {what}: {DAMAGED}")))?;
    let signatures = document::role(&loaded.root.signed, RoleType::Timestamp)
        .map_err(TrustError::refused)?
        .keyids
        .len();
    if document::to_slot(&parsed, signatures)? != timestamp {
        return Err(TrustError::refused(format!(
            "timestamp.json is not as long as room for its signatures asks for: {DAMAGED}"
        )));
    }
    Ok(())
}

/// Digest, length and version at every step: TUF lets metadata leave digests and lengths out, and a
/// signature would then cover nothing below it.
fn check_listed(head: &Head, loaded: &Loaded) -> Result<(), TrustError> {
    let policy = format!("{POLICY_ROLE}.json");
    let snapshot = Part::Snapshot(loaded.number());
    let targets = Part::Targets(loaded.targets.signed.version.get());
    let policy_part = Part::Policy(loaded.policy.signed.version.get());
    let listed = &loaded.snapshot.signed.meta;
    if listed.len() != 2 || loaded.timestamp.signed.meta.len() != 1 {
        return Err(TrustError::refused(
            "its metadata are wrong: timestamp or snapshot list other files than they must",
        ));
    }
    for (meta, name, part) in [
        (&loaded.timestamp.signed.meta, "snapshot.json", snapshot),
        (listed, "targets.json", targets),
        (listed, policy.as_str(), policy_part),
    ] {
        let bytes = head.get(part).map(AsRef::as_ref).unwrap_or_default();
        let meta = meta.get(name);
        let hashes = document::hashes(bytes);
        let has_all = meta.is_some_and(|meta| {
            meta.length == Some(bytes.len() as u64) && meta.hashes.as_ref() == Some(&hashes)
        });
        if !has_all {
            return Err(TrustError::refused(format!(
                "its metadata are wrong: no SHA-256 and length of {name} is signed, so anybody with \
                 one of the keys could exchange it; ask the connected side to seal and sign again \
                 with tidegate"
            )));
        }
    }
    Ok(())
}

/// What is signed has one form too: another reader must not understand it otherwise.
fn check_forms(head: &Head, loaded: &Loaded) -> Result<(), TrustError> {
    let bytes = |part| head.get(part).map(AsRef::as_ref).unwrap_or_default();
    let refused = |part: Part, what: String| {
        TrustError::refused(format!("{} {what}; ask the connected side to seal again", part.name()))
    };
    let snapshot = Part::Snapshot(loaded.number());
    document::parse_strict::<Snapshot>(bytes(snapshot)).map_err(|what| refused(snapshot, what))?;
    let targets = Part::Targets(loaded.targets.signed.version.get());
    let policy = Part::Policy(loaded.policy.signed.version.get());
    for part in [targets, policy] {
        document::parse_strict::<Targets>(bytes(part)).map_err(|what| refused(part, what))?;
    }
    Ok(())
}

/// No digest covers the timestamp: a signature on it that counts for nothing could be altered
/// unnoticed. And all metadata are of the specification that this program knows.
fn check_signatures(loaded: &Loaded) -> Result<(), TrustError> {
    let invalid = invalid_signatures(&[&loaded.root.signed], &loaded.timestamp);
    if invalid > 0 {
        let all = loaded.timestamp.signatures.len();
        return Err(TrustError::refused(format!(
            "timestamp.json has {all} signatures, of which {invalid} do not hold: {DAMAGED}"
        )));
    }
    for version in [
        &loaded.root.signed.spec_version,
        &loaded.timestamp.signed.spec_version,
        &loaded.snapshot.signed.spec_version,
        &loaded.targets.signed.spec_version,
        &loaded.policy.signed.spec_version,
    ] {
        document::check_specification(version).map_err(TrustError::refused)?;
    }
    Ok(())
}

/// The one delegation that there may be.
pub(super) fn policy_role(targets: &Targets) -> Option<&DelegatedRole> {
    let delegations = targets.delegations.as_ref()?;
    let [role] = delegations.roles.as_slice() else { return None };
    let paths = match &role.paths {
        PathSet::Paths(paths) => paths.iter().map(|path| path.value()).collect::<Vec<_>>(),
        PathSet::PathHashPrefixes(_) => return None,
    };
    (role.name == POLICY_ROLE && role.terminating && paths == [POLICY_PATHS]).then_some(role)
}

fn only_target(targets: &Targets, name: &str) -> bool {
    targets.targets.len() == 1 && targets.targets.keys().all(|key| key.raw() == name)
}
