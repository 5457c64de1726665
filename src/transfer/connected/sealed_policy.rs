//! The policy that was sealed last, and how far the fleet was then, as notes in the catalogue.

use std::num::NonZeroU64;

use bundle_format::policy::Policy;

use crate::{
    catalog::{Catalog, CatalogWriter},
    fleet::Fleet,
    transfer::{error::TransferError, policy::gather::gather},
};

type Result<T> = std::result::Result<T, TransferError>;

/// Note in the catalogue: the policy that was sealed last, as JSON.
const POLICY: &str = "policy";
/// Note in the catalogue: the version of the policy role.
const POLICY_VERSION: &str = "policy-version";

/// Note in the catalogue: [`Fleet::change`] of the fleet that was sealed last.
const FLEET_CHANGE: &str = "fleet-change";

/// Notes how far the fleet is that is sealed.
pub(super) fn note_fleet_change(writer: &mut CatalogWriter<'_>, fleet: &Fleet) -> Result<()> {
    writer.set_note(FLEET_CHANGE, &fleet.change()?.to_string())?;
    Ok(())
}

/// Notes an older fleet that decides the same as the one that was sealed last.
pub(super) fn note_older_fleet(catalog: &mut Catalog, fleet: &Fleet) -> Result<()> {
    if is_older(catalog, fleet)? {
        let mut writer = catalog.write()?;
        note_fleet_change(&mut writer, fleet)?;
        writer.commit()?;
    }
    Ok(())
}

/// Whether the fleet came from a backup, and sealing it would take back what was decided since the
/// last seal.
pub(crate) fn takes_decisions_back(catalog: &Catalog, fleet: &Fleet) -> Result<bool> {
    if !is_older(catalog, fleet)? {
        return Ok(false);
    }
    Ok(catalog.note(POLICY)?.as_deref() != Some(json_of(&gather(fleet)?)?.as_str()))
}

fn is_older(catalog: &Catalog, fleet: &Fleet) -> Result<bool> {
    let sealed = catalog.note(FLEET_CHANGE)?.and_then(|change| change.parse::<u64>().ok());
    Ok(fleet.change()? < sealed.unwrap_or(0))
}

fn json_of(policy: &Policy) -> Result<String> {
    serde_json::to_string(policy)
        .map_err(|e| TransferError::refused_by("the policy cannot be written", e))
}

/// Notes a policy that differs from the last one; its version grows only then. Gives the version,
/// and whether the policy differs.
pub(super) fn note_policy(
    writer: &mut CatalogWriter<'_>,
    policy: &Policy,
) -> Result<(NonZeroU64, bool)> {
    let json = json_of(policy)?;
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
