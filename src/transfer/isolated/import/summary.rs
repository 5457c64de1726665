//! What an import says when all phases are done.

use bundle_format::{
    needs::MissingPayload,
    trust::{SealSummary, inspect_for_signing},
};

use super::{
    commit::Committed,
    context::ImportContext,
    names::ImportNames,
    report::{ImportReport, PartsReport, PendingReport, VolumeReport},
    settled::Settled,
};
use crate::{
    error_chain::chain,
    transfer::{
        error::TransferError,
        isolated::intake::stage::Stage,
        store::heads,
        volume::{read::Volume, segment_diff::UpdateChanges},
    },
};

/// Who signed the snapshot that is served before the import, as far as that can be read.
pub(super) fn served_before(
    context: &ImportContext<'_>,
    in_force: Option<u64>,
) -> Option<SealSummary> {
    let head = heads::load(context.data, in_force?).ok()?;
    inspect_for_signing(&head, &context.options.limits).ok()
}

/// Makes the report of what the phases have done.
pub(super) fn summarize(
    context: &ImportContext<'_>,
    served_before: Option<&SealSummary>,
    committed: Committed,
    settled: Settled,
) -> ImportReport {
    let in_force = committed.in_force();
    let mut names = Names::default();
    if let Err(e) = names.find(context, &committed) {
        names
            .warnings
            .push(format!("the names of what came or is missing cannot be read: {}", chain(&e)));
    }
    let Committed { taken, switched, pending, warnings } = committed;
    let counts = taken.stage.counts;
    let mut all_warnings = distinct_warnings(&taken.checked.volumes);
    all_warnings.extend(taken.warnings);
    all_warnings.extend(warnings);
    all_warnings.extend(settled.warnings);
    all_warnings.extend(names.warnings);
    let key_changes = served_before
        .zip(switched.as_ref())
        .and_then(|(before, switched)| before.policy_key_change(&switched.verified))
        .into_iter()
        .collect();
    let switched = switched.map(|switched| switched.changes);
    ImportReport {
        dry_run: context.options.dry_run,
        volumes: taken.checked.volumes.iter().map(describe_volume).collect(),
        before: taken.checked.site.in_force,
        in_force,
        switched,
        new_objects: counts.new,
        new_bytes: counts.new_bytes,
        held_objects: counts.held,
        skipped_objects: counts.skipped,
        parts: list_parts(&taken.stage, &pending),
        pending,
        missing_files: names.missing_files,
        never_brought: names.never_brought,
        updates: names.updates,
        policy: settled.policy,
        policy_held: settled.policy_held,
        key_changes,
        warnings: all_warnings,
    }
}

/// What has names.
#[derive(Default)]
struct Names {
    missing_files: Vec<MissingPayload>,
    never_brought: Vec<(u64, u64)>,
    updates: Option<UpdateChanges>,
    warnings: Vec<String>,
}

impl Names {
    /// Finds the names, as far as they can be found: the import has done its work by then.
    fn find(
        &mut self,
        context: &ImportContext<'_>,
        committed: &Committed,
    ) -> Result<(), TransferError> {
        let Some(names) = ImportNames::new(context, committed) else { return Ok(()) };
        self.never_brought = names.never_brought();
        if let Some(switched) = &committed.switched {
            self.updates = Some(names.changes(switched)?);
        }
        self.missing_files = names.missing_files()?;
        Ok(())
    }
}

impl ImportReport {
    /// Adds what finishing an earlier import has done, which came before.
    pub(super) fn add_finished(&mut self, finished: Settled) {
        self.policy.splice(0..0, finished.policy);
        self.policy_held |= finished.policy_held;
        self.warnings.splice(0..0, finished.warnings);
    }
}

fn describe_volume(volume: &Volume) -> VolumeReport {
    VolumeReport {
        path: volume.path.clone(),
        snapshot: volume.verified.index.snapshot,
        freshness: volume.verified.freshness,
        signers: volume.verified.signers.clone(),
        signed_by: volume.verified.signed_by(),
    }
}

/// The warnings of the heads, each once: the volumes of a set have the same head.
fn distinct_warnings(volumes: &[Volume]) -> Vec<String> {
    let mut warnings: Vec<String> = Vec::new();
    for warning in volumes.iter().flat_map(|volume| &volume.verified.warnings) {
        if !warnings.contains(warning) {
            warnings.push(warning.clone());
        }
    }
    warnings
}

/// The missing payloads of which parts are here.
fn list_parts(stage: &Stage, pending: &[PendingReport]) -> Vec<PartsReport> {
    let mut parts: Vec<PartsReport> = Vec::new();
    for (payload, size) in pending.iter().flat_map(|pending| &pending.missing.payloads) {
        let here = stage.bytes_in_parts(payload);
        if here > 0 && !parts.iter().any(|parts| parts.payload == *payload) {
            parts.push(PartsReport { payload: *payload, here, size: *size });
        }
    }
    parts
}
