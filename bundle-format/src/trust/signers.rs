//! Whose signatures on a document hold.

use tough::schema::{Delegations, Role, Root, Signed, Targets};

use super::head::POLICY_ROLE;

/// The key ids of `root` whose signatures on `document` hold. Asks the TUF library key by key, by
/// way of a root that names this one key with threshold one.
pub(super) fn valid_signers<T: Role>(root: &Root, document: &Signed<T>) -> Vec<String> {
    let holds = |keyid: &_| {
        let mut single = root.clone();
        if let Some(role) = single.roles.get_mut(&T::TYPE) {
            role.keyids.retain(|id| id == keyid);
            role.threshold = std::num::NonZeroU64::MIN;
        }
        single.verify_role(document).is_ok()
    };
    document
        .signatures
        .iter()
        .filter(|signature| holds(&signature.keyid))
        .map(|signature| hex::encode(signature.keyid.as_ref()))
        .collect()
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
            role.threshold = std::num::NonZeroU64::MIN;
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
