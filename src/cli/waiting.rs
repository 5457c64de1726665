//! What is approved and not offered, in words.

use tidegate::{
    catalog::RevisionSummary,
    ops::waiting::{NamedUpdate, ReasonDetails, ReasonSummary, WaitingReason, WaitingSummary},
};

use super::output::{count, printable, titled};

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
    let titles: Vec<String> = summary.examples.iter().map(|named| titled(&named.title)).collect();
    let more = summary.updates.saturating_sub(titles.len() as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!(
        "  {} ({}): {}{more}\n    {}\n",
        cause(summary.reason),
        summary.updates,
        titles.join(", "),
        summary.advice
    )
}

/// What a reason means.
fn cause(reason: WaitingReason) -> &'static str {
    match reason {
        WaitingReason::MissingFile => "files are missing",
        WaitingReason::NotCarried => "files are not carried, by choice",
        WaitingReason::Language => "the files are for languages that are not carried",
        WaitingReason::ContradictingDigest => {
            "the document names another size or SHA-256 than the files that are here have"
        }
        WaitingReason::LicenceNotAccepted => "the licence is not accepted",
        WaitingReason::SupersededRing => {
            "approved updates supersede each other, and agents take none of them"
        }
        WaitingReason::UnfitClause => "the document requires one of no updates, which never holds",
        WaitingReason::PrerequisiteNotHere => "the catalogue has none of the required updates",
        WaitingReason::MemberNotHere => "updates that it consists of are not in the catalogue",
        WaitingReason::UnreadableDocument => "agents cannot be given its document",
        WaitingReason::Expired => "the publisher has withdrawn the update",
        WaitingReason::Declined => "the update is declined",
        WaitingReason::NotInCatalogue => "the update is not in the catalogue",
        WaitingReason::NotInstallable => "a category or a detectoid cannot be installed",
    }
}

/// A line with what is wrong with a revision that the mirror leaves out of its snapshots; none of another.
pub(super) fn left_out(revision: &RevisionSummary) -> String {
    let Some(why) = &revision.left_out else { return String::new() };
    format!("    \"{}\" ({}) {}\n", titled(&revision.title), revision.identity, printable(why))
}

/// A line for each reason of one update.
pub(super) fn reasons(reasons: &[ReasonDetails]) -> String {
    let line = |reason| format!("    not offered: {}\n", sentence(reason));
    reasons.iter().map(line).collect()
}

fn sentence(details: &ReasonDetails) -> String {
    let ReasonDetails { reason, files, languages, updates, licence: _, what, advice } = details;
    let about: Vec<String> = files
        .iter()
        .chain(languages)
        .chain(what)
        .map(|name| printable(name))
        .chain(updates.iter().map(named))
        .collect();
    let mut sentence = cause(*reason).to_owned();
    if !about.is_empty() {
        sentence = format!("{sentence}: {}", about.join(", "));
    }
    if let Some(advice) = advice {
        sentence = format!("{sentence}; {advice}");
    }
    sentence
}

/// An update by its title, and its id where that is not all that is known.
pub(super) fn named(update: &NamedUpdate) -> String {
    let (id, title) = (update.update.to_string(), titled(&update.title));
    if id == title { id } else { format!("\"{title}\" ({id})") }
}
