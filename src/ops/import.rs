//! Check a bundle and take it in.

use std::{collections::HashMap, path::PathBuf};

use serde::Serialize;
use serde_json::json;

use super::{
    Result,
    age::{SnapshotAge, snapshot_age},
    context::Context,
    error::OpsError,
    policy,
    progress::TransferPhases,
    waiting::{self, WaitingSummary},
    wording::listed,
};
pub use crate::transfer::ImportReport;
use crate::{
    journal::EntryKind,
    transfer::{self, ImportOptions, UpdateSummary},
    update::UpdateId,
};

/// What to take in, and how.
#[derive(Debug, Clone, Default)]
pub struct ImportRequest {
    /// Volumes, or folders of them.
    pub bundles: Vec<PathBuf>,
    /// Check everything and say what would change, but change nothing.
    pub dry_run: bool,
    /// Refuse expired signatures instead of warning.
    pub refuse_expired: bool,
    /// Let approvals and declines that come with the bundle wait for a person.
    pub hold_policy: bool,
    /// Fill gaps from the bundle of this snapshot, although keys that were replaced since signed it.
    pub replaced_keys: Option<u64>,
}

/// What an import did, or would do.
#[derive(Debug, Clone, Serialize)]
pub struct ImportOutcome {
    /// Anything is different from before.
    pub changed: bool,
    /// What was taken in, what is missing.
    #[serde(flatten)]
    pub report: ImportReport,
    /// The age of the snapshot that is served now; not looked for by a dry run.
    pub age: Option<SnapshotAge>,
    /// Approved updates that are not offered now, and why; not looked for by a dry run.
    pub waiting: WaitingSummary,
}

impl ImportOutcome {
    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.report.is_complete()
    }
}

/// Checks a bundle and takes it in. Killed anywhere, it can be run again.
///
/// # Errors
/// When the bundle is refused (nothing is changed then), another run is at work, or a store fails.
pub fn import(context: &Context<'_>, request: &ImportRequest) -> Result<ImportOutcome> {
    let data = context.data_dir()?;
    let options = ImportOptions {
        dry_run: request.dry_run,
        refuse_expired: request.refuse_expired,
        hold_policy: request.hold_policy,
        replaced_keys: request.replaced_keys,
        documents: context.limits(),
        ..ImportOptions::new(context.now())
    };
    let phases = TransferPhases::new(context.observer());
    let report = transfer::import(&data, &request.bundles, &options, &phases);
    drop(phases);
    let report = report.map_err(OpsError::from);
    let mut report = if request.dry_run { report } else { journaled(context, request, report) }?;
    for warning in &report.warnings {
        context.observer().warn(warning);
    }
    name_policy(context, &mut report)?;
    let (age, waiting) = if request.dry_run {
        // Looking must not make a fleet.
        (None, WaitingSummary::default())
    } else {
        let (mut catalog, fleet) = context.catalog_and_fleet_to_change()?;
        transfer::restore_needed(&mut catalog, &fleet)?;
        let age = snapshot_age(&data, &catalog, context.now())?;
        (age, waiting::summary(context, &catalog, &fleet)?)
    };
    Ok(ImportOutcome { changed: !report.is_unchanged(), report, age, waiting })
}

/// Gives the updates of policy changes their titles: from the catalogue, else, in a dry run, from what
/// would come.
fn name_policy(context: &Context<'_>, report: &mut ImportReport) -> Result<()> {
    policy::name_changes(context, &mut report.policy)?;
    let Some(updates) = &report.updates else { return Ok(()) };
    let coming = updates.new.iter().chain(&updates.revised);
    let coming: HashMap<UpdateId, &UpdateSummary> =
        coming.map(|update| (update.update, update)).collect();
    for change in report.policy.iter_mut().filter(|change| change.title.is_none()) {
        if let Some(update) = change.update.and_then(|update| coming.get(&update)) {
            (change.title, change.kb) = (Some(update.title.clone()), update.kb.clone());
        }
    }
    Ok(())
}

/// Enters what was taken in, also if nothing was new: that it came again. Or why it was refused.
fn journaled(
    context: &Context<'_>,
    request: &ImportRequest,
    report: Result<ImportReport>,
) -> Result<ImportReport> {
    let names: Vec<String> =
        request.bundles.iter().map(|path| path.display().to_string()).collect();
    let asked = format!("import of {}", names.join(", "));
    context.journaled(EntryKind::Import, &asked, report, |report| {
        let what = match (report.in_force, report.before) {
            (Some(now), before) if report.switched.is_none() && before.is_some() => {
                format!("{asked}: snapshot {now} is served as before")
            }
            (Some(now), Some(before)) => {
                format!("{asked}: snapshot {now} is served instead of {before}")
            }
            (Some(now), None) => format!("{asked}: snapshot {now} is served, the first one"),
            (None, _) => format!("{asked}: nothing is served yet"),
        };
        let details = json!({
            "snapshot-before": report.before,
            "snapshot-in-force": report.in_force,
            "volumes": listed(&report.volumes),
            "new-objects": report.new_objects,
            "new-bytes": report.new_bytes,
            "pending": report.pending.iter().map(|one| one.snapshot).collect::<Vec<_>>(),
            "decisions": report.policy.len(),
            "policy-held": report.policy_held,
            "warnings": listed(&report.warnings),
        });
        Some((what, details))
    })
}
