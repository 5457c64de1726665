//! What an import did, for people.

use tidegate::{
    ops::import::{ImportOutcome, ImportReport},
    transfer::PendingReport,
};

use super::{
    output::{count, human_bytes},
    policy, snapshots, status,
    volumes::{self, SHOWN, capped},
    waiting,
};

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
