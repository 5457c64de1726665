//! `tidegate inspect`

use std::collections::BTreeMap;

use tidegate::ops::{
    inspect::{self, InspectReport, InspectedApproval, InspectedFile, InspectedUpdate},
    verify::VerifiedVolume,
};

use super::{
    Context, Outcome,
    output::{count, human_bytes, printable},
    verify::{Check, outcome},
    volumes::{self, SHOWN, capped},
};

/// Look at what is in a bundle before anything is taken in: which snapshot and who signed it, updates,
/// files, approvals. Checks it first, reads each disc once, writes nothing.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    check: Check,
    /// List everything, not only the first ten of each kind
    #[arg(long)]
    all: bool,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let report = inspect::inspect(&context.ops(), &self.check.request(context))?;
        let most = if self.all { usize::MAX } else { SHOWN };
        context.out.data(&report, || text(&report, most))?;
        outcome(&report.verified)
    }
}

fn text(report: &InspectReport, most: usize) -> String {
    let verified = &report.verified;
    let mut text = snapshots(&verified.volumes);
    text.push_str(&discs(&verified.volumes, most));
    text.push_str(&volumes::refused(&verified.refused));
    text.push_str(&volumes::sets(verified));
    text.push_str(&updates(report, most));
    text.push_str(&files(&report.files, most));
    text.push_str(&policy(report, most));
    text.extend(verified.lacking.iter().map(volumes::lacking));
    text
}

/// The snapshots of the volumes, each once.
fn snapshots(all: &[VerifiedVolume]) -> String {
    let snapshots: BTreeMap<u64, &VerifiedVolume> =
        all.iter().map(|volume| (volume.snapshot, volume)).collect();
    let mut text = String::new();
    for (number, volume) in snapshots {
        text.push_str(&format!(
            "Snapshot {number} of mirror {}, for {}\n  sealed {:.0}, signatures expire {:.0}\n",
            volume.mirror_id,
            volume.sites.join(", "),
            volume.created,
            volume.expires
        ));
        for (role, signers) in &volume.signers {
            // The beginning of a key id tells it apart from others.
            let short = |id: &String| id.chars().take(16).collect::<String>();
            let signers: Vec<String> = signers.iter().map(short).collect();
            text.push_str(&format!("  {role} signed by {}\n", signers.join(", ")));
        }
    }
    text
}

fn discs(all: &[VerifiedVolume], most: usize) -> String {
    let line = |volume: &VerifiedVolume| {
        format!(
            "{}: good, {} of the catalogue, {}{} ({})",
            volumes::volume_name(volume),
            count(volume.segments_here, "part"),
            count(volume.payloads_here, "file"),
            if volume.parts_here > 0 {
                format!(" and {} of larger ones", count(volume.parts_here, "piece"))
            } else {
                String::new()
            },
            human_bytes(volume.bytes)
        )
    };
    format!("{}:\n{}", count(all.len() as u64, "disc"), capped(all, most, "disc", line))
}

fn updates(report: &InspectReport, most: usize) -> String {
    let (chosen, others): (Vec<&InspectedUpdate>, Vec<_>) =
        report.updates.iter().partition(|update| update.named.explicitly_deployable);
    let mut text = format!(
        "Updates: {}, and {} that belong to them (members, categories, detectoids)\n",
        count(chosen.len() as u64, "update"),
        others.len()
    );
    text.push_str(&capped(&chosen, most, "update", |update| {
        let known = if update.known == Some(true) { ", known here already" } else { "" };
        format!("{} ({}{known})", volumes::update(&update.named), human_bytes(update.size))
    }));
    if !report.withdrawn.is_empty() {
        let withdrawn = count(report.withdrawn.len() as u64, "update");
        text.push_str(&format!("Withdrawn: {withdrawn}\n"));
        text.push_str(&capped(&report.withdrawn, most, "update", volumes::update));
    }
    if report.unread_documents > 0 {
        text.push_str(&format!(
            "{} of the catalogue could not be looked at, because the temporary folder is full: make room there, or set TMPDIR\n",
            count(report.unread_documents, "part")
        ));
    }
    text
}

fn files(files: &[InspectedFile], most: usize) -> String {
    let bytes = files.iter().map(|file| file.here).fold(0, u64::saturating_add);
    let line = |file: &InspectedFile| {
        let discs: Vec<String> = file.volumes.iter().map(u32::to_string).collect();
        let part = if file.here < file.named.size {
            format!(", {} of it here", human_bytes(file.here))
        } else {
            String::new()
        };
        format!("{}, on disc {}{part}", volumes::file(&file.named), discs.join(", "))
    };
    let head = format!("Files: {} ({})\n", count(files.len() as u64, "file"), human_bytes(bytes));
    head + &capped(files, most, "file", line)
}

fn policy(report: &InspectReport, most: usize) -> String {
    let policy = &report.policy;
    let mut text = format!(
        "Policy: {}, {}, {}\n",
        count(policy.approvals.len() as u64, "approval"),
        count(policy.declined.len() as u64, "decline"),
        count(policy.groups.len() as u64, "group")
    );
    text.push_str(&capped(&policy.approvals, most, "approval", approval));
    text.push_str(&capped(&policy.declined, most, "decline", |update| {
        format!("decline {}", volumes::update(update))
    }));
    if !policy.groups.is_empty() {
        let groups: Vec<String> =
            policy.groups.iter().take(most).map(|group| printable(group)).collect();
        text.push_str(&format!("  groups: {}\n", groups.join(", ")));
    }
    text
}

fn approval(approval: &InspectedApproval) -> String {
    let InspectedApproval { named, group, action, deadline, rule } = approval;
    let deadline = deadline.map(|deadline| format!(", by {deadline:.0}")).unwrap_or_default();
    let by = match rule {
        Some(rule) => format!("by the rule {}", printable(rule)),
        None => "by a person".to_owned(),
    };
    format!(
        "{} {} for {}{deadline}, {by}",
        printable(action),
        volumes::update(named),
        printable(group)
    )
}
