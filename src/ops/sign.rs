//! Countersign the newest snapshot.

use std::path::Path;

use bundle_format::trust::SealSummary;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{Result, context::Context, error::OpsError};
use crate::{journal::EntryKind, transfer};

/// The newest snapshot, and its signatures. More is in it for people who are about to sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignOutcome {
    /// Its number.
    pub snapshot: u64,
    /// How many signatures it has.
    pub signatures: u64,
    /// How many it needs.
    pub needed: u64,
    /// The mirror.
    #[serde(skip)]
    pub mirror_id: Uuid,
    /// When it was sealed.
    #[serde(skip)]
    pub created: Timestamp,
    /// The sites that it is for.
    #[serde(skip)]
    pub sites: Vec<String>,
    /// How many segments it has.
    #[serde(skip)]
    pub segments: u64,
}

/// The snapshot that would be signed.
///
/// # Errors
/// When nothing is sealed yet, or what is sealed cannot be read.
pub fn inspect(context: &Context<'_>) -> Result<SignOutcome> {
    Ok(outcome(transfer::inspect_for_signing(&context.data_dir()?)?))
}

/// Adds the signature of a second person.
///
/// # Errors
/// When the key does not open, may not sign or has done so, or the disk fails.
pub fn countersign(
    context: &Context<'_>,
    key: &Path,
    passphrase: Option<&str>,
) -> Result<SignOutcome> {
    let signed = transfer::countersign(&context.data_dir()?, key, passphrase).map(outcome);
    let asked = format!("sign with {}", key.display());
    context.journaled(EntryKind::Sign, &asked, signed.map_err(OpsError::from), |signed| {
        Some((format!("snapshot {} was countersigned", signed.snapshot), json!(signed)))
    })
}

fn outcome(summary: SealSummary) -> SignOutcome {
    let SealSummary { index, signatures: (signatures, needed), .. } = summary;
    SignOutcome {
        snapshot: index.snapshot,
        signatures,
        needed,
        mirror_id: index.mirror_id,
        created: index.created,
        segments: index.segments.len() as u64,
        sites: index.sites,
    }
}
