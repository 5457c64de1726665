//! Signatures on a root that are made one by one, wherever the root keys lie.

use tough::schema::{RoleType, Root, Signed};

use super::{
    TrustError, document,
    fingerprint::Fingerprint,
    signers::{invalid_signatures, valid_signers},
};
use crate::keys::SigningKey;

/// The signatures that a root has, of those that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RootSignatures {
    /// Of its own root keys: there are, and needed.
    pub own: (u64, u64),
    /// Of the root keys of the root before it; `None` for the first root.
    pub before: Option<(u64, u64)>,
}

impl RootSignatures {
    /// Whether nothing is missing.
    pub fn is_enough(&self) -> bool {
        [Some(self.own), self.before].into_iter().flatten().all(|(have, needed)| have >= needed)
    }
}

impl std::fmt::Display for RootSignatures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (have, needed) = self.own;
        write!(f, "{have} of {needed} signatures of its own root keys")?;
        match self.before {
            Some((have, needed)) => {
                write!(f, ", {have} of {needed} of the root keys before")
            }
            None => Ok(()),
        }
    }
}

/// Adds a signature to a root, which may still lack others. Show what is signed with
/// [`RootRoles`](super::RootRoles) before. A key that the root does not name signs for the root before.
///
/// # Errors
/// When it is no root, or the key has signed it already.
pub fn sign_root(root: &[u8], key: &SigningKey) -> Result<Vec<u8>, TrustError> {
    let mut root = parse(root)?;
    document::sign(&mut root, key)?;
    document::to_bytes(&root)
}

/// The root with the signatures of all copies of it that count, and how many they are. `before` is the
/// root before it.
///
/// # Errors
/// When one of the copies is another root.
pub fn gather_signatures(
    root: &[u8],
    copies: &[Vec<u8>],
    before: Option<&[u8]>,
) -> Result<(Vec<u8>, RootSignatures), TrustError> {
    let mut root = parse(root)?;
    let before = before.map(parse).transpose()?;
    let ours = Fingerprint::from_parsed(&root.signed)?;
    for copy in copies {
        let copy = parse(copy)?;
        let theirs = Fingerprint::from_parsed(&copy.signed)?;
        if theirs != ours {
            return Err(TrustError::refused(format!(
                "it is another root than the one that waits for signatures. Waiting: {}. Given: {}",
                ours.words(),
                theirs.words()
            )));
        }
        for signature in copy.signatures {
            if !root.signatures.contains(&signature) {
                root.signatures.push(signature);
            }
        }
    }
    let roots: Vec<&Root> =
        [Some(&root), before.as_ref()].into_iter().flatten().map(|root| &root.signed).collect();
    let counts = |signature: &tough::schema::Signature| {
        let alone = Signed { signed: root.signed.clone(), signatures: vec![signature.clone()] };
        invalid_signatures(&roots, &alone) == 0
    };
    let mut signatures: Vec<_> =
        root.signatures.iter().filter(|signature| counts(signature)).cloned().collect();
    signatures.sort_by(|a, b| a.keyid.as_ref().cmp(b.keyid.as_ref()));
    signatures.dedup_by(|a, b| a.keyid == b.keyid);
    root.signatures = signatures;
    let count = |by: &Root| {
        let needed = document::role(by, RoleType::Root).map_err(TrustError::refused)?.threshold;
        Ok::<_, TrustError>((valid_signers(by, &root).len() as u64, needed.get()))
    };
    let signatures = RootSignatures {
        own: count(&root.signed)?,
        before: before.as_ref().map(|before| count(&before.signed)).transpose()?,
    };
    Ok((document::to_bytes(&root)?, signatures))
}

/// A root that may lack signatures.
fn parse(root: &[u8]) -> Result<Signed<Root>, TrustError> {
    let refused = |what: String| TrustError::refused(format!("the root file {what}"));
    let root: Signed<Root> = document::parse(root).map_err(refused)?;
    document::check_root(&root.signed).map_err(refused)?;
    Ok(root)
}
