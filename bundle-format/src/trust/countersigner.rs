//! What a countersigner is shown: a head whose timestamp signatures may still be missing.

use jiff::Timestamp;
use tough::schema::RoleType;

use super::{
    TrustError,
    check::{self, Expectation, open_index},
    document,
    head::Head,
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
    /// Valid timestamp signatures now, and how many are needed.
    pub signatures: (u64, u64),
    /// Key ids of the valid timestamp signatures.
    pub signers: Vec<String>,
    /// Who has signed anything of it, for people: what each key is for, and its name.
    pub signed_by: Vec<String>,
    /// The root that it is sealed under.
    pub roles: RootRoles,
    /// The policy.
    pub policy: Policy,
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
    let state = TrustState { root: newest, accepted: None, before: None };
    let expect = Expectation { site: None, now: Timestamp::UNIX_EPOCH, refuse_expired: false };
    let (index, index_digest) = open_index(&state, &loaded, &expect, limits)?;
    let policy = Policy::from_zst(&loaded.policy_file, limits)
        .map_err(|e| TrustError::refused(e.to_string()))?;
    let needed =
        document::role(&root.signed, RoleType::Timestamp).map_err(TrustError::refused)?.threshold;
    let signers = valid_signers(&root.signed, &loaded.timestamp);
    let roles = RootRoles::from_root(head_roots.last().map(AsRef::as_ref).unwrap_or_default())?;
    let signatures = (signers.len() as u64, needed.get());
    let signed_by = roles.describe_signers(&check::signers(&loaded));
    Ok(SealSummary { index, index_digest, signatures, signers, signed_by, roles, policy })
}
