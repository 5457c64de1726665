//! The policy that was sealed last, as a note in the catalogue.

use std::num::NonZeroU64;

use bundle_format::policy::Policy;

use crate::{catalog::CatalogWriter, transfer::error::TransferError};

type Result<T> = std::result::Result<T, TransferError>;

/// Note in the catalogue: the policy that was sealed last, as JSON.
const POLICY: &str = "policy";
/// Note in the catalogue: the version of the policy role.
const POLICY_VERSION: &str = "policy-version";

/// Notes a policy that differs from the last one; its version grows only then. Gives the version,
/// and whether the policy differs.
pub(super) fn note_policy(
    writer: &mut CatalogWriter<'_>,
    policy: &Policy,
) -> Result<(NonZeroU64, bool)> {
    let json = serde_json::to_string(policy)
        .map_err(|e| TransferError::refused_by("the policy cannot be written", e))?;
    // A damaged note is an error: every site would refuse a version that begins at 1 again.
    let version: u64 = match writer.note(POLICY_VERSION)? {
        Some(version) => version.parse().map_err(|source| TransferError::Note {
            what: "the policy's version",
            source: Box::new(source),
        })?,
        None => 0,
    };
    let changed = writer.set_note(POLICY, &json)?;
    let version = NonZeroU64::MIN.saturating_add((version + u64::from(changed)).saturating_sub(1));
    writer.set_note(POLICY_VERSION, &version.to_string())?;
    Ok((version, changed))
}

/// Notes the policy of a snapshot that was sealed elsewhere. Its version is not known here, but never
/// higher than the snapshot's number.
pub(crate) fn note_sealed_policy(
    writer: &mut CatalogWriter<'_>,
    policy: &Policy,
    snapshot: u64,
) -> Result<()> {
    let json = serde_json::to_string(policy)
        .map_err(|e| TransferError::refused_by("the policy cannot be written", e))?;
    writer.set_note(POLICY, &json)?;
    writer.set_note(POLICY_VERSION, &snapshot.to_string())?;
    Ok(())
}
