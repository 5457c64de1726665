//! What is approved and not offered, in words.

use tidegate::{
    catalog::RevisionSummary,
    ops::waiting::{ReasonSummary, WaitingReason, WaitingSummary},
};

use super::output::{count, printable};

/// Lines for `status` and outcomes; empty if nothing waits.
pub(super) fn summary(waiting: &WaitingSummary) -> String {
    if waiting.updates == 0 {
        return String::new();
    }
    let updates = count(waiting.updates, "approved update");
    let mut text = format!("Not offered: {updates} (`tidegate approve --list` names all)\n");
    text.extend(waiting.reasons.iter().map(reason));
    text
}

/// One line that says how much waits, and which command says why; empty if nothing waits.
pub(super) fn count_line(waiting: &WaitingSummary) -> String {
    if waiting.updates == 0 {
        return String::new();
    }
    let updates = count(waiting.updates, "approved update");
    format!("Not offered as things stand: {updates}; `tidegate approve --list` says why.\n")
}

fn reason(summary: &ReasonSummary) -> String {
    let titles: Vec<String> =
        summary.examples.iter().map(|named| printable(&named.title)).collect();
    let more = summary.updates.saturating_sub(titles.len() as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("  {} ({}): {}{more}\n", cause(summary.reason), summary.updates, titles.join(", "))
}

/// What the name of a reason means.
fn cause(reason: &str) -> &str {
    match reason {
        "missing-file" => "files are missing",
        "not-carried" => "files are not carried, by choice",
        "language" => "files are for languages that are not carried",
        "contradicting-digest" => "documents contradict the files that are here",
        "licence-not-accepted" => "the licence is not accepted",
        "superseded-ring" => "the updates supersede each other",
        "unfit-clause" => "a requirement of the document never holds",
        "prerequisite-not-here" => "required updates are not in the catalogue",
        "expired" => "the publisher has withdrawn the update",
        "declined" => "the update is declined",
        "not-in-catalogue" => "the update is not in the catalogue",
        "not-installable" => "a category or a detectoid cannot be installed",
        other => other,
    }
}

/// A line about a revision that the mirror leaves out of its snapshots; nothing of another.
pub(super) fn left_out(revision: &RevisionSummary) -> String {
    let Some(why) = &revision.left_out else { return String::new() };
    format!(
        "    left out of snapshots: \"{}\" ({}) {}\n",
        printable(&revision.title),
        revision.identity,
        printable(why)
    )
}

/// A line for each reason of one update.
pub(super) fn reasons(reasons: &[WaitingReason]) -> String {
    reasons.iter().map(|reason| format!("    not offered: {}\n", sentence(reason))).collect()
}

fn sentence(reason: &WaitingReason) -> String {
    let list =
        |names: &[String]| names.iter().map(|name| printable(name)).collect::<Vec<_>>().join(", ");
    match reason {
        WaitingReason::MissingFile { files } => format!("files are missing: {}", list(files)),
        WaitingReason::NotCarried { files } => {
            format!("files are not carried, by choice: {}", list(files))
        }
        WaitingReason::Language { languages } => {
            format!("the files are for languages that are not carried: {}", list(languages))
        }
        WaitingReason::ContradictingDigest { files } => format!(
            "the document names another SHA-256 or size than the files that are here have: {}",
            list(files)
        ),
        WaitingReason::LicenceNotAccepted { licence } => format!(
            "the licence {} is not accepted: approve the update again with --accept-eula",
            printable(licence)
        ),
        WaitingReason::SupersededRing { updates } => {
            let updates: Vec<String> = updates.iter().map(ToString::to_string).collect();
            format!(
                "these approved updates supersede each other, and agents take none of them: {}",
                updates.join(", ")
            )
        }
        WaitingReason::UnfitClause => {
            "the document requires one of no updates, which never holds".to_owned()
        }
        WaitingReason::PrerequisiteNotHere { updates } => {
            let updates: Vec<String> = updates.iter().map(ToString::to_string).collect();
            format!("the catalogue has none of the required updates {}", updates.join(", "))
        }
        WaitingReason::Expired => "the publisher has withdrawn the update".to_owned(),
        WaitingReason::Declined => "the update is declined".to_owned(),
        WaitingReason::NotInCatalogue => "the update is not in the catalogue".to_owned(),
        WaitingReason::NotInstallable => "a category or a detectoid cannot be installed".to_owned(),
    }
}
