//! `tidegate import`

use std::path::PathBuf;

use tidegate::{
    ops::import::{self, ImportOutcome, ImportReport, ImportRequest},
    transfer::PendingReport,
};

use super::{
    Context, Outcome,
    output::{count, human_bytes},
    policy, snapshots, status,
    volumes::{self, SHOWN, capped},
    waiting,
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
    let age: String = outcome.age.iter().map(status::age).collect();
    text(&outcome.report) + &age + &waiting::summary(&outcome.waiting)
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
    for change in &report.key_changes {
        let would = if report.dry_run { "Keys would change" } else { "Keys" };
        text.push_str(&format!("{would}: {change}.\n"));
    }
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
    text.extend(report.updates.iter().map(|changes| snapshots::changes(changes, SHOWN)));
    if !report.policy.is_empty() {
        let changes = count(report.policy.len() as u64, "change");
        text.push_str(&format!("Policy: {changes}\n{}", policy::lines(&report.policy, SHOWN)));
    }
    if report.policy_held {
        let would = if report.dry_run { "would be" } else { "is" };
        text.push_str(&format!(
            "The policy {would} held: nothing of that takes effect before `tidegate policy accept`.\n"
        ));
    }
    text.push_str(&incomplete(report));
    text
}

/// What snapshots lack, and what brings it.
fn incomplete(report: &ImportReport) -> String {
    let mut text: String = report.pending.iter().map(lacks).collect();
    if text.is_empty() {
        return text;
    }
    text.push_str(&capped(&report.missing_files, SHOWN, "file", |file| {
        let here = report.parts.iter().find(|parts| parts.payload == file.sha256);
        let here = here.map(|p| format!(", {} are here in parts", human_bytes(p.here)));
        volumes::file(file) + &here.unwrap_or_default()
    }));
    text.push_str(&volumes::never_brought(&report.never_brought));
    text.push_str(if report.dry_run {
        "It takes effect when other discs or bundles bring that.\n"
    } else {
        "It takes effect when other discs or bundles bring that. If they are lost: `tidegate needs --out FILE` here, and `tidegate export --needs FILE` on the connected side, bring exactly this.\n"
    });
    text
}

/// What a snapshot lacks.
fn lacks(pending: &PendingReport) -> String {
    let missing = &pending.missing;
    let bytes = missing.segments.iter().map(|s| s.size).fold(0, u64::saturating_add);
    let files = missing.payloads.iter().map(|(_, size)| *size).fold(0, u64::saturating_add);
    let mut lacks = Vec::new();
    if !missing.segments.is_empty() {
        let parts = count(missing.segments.len() as u64, "part");
        lacks.push(format!("{parts} of the catalogue ({})", human_bytes(bytes)));
    }
    if !missing.payloads.is_empty() {
        let named = count(missing.payloads.len() as u64, "file");
        lacks.push(format!("{named} ({})", human_bytes(files)));
    }
    format!("Snapshot {} is not complete. Missing: {}.\n", pending.snapshot, lacks.join(", "))
}
