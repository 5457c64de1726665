//! `tidegate import`

use std::path::PathBuf;

use tidegate::{
    ops::import::{self, ImportOutcome, ImportReport, ImportRequest},
    transfer::{PartsReport, PendingReport},
};

use super::{
    Context, Outcome,
    output::{count, human_bytes},
    policy, waiting,
    watch::{self, WatchArgs},
};
use crate::config::OnArrival;

/// Check a bundle and take it in. Killed anywhere, it can be run again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Volumes, or folders of them; `-` for volumes on the standard input, one behind the other
    #[arg(value_name = "BUNDLE", required_unless_present = "watch")]
    bundles: Vec<PathBuf>,
    /// Check everything and show what would change
    #[arg(long)]
    dry_run: bool,
    /// Refuse expired signatures instead of warning
    #[arg(long)]
    refuse_expired: bool,
    /// Let approvals and declines that come with the bundle wait for `tidegate policy accept`
    #[arg(long, conflicts_with = "apply_policy")]
    hold_policy: bool,
    /// Let them take effect at once, whatever the configuration says
    #[arg(long)]
    apply_policy: bool,
    /// Fill gaps from the bundle of this snapshot, although its keys were replaced since; it never
    /// takes effect itself. Only for a disc that was sealed before the keys were replaced
    #[arg(long, value_name = "SNAPSHOT")]
    replaced_keys: Option<u64>,
    #[command(flatten)]
    watch: WatchArgs,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let config = &context.config.import;
        let request = ImportRequest {
            bundles: self.bundles,
            dry_run: self.dry_run,
            replaced_keys: self.replaced_keys,
            refuse_expired: self.refuse_expired || config.refuse_expired,
            hold_policy: self.hold_policy
                || (config.policy == OnArrival::Hold && !self.apply_policy),
        };
        if let Some(folder) = self.watch.watch {
            return watch::run(context, folder, self.watch.every, request);
        }
        let outcome = import::import(&context.ops(), &request)?;
        context.out.data(&outcome, || outcome_text(&outcome))?;
        Ok(Outcome::complete(outcome.is_complete()))
    }
}

/// What an import did, for people.
pub(super) fn outcome_text(outcome: &ImportOutcome) -> String {
    text(&outcome.report) + &waiting::summary(&outcome.waiting)
}

fn text(report: &ImportReport) -> String {
    let would = if report.dry_run { "Would take in" } else { "Took in" };
    let mut text = if report.is_unchanged() {
        match report.skipped_objects {
            0 => "Nothing new: all of it is here already.\n".to_owned(),
            skipped => format!(
                "Nothing was taken in: {} here already, {} that nothing here asks for.\n",
                count(report.held_objects, "object"),
                count(skipped, "object")
            ),
        }
    } else {
        format!(
            "{would} {} ({}); {} were here already.\n",
            count(report.new_objects, "object"),
            human_bytes(report.new_bytes),
            report.held_objects
        )
    };
    match (report.in_force, &report.switched) {
        (Some(number), Some(changes)) => text.push_str(&format!(
            "Snapshot {number} {}: {} added, {} withdrawn, {} removed.\n",
            if report.dry_run { "would be in force" } else { "is in force" },
            count(changes.revisions_added, "revision"),
            changes.revisions_withdrawn,
            changes.revisions_removed
        )),
        (Some(number), None) => text.push_str(&format!("Snapshot {number} stays in force.\n")),
        (None, _) => text.push_str("No snapshot is in force yet.\n"),
    }
    for change in &report.policy {
        text.push_str(&format!("Policy: {}", policy::line(change)));
    }
    if report.policy_held {
        let would = if report.dry_run { "would be" } else { "is" };
        text.push_str(&format!(
            "The policy {would} held: nothing of that takes effect before `tidegate policy accept`.\n"
        ));
    }
    for pending in &report.pending {
        text.push_str(&incomplete(pending, &report.parts));
    }
    text
}

/// What a snapshot lacks.
fn incomplete(pending: &PendingReport, parts: &[PartsReport]) -> String {
    let missing = &pending.missing;
    let bytes = missing.segments.iter().map(|s| s.size).sum::<u64>()
        + missing.payloads.iter().map(|(_, size)| size).sum::<u64>();
    let mut text = format!(
        "Snapshot {} is not complete: {} and {} are missing ({}). It takes effect when another bundle brings them:\n",
        pending.snapshot,
        count(missing.segments.len() as u64, "segment"),
        count(missing.payloads.len() as u64, "payload"),
        human_bytes(bytes),
    );
    for segment in &missing.segments {
        text.push_str(&format!("  segment {}\n", segment.sha256));
    }
    for (payload, size) in &missing.payloads {
        let here = parts.iter().find(|parts| parts.payload == *payload);
        let here = here.map(|p| format!(", {} are here in parts", human_bytes(p.here)));
        let here = here.unwrap_or_default();
        text.push_str(&format!("  payload {payload} ({}{here})\n", human_bytes(*size)));
    }
    text
}
