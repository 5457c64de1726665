//! The root that bundles are checked against.

use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::{Result, context::Context, error::OpsError};
pub use crate::transfer::{TrustAdded, TrustOverview, TrustReplaced};
use crate::{journal::EntryKind, transfer};
pub use bundle_format::trust::{RootOrigin, RootRecord, RootRoles};

/// A root that is trusted from now on.
#[derive(Debug, Clone, Serialize)]
pub struct TrustOutcome {
    /// Whether that is new.
    pub trust: TrustAdded,
    /// The root.
    pub root: RootRoles,
}

/// Reads a root file, to show its fingerprint and keys; trusts nothing.
///
/// # Errors
/// When it cannot be read or is no valid root.
pub fn inspect(root: &Path) -> Result<RootRoles> {
    Ok(transfer::inspect_root(root)?)
}

/// The root that [`add`] would trust, to be shown to a person first.
///
/// # Errors
/// When there is no data folder, or as [`inspect`].
pub fn preview(context: &Context<'_>, root: &Path) -> Result<RootRoles> {
    context.data_dir()?;
    inspect(root)
}

/// Trusts a root from now on. Without the fingerprint that the connected side gave, the caller has
/// shown that of [`preview`] to a person who has compared it.
///
/// # Errors
/// When this is no isolated side, the fingerprint differs, another root is trusted, or the disk fails.
pub fn add(context: &Context<'_>, root: &Path, fingerprint: Option<&str>) -> Result<TrustOutcome> {
    let data = context.data_dir()?;
    let summary = transfer::inspect_root(root)?;
    let added = transfer::trust_add(&data, root, fingerprint).map_err(OpsError::from);
    let added = added.map(|trust| TrustOutcome { trust, root: summary });
    let asked = format!("trust add {}", root.display());
    context.journaled(EntryKind::Trust, &asked, added, |added| {
        let is_new = added.trust == TrustAdded::Added;
        is_new.then(|| ("a root is trusted".to_owned(), json!(added.root)))
    })
}

/// What is trusted now: the root, its keys, and the newest snapshot accepted.
///
/// # Errors
/// When this is no isolated side, nothing is trusted, or the record is damaged.
pub fn show(context: &Context<'_>) -> Result<TrustOverview> {
    Ok(transfer::trust_show(&context.data_dir()?)?)
}

/// What [`replace`] would do.
///
/// # Errors
/// As [`replace`].
pub fn preview_replace(
    context: &Context<'_>,
    root: &Path,
    fingerprint: &str,
) -> Result<TrustReplaced> {
    Ok(transfer::preview_replace(&context.data_dir()?, root, fingerprint)?)
}

/// Trusts a root in the place of one whose keys are lost. Catalogue, computers and approvals stay.
///
/// # Errors
/// When this is no isolated side, nothing was trusted, the fingerprint differs, or the disk fails.
pub fn replace(context: &Context<'_>, root: &Path, fingerprint: &str) -> Result<TrustReplaced> {
    let replaced = transfer::trust_replace(&context.data_dir()?, root, fingerprint);
    let asked = format!("trust replace {}", root.display());
    context.journaled(EntryKind::Trust, &asked, replaced.map_err(OpsError::from), |replaced| {
        Some(("the trusted root was replaced by hand".to_owned(), json!(replaced)))
    })
}
