//! Whose signatures on a document hold.

use std::num::NonZeroU64;

use tough::schema::{
    Delegations, Role, Root, Signed, Targets,
    decoded::{Decoded, Hex},
};

use super::head::POLICY_ROLE;

/// The key ids of `root` whose signatures on `document` hold.
pub(super) fn valid_signers<T: Role>(root: &Root, document: &Signed<T>) -> Vec<String> {
    document
        .signatures
        .iter()
        .filter(|signature| holds(root, &signature.keyid, document))
        .map(|signature| hex::encode(signature.keyid.as_ref()))
        .collect()
}

/// How many signatures on `document` are of no key that one of `roots` names for its role, or do not
/// hold.
pub(super) fn invalid_signatures<T: Role>(roots: &[&Root], document: &Signed<T>) -> usize {
    let signatures = document.signatures.iter();
    let counts = |keyid: &Decoded<Hex>| roots.iter().any(|root| holds(root, keyid, document));
    signatures.filter(|signature| !counts(&signature.keyid)).count()
}

/// Whether `keyid` is one that `root` names for the role of `document`, and its signature holds. Asks
/// the TUF library by way of a root that names this one key with threshold one.
fn holds<T: Role>(root: &Root, keyid: &Decoded<Hex>, document: &Signed<T>) -> bool {
    // First of all: a document may carry any number of signatures of strangers.
    if !root.roles.get(&T::TYPE).is_some_and(|role| role.keyids.contains(keyid)) {
        return false;
    }
    let mut single = root.clone();
    if let Some(role) = single.roles.get_mut(&T::TYPE) {
        role.keyids.retain(|id| id == keyid);
        role.threshold = NonZeroU64::MIN;
    }
    single.verify_role(document).is_ok()
}

/// The key ids whose signatures on the policy hold; its keys are named by targets.
pub(super) fn valid_policy_signers(
    delegations: &Delegations,
    policy: &Signed<Targets>,
) -> Vec<String> {
    let holds = |keyid: &_| {
        let mut single = delegations.clone();
        for role in &mut single.roles {
            role.keyids.retain(|id| id == keyid);
            role.threshold = NonZeroU64::MIN;
        }
        single.verify_role(policy, POLICY_ROLE).is_ok()
    };
    policy
        .signatures
        .iter()
        .filter(|signature| holds(&signature.keyid))
        .map(|signature| hex::encode(signature.keyid.as_ref()))
        .collect()
}
