//! What a countersigner is shown: a head whose timestamp signatures may still be missing.

use jiff::Timestamp;
use tough::schema::RoleType;

use super::{
    TrustError,
    check::{self, Expectation, VerifiedHead, open_index},
    document,
    head::{Head, POLICY_ROLE},
    load::load_by_hand,
    roles::RootRoles,
    root::check_chain,
    shape::check_shape,
    signers::valid_signers,
    state::TrustState,
};
use crate::{digest::Sha256, index::Index, limits::BundleLimits, policy::Policy};

/// What is to be signed, for a countersigner.
#[derive(Debug, Clone)]
pub struct SealSummary {
    /// The index that the signatures cover.
    pub index: Index,
    /// SHA-256 of the compressed index, as targets names it.
    pub index_digest: Sha256,
    /// SHA-256 of what a countersignature covers: the timestamp without its signatures.
    pub timestamp_digest: Sha256,
    /// Valid timestamp signatures now, and how many are needed.
    pub signatures: (u64, u64),
    /// Key ids of the valid timestamp signatures.
    pub signers: Vec<String>,
    /// Who has signed anything of it, for people: what each key is for, and its name.
    pub signed_by: Vec<String>,
    /// Key ids of the policy role.
    pub policy_signers: Vec<String>,
    /// The root that it is sealed under.
    pub roles: RootRoles,
    /// The policy.
    pub policy: Policy,
}

impl SealSummary {
    /// What becomes of the policy key by a later snapshot, as a sentence: a root does not name it.
    pub fn policy_key_change(&self, later: &VerifiedHead) -> Option<String> {
        let policy = later.signers.iter().find(|(role, _)| role == POLICY_ROLE);
        let now = policy.map(|(_, ids)| ids.as_slice()).unwrap_or_default();
        if now == self.policy_signers {
            return None;
        }
        let roles = RootRoles::from_root(later.next_state.root()).ok()?;
        let list = |roles: &RootRoles, ids: &[String]| {
            ids.iter().map(|id| roles.describe(id)).collect::<Vec<_>>().join(", ")
        };
        Some(format!(
            "the policy key {} is replaced by {}",
            list(&self.roles, &self.policy_signers),
            list(&roles, now)
        ))
    }
}

/// Checks a head that lacks timestamp signatures, for a countersigner.
///
/// # Errors
/// When anything but the number of timestamp signatures is wrong.
pub fn inspect_for_signing(head: &Head, limits: &BundleLimits) -> Result<SealSummary, TrustError> {
    head.parts(limits).map_err(TrustError::refused)?;
    let head_roots = head.roots();
    let chain = check_chain(head_roots.iter().map(AsRef::as_ref))?;
    let root = chain.last().ok_or_else(|| TrustError::refused("the head holds no root"))?;
    let loaded = load_by_hand(root, head)?;
    check_shape(head, &loaded)?;
    let newest = head_roots.last().cloned().unwrap_or_default();
    let state = TrustState { root: newest, accepted: None, before: None, records: Vec::new() };
    let expect = Expectation { site: None, now: Timestamp::UNIX_EPOCH, refuse_expired: false };
    let (index, index_digest) = open_index(&state, &loaded, &expect, limits)?;
    let policy = Policy::from_zst(&loaded.policy_file, limits)
        .map_err(|e| TrustError::refused(e.to_string()))?;
    let needed =
        document::role(&root.signed, RoleType::Timestamp).map_err(TrustError::refused)?.threshold;
    let signers = valid_signers(&root.signed, &loaded.timestamp);
    let roles = RootRoles::from_root(head_roots.last().map(AsRef::as_ref).unwrap_or_default())?;
    let signatures = (signers.len() as u64, needed.get());
    let all = check::signers(&loaded);
    let signed_by = roles.describe_signers(&all);
    let of_policy = all.into_iter().filter(|(role, _)| role == POLICY_ROLE);
    Ok(SealSummary {
        index,
        index_digest,
        timestamp_digest: document::digest(&loaded.timestamp.signed)?,
        signatures,
        signers,
        signed_by,
        policy_signers: of_policy.flat_map(|(_, ids)| ids).collect(),
        roles,
        policy,
    })
}
