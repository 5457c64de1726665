//! Receipts: a site says which snapshot it serves; the connected side records it.

use std::path::Path;

use bundle_format::{digest::Sha256, receipt::Receipt};
use serde::Serialize;
use serde_json::json;

use super::{Result, context::Context, error::OpsError};
pub use crate::transfer::{AcknowledgedSnapshot, KeyCheck, ReceiptAdded};
use crate::{
    durable,
    file_error::Doing as _,
    journal::{EntryKind, Journal},
    transfer::{self, TransferError},
};

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReceiptSummary {
    /// The receipt.
    #[serde(flatten)]
    pub receipt: Receipt,
    /// The fingerprint of the site's key in words, to compare by voice.
    pub fingerprint: String,
    /// The same in hexadecimal.
    pub fingerprint_hex: Sha256,
    /// Whether the key is known as that of the site; always so where the receipt is made.
    pub key_is_known: bool,
}

/// A receipt that was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReceiptOutcome {
    /// What it says.
    #[serde(flatten)]
    pub summary: ReceiptSummary,
    /// What became of it.
    #[serde(flatten)]
    pub added: ReceiptAdded,
}

/// Writes a receipt for the snapshot that this site serves.
///
/// # Errors
/// On a connected side, before the first import, when the journal was changed, or when a store or the
/// disk fails.
pub fn make(context: &Context<'_>, out: &Path) -> Result<ReceiptSummary> {
    let data = context.data_dir()?;
    let head = Journal::new(data.journal()).head()?;
    let (receipt, file) = transfer::make_receipt(&data, (head.number, head.sha256), context.now())?;
    let written = durable::write_in_place(out, &file).doing("write the receipt to", out);
    written.map_err(TransferError::from)?;
    context.journaled(EntryKind::Receipt, "receipt", Ok(summary(receipt, true)), |made| {
        let what = format!("a receipt was made for snapshot {}", made.receipt.snapshot);
        Some((what, json!({ "receipt": made.receipt, "sha256": Sha256::hash(&file) })))
    })
}

/// What a receipt says that is to be recorded, to be shown to a person first.
///
/// # Errors
/// On an isolated side, or when it cannot be read or its signature does not hold.
pub fn preview(context: &Context<'_>, path: &Path) -> Result<ReceiptSummary> {
    let found = transfer::inspect_receipt(&context.data_dir()?, path).map_err(OpsError::from);
    let found = found.map(|(receipt, is_known)| summary(receipt, is_known));
    context.journaled(EntryKind::Receipt, &asked(path), found, |_| None)
}

/// Records the receipt of a site.
///
/// # Errors
/// When it does not fit what was sealed here, is not of the site, or the disk fails.
pub fn add(context: &Context<'_>, path: &Path, check: &KeyCheck) -> Result<ReceiptOutcome> {
    let data = context.data_dir()?;
    let added = transfer::inspect_receipt(&data, path).and_then(|(receipt, _)| {
        let added = transfer::add_receipt(&data, path, check)?;
        Ok(ReceiptOutcome { summary: summary(receipt, true), added })
    });
    let outcome = context.journaled(
        EntryKind::Receipt,
        &asked(path),
        added.map_err(OpsError::from),
        |done| {
            let receipt = &done.summary.receipt;
            let what = format!("{} has acknowledged snapshot {}", receipt.site, receipt.snapshot);
            let details = json!({ "receipt": receipt, "key-pinned": done.added.key_pinned });
            (done.added.new || done.added.key_pinned).then_some((what, details))
        },
    )?;
    for warning in &outcome.added.warnings {
        context.observer().warn(warning);
    }
    Ok(outcome)
}

fn asked(path: &Path) -> String {
    format!("receipt add {}", path.display())
}

fn summary(receipt: Receipt, key_is_known: bool) -> ReceiptSummary {
    let fingerprint = receipt.fingerprint();
    ReceiptSummary {
        fingerprint: fingerprint.words(),
        fingerprint_hex: fingerprint.0,
        key_is_known,
        receipt,
    }
}
