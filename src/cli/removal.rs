//! Which computers or servers are removed together, and the question before it.

use std::io::{self, BufRead as _, IsTerminal as _};

use tidegate::ops::{
    self,
    removal::{RemovalChoice, RemovalFilter, RemovalOutcome, RemovedEntry},
    rules::Period,
};

use super::{
    Context, exit,
    output::{count, printable},
};

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

impl Removal {
    /// Removes computers or servers, as `remove` does it: a named one at once, of several after a question.
    pub(super) fn run(
        &self,
        context: &Context,
        kind: &str,
        name: Option<&str>,
        remove: impl Fn(&ops::Context<'_>, &RemovalChoice<'_>, bool) -> ops::Result<RemovalOutcome>,
    ) -> anyhow::Result<()> {
        let (choice, ops, out) = (self.choice(name)?, context.ops(), &context.out);
        let outcome = match choice {
            RemovalChoice::Named(_) => remove(&ops, &choice, !self.dry_run)?,
            RemovalChoice::All(_) => {
                let found = remove(&ops, &choice, false)?;
                let what = count(found.removed.len() as u64, kind);
                if !found.removed.is_empty() && !out.is_json() {
                    out.note(removed_lines(&found).trim_end());
                }
                match !found.removed.is_empty() && self.may_go(context, &what)? {
                    true => remove(&ops, &choice, true)?,
                    false => found,
                }
            }
        };
        out.data(&outcome, || {
            let what = match outcome.removed.as_slice() {
                [one] if name.is_some() && !one.name.is_empty() => printable(&one.name),
                [one] if name.is_some() => printable(&one.id),
                removed => count(removed.len() as u64, kind),
            };
            match outcome.done {
                true => format!("Forgot {what}."),
                false => format!("{what} would be forgotten."),
            }
        })
    }

    /// Which go: one that is named, or those that fit the filter.
    fn choice<'a>(&self, name: Option<&'a str>) -> anyhow::Result<RemovalChoice<'a>> {
        let Self { not_seen, never_reported, .. } = *self;
        match (name, not_seen.is_some() || never_reported) {
            (Some(name), false) => Ok(RemovalChoice::Named(name)),
            (None, true) => Ok(RemovalChoice::All(RemovalFilter { not_seen, never_reported })),
            (Some(_), true) => {
                Err(exit::usage("give a name, or --not-seen and --never-reported, not both"))
            }
            (None, false) => {
                Err(exit::usage("name one, or say which: --not-seen 30d, --never-reported"))
            }
        }
    }

    /// Whether those that were shown may go: asks, unless that was answered before.
    fn may_go(&self, context: &Context, what: &str) -> anyhow::Result<bool> {
        if self.dry_run || self.yes {
            return Ok(!self.dry_run);
        }
        if !io::stdin().is_terminal() {
            return Err(exit::usage(
                "nobody is here to ask: look with --dry-run at what would go, then give --yes",
            ));
        }
        context.out.note(&format!("Remove {what}? Type yes:"));
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(answer.trim().eq_ignore_ascii_case("yes"))
    }
}

/// Those that fit, one in a line.
fn removed_lines(outcome: &RemovalOutcome) -> String {
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
