//! The rules of format version 1 for the metadata, beyond TUF's own.

use tough::schema::{self, DelegatedRole, PathSet, Targets};

use super::{
    TrustError, document,
    error::DAMAGED,
    head::{Head, INDEX_TARGET, POLICY_ROLE, POLICY_TARGET, Part},
    load::Loaded,
    sign::POLICY_PATHS,
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
    // No digest covers the timestamp, so another form of the same content would go unnoticed.
    let timestamp = head.get(Part::Timestamp).map(AsRef::as_ref).unwrap_or_default();
    document::parse_slot::<schema::Timestamp>(timestamp)
        .map_err(|what| TrustError::refused(format!("timestamp.json {what}: {DAMAGED}")))?;
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
