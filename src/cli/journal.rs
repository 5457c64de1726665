//! `tidegate journal`

use std::path::PathBuf;

use clap::{Subcommand, builder::PossibleValuesParser};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use tidegate::ops::journal::{
    self, ChainReport, EntryKind, JournalEntry, JournalOutcome, JournalRequest, Verdict,
};

use super::{Context, Outcome, output::count};

/// What crossed and what was decided on this side, in a record that shows when it is changed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List entries, the newest last
    List {
        /// Those from then on: 2026-05-01 (in UTC) or 2026-05-01T08:00:00Z
        #[arg(long, value_name = "DATE", value_parser = parse_since)]
        since: Option<Timestamp>,
        /// Those of one kind
        #[arg(long, value_name = "KIND", value_parser = kinds())]
        kind: Option<String>,
        /// No more than so many, the newest
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
    },
    /// Check that nothing in it was changed: recomputes it from the file alone
    Verify {
        /// A file of entries, as `journal export` writes it; the journal of this side if not given
        file: Option<PathBuf>,
    },
    /// Write all entries to one file, for an auditor
    Export {
        /// The file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let ops = context.ops();
        match self.command {
            Command::List { since, kind, limit } => {
                let kind =
                    EntryKind::ALL.into_iter().find(|one| Some(one.name()) == kind.as_deref());
                let outcome = journal::list(&ops, &JournalRequest { since, kind, limit })?;
                context.out.data(&outcome, || listed(&outcome))?;
                journal::verify(&ops, None)?;
            }
            Command::Verify { file } => {
                let report = journal::verify(&ops, file.as_deref())?;
                context.out.data(&report, || in_order(&report))?;
            }
            Command::Export { out } => {
                let report = journal::export(&ops, &out)?;
                context
                    .out
                    .data(&report, || format!("{}{}\n", in_order(&report), out.display()))?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn kinds() -> PossibleValuesParser {
    EntryKind::ALL.map(EntryKind::name).into()
}

/// A moment, or the beginning of a day in UTC.
fn parse_since(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    let day: Date = text.parse().map_err(|_| "write it as 2026-05-01".to_owned())?;
    let begin = day.to_zoned(TimeZone::UTC).map_err(|e| e.to_string())?;
    Ok(begin.timestamp())
}

fn listed(outcome: &JournalOutcome) -> String {
    let mut text = match outcome.older {
        0 => String::new(),
        older => format!("{}: see --limit\n", count(older, "older entry")),
    };
    text.extend(outcome.entries.iter().map(line));
    if text.is_empty() {
        text.push_str("No entry fits.\n");
    }
    text
}

fn line(entry: &JournalEntry) -> String {
    let JournalEntry { number, time, user, host, kind, what, .. } = entry;
    let by = match &entry.sudo_user {
        Some(sudo_user) => format!("{user} ({sudo_user} with sudo) on {host}"),
        None => format!("{user} on {host}"),
    };
    let verdict = match entry.verdict {
        Verdict::Done => "",
        Verdict::Refused => "REFUSED: ",
        Verdict::Failed => "FAILED: ",
    };
    let why = entry.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    format!("{number}  {time:.0}  {by}  {kind}: {verdict}{what}{why}\n")
}

fn in_order(report: &ChainReport) -> String {
    let ChainReport { entries, first, head, cut_off } = report;
    if *entries == 0 {
        return "No entry yet.\n".to_owned();
    }
    let mut text = match first {
        1 => format!(
            "All is in order: {}, each follows on the one before.\n",
            count(*entries, "entry")
        ),
        _ => format!(
            "In order: {}, each follows on the one before; they begin with entry {first}, and what was before is in another file.\n",
            count(*entries, "entry")
        ),
    };
    text.push_str(&format!("The last one is entry {}, SHA-256 {}\n", head.number, head.sha256));
    if *cut_off {
        text.push_str("A crash has cut off what comes behind it; the next entry repairs that.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::parse_since;

    #[test]
    fn a_day_begins_in_utc() {
        assert_eq!(parse_since("2026-05-01").unwrap().to_string(), "2026-05-01T00:00:00Z");
        assert_eq!(
            parse_since("2026-05-01T08:00:00+02:00").unwrap().to_string(),
            "2026-05-01T06:00:00Z"
        );
        assert!(parse_since("yesterday").is_err());
    }
}
