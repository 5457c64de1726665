//! Finishing an import that ended after the switch: the trust state and the policy of the snapshot in
//! force follow, before anything else is done with the data folder.

use jiff::Timestamp;

use super::{
    context::ImportContext,
    options::ImportOptions,
    settled::{ServedSnapshot, Settled, follow},
};
use crate::{
    catalog::Catalog,
    data_dir::{DataDir, Side},
    error_chain::chain,
    transfer::{
        error::{Blame, TransferError},
        store::trust,
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// The snapshot in force, if its import ended before its policy was applied or held.
///
/// # Errors
/// When the catalogue cannot be read.
pub fn unfinished_import(data: &DataDir) -> Result<Option<u64>> {
    let path = data.catalog();
    if !matches!(data.side(), Side::Isolated { .. }) || !path.exists() {
        return Ok(None);
    }
    let catalog = match Catalog::open(&path) {
        Err(error) if error.is_unwritable() => Catalog::open_read_only(&path)?,
        opened => opened?,
    };
    Ok(catalog.awaits_policy()?)
}

/// Finishes an import that ended before its policy was applied or held. Gives what a person should
/// know; nothing when there is nothing to finish.
///
/// # Errors
/// When another run is at work, the stored signatures of the snapshot do not hold, or a store fails.
pub fn finish_import(data: &DataDir, now: Timestamp) -> Result<Vec<String>> {
    if unfinished_import(data)?.is_none() {
        return Ok(Vec::new());
    }
    let Side::Isolated { site } = data.side() else { return Ok(Vec::new()) };
    let _lock = trust::lock(data)?;
    let trust = trust::load_state(data)?;
    let options = ImportOptions::new(now);
    let context = ImportContext { data, site, options: &options, trust: &trust, progress: &() };
    // Another import may have finished it before the lock was free.
    let Some(snapshot) = unfinished_import(data)? else { return Ok(Vec::new()) };
    Ok(finish(&context, snapshot)?.warnings)
}

/// As [`finish_import`], within an import, which may bring what makes good a snapshot that cannot be
/// finished.
pub(super) fn finish_before(context: &ImportContext<'_>) -> Result<Settled> {
    let Some(snapshot) = unfinished_import(context.data)? else { return Ok(Settled::default()) };
    if context.options.dry_run {
        return Ok(Settled::default());
    }
    match finish(context, snapshot) {
        Err(e) if e.blame() == Blame::Refused => {
            let mut settled = Settled::default();
            settled.warnings.push(format!(
                "an earlier import of snapshot {snapshot} cannot be finished ({}). Only a newer snapshot takes its place",
                chain(&e)
            ));
            Ok(settled)
        }
        settled => settled,
    }
}

fn finish(context: &ImportContext<'_>, snapshot: u64) -> Result<Settled> {
    let mut catalog = Catalog::open(&context.data.catalog())?;
    let trusted = context.trust.snapshot();
    let in_force = ServedSnapshot { number: snapshot, trusted, switched: None };
    let mut settled = follow(context, &mut catalog, &in_force)?;
    settled.warnings.insert(
        0,
        format!("an earlier import of snapshot {snapshot} had not ended: it is finished now"),
    );
    Ok(settled)
}
