//! Which computers or servers are removed together, and the question before it.

use std::io::{self, BufRead as _, IsTerminal as _};

use tidegate::ops::{
    removal::{RemovalFilter, RemovalOutcome, RemovedEntry},
    rules::Period,
};

use super::{Context, exit, output::printable};

/// Which of them go together.
#[derive(Debug, clap::Args)]
pub(super) struct Removal {
    /// All that were not seen for so long: 36h, 7d or 2w
    #[arg(long, value_name = "PERIOD")]
    not_seen: Option<Period>,
    /// All that never reported anything
    #[arg(long)]
    never_reported: bool,
    /// Only show what would go
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// What is to be done with those that were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing.
    Keep,
    /// They go.
    Remove,
}

impl Removal {
    /// The filter, if there is one; with a name there must be none.
    pub(super) fn filter(&self, name: Option<&str>) -> anyhow::Result<Option<RemovalFilter>> {
        let Self { not_seen, never_reported, .. } = *self;
        match (name, not_seen.is_some() || never_reported) {
            (Some(_), false) => Ok(None),
            (None, true) => Ok(Some(RemovalFilter { not_seen, never_reported })),
            (Some(_), true) => {
                Err(exit::usage("give a name, or --not-seen and --never-reported, not both"))
            }
            (None, false) => {
                Err(exit::usage("name one, or say which: --not-seen 30d, --never-reported"))
            }
        }
    }

    /// Whether those that were shown are to go: asks, unless that was answered before.
    pub(super) fn ask(&self, context: &Context, what: &str) -> anyhow::Result<Answer> {
        if self.dry_run {
            return Ok(Answer::Keep);
        }
        if self.yes {
            return Ok(Answer::Remove);
        }
        if !io::stdin().is_terminal() {
            return Err(exit::usage(
                "nobody is here to ask: look with --dry-run at what would go, then give --yes",
            ));
        }
        context.out.note(&format!("Remove {what}? Type yes:"));
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        let yes = answer.trim().eq_ignore_ascii_case("yes");
        Ok(if yes { Answer::Remove } else { Answer::Keep })
    }
}

/// Those that fit, one in a line.
pub(super) fn removed_lines(outcome: &RemovalOutcome) -> String {
    let line = |entry: &RemovedEntry| {
        let reported = entry.last_report.map_or("never".to_owned(), |at| format!("last {at:.0}"));
        format!(
            "  {}  {}  seen {:.0}, reported {reported}\n",
            entry.id,
            printable(&entry.name),
            entry.last_seen
        )
    };
    outcome.removed.iter().map(line).collect()
}
