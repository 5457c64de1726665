//! `tidegate snapshots`

use clap::Subcommand;
use tidegate::ops::snapshots::{self, DecisionChange, SnapshotDiff, SnapshotEntry, UpdateChanges};

use super::{
    Context, Outcome,
    output::{count, human_bytes, printable},
    status,
    volumes::{self, SHOWN, capped},
};

/// Snapshots that were sealed or taken in here, and how two of them differ.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List them
    List,
    /// What changed from one to the other: updates, files, decisions
    Diff {
        /// The older one
        #[arg(value_name = "A")]
        from: u64,
        /// The newer one
        #[arg(value_name = "B")]
        to: u64,
        /// List everything, not only the first ten of each kind
        #[arg(long)]
        all: bool,
    },
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        match self.command.unwrap_or(Command::List) {
            Command::List => {
                let entries = snapshots::list(&context.ops())?;
                if entries.is_empty() {
                    context.out.note("There is no snapshot here yet.");
                }
                context.out.data(&entries, || entries.iter().map(entry).collect())?;
                Ok(Outcome::Done)
            }
            Command::Diff { from, to, all } => {
                let diff = snapshots::diff(&context.ops(), from, to)?;
                let most = if all { usize::MAX } else { SHOWN };
                context.out.data(&diff, || text(&diff, most))?;
                Ok(Outcome::complete(diff.is_complete()))
            }
        }
    }
}

fn entry(entry: &SnapshotEntry) -> String {
    let mut text = status::snapshot(&entry.row, false);
    if let Some(expires) = entry.row.expires {
        text.push_str(&format!("    signatures expire {expires:.0}\n"));
    }
    if entry.segments_gone > 0 {
        text.push_str(&format!(
            "    {} of its {} of the catalogue are not here\n",
            entry.segments_gone,
            count(entry.segments, "part")
        ));
    }
    text
}

fn text(diff: &SnapshotDiff, most: usize) -> String {
    let mut text = format!("From snapshot {} to snapshot {}:\n", diff.from, diff.to);
    let changes = changes(&diff.updates, most);
    let decisions = decisions(&diff.decisions, most);
    if changes.is_empty() && decisions.is_empty() && diff.is_complete() {
        text.push_str("Nothing changed.\n");
    }
    text.push_str(&changes);
    text.push_str(&decisions);
    if diff.updates.unread_segments > 0 {
        text.push_str(&format!(
            "{} of these snapshots are gone from this side, and what they said is not in this list\n",
            count(diff.updates.unread_segments, "part")
        ));
    }
    if let Some(why) = &diff.decisions_unread {
        text.push_str(&format!("The decisions could not be compared: {}\n", printable(why)));
    }
    text
}

/// Updates and files that changed.
pub(super) fn changes(changes: &UpdateChanges, most: usize) -> String {
    let mut text = String::new();
    for (what, updates) in
        [("New", &changes.new), ("Revised", &changes.revised), ("Withdrawn", &changes.withdrawn)]
    {
        if updates.is_empty() {
            continue;
        }
        let (chosen, others): (Vec<_>, Vec<_>) =
            updates.iter().partition(|update| update.explicitly_deployable);
        text.push_str(&format!("{what}: {}", count(chosen.len() as u64, "update")));
        if !others.is_empty() {
            text.push_str(&format!(
                ", and {} that belong to updates (members, categories, detectoids)",
                others.len()
            ));
        }
        text.push('\n');
        text.push_str(&capped(&chosen, most, "update", |update| volumes::update(update)));
    }
    if changes.new_files > 0 {
        text.push_str(&format!(
            "New files: {} ({})\n",
            count(changes.new_files, "file"),
            human_bytes(changes.new_bytes)
        ));
    }
    text
}

fn decisions(decisions: &[DecisionChange], most: usize) -> String {
    if decisions.is_empty() {
        return String::new();
    }
    let head = format!("Decided: {}\n", count(decisions.len() as u64, "decision"));
    head + &capped(decisions, most, "decision", decision)
}

fn decision(change: &DecisionChange) -> String {
    let action =
        |action: &Option<String>| action.as_deref().map_or_else(|| "nothing".to_owned(), printable);
    let group = change.group.as_ref().map(|group| format!(" for {}", printable(group)));
    let deadline = change.deadline.map(|by| format!(", by {by:.0}")).unwrap_or_default();
    let rule = change.rule.as_ref().map(|rule| format!(", by the rule {}", printable(rule)));
    format!(
        "{} {}{}{deadline}{} (was {})",
        action(&change.is),
        volumes::update(&change.named),
        group.unwrap_or_default(),
        rule.unwrap_or_default(),
        action(&change.was)
    )
}
