//! The journal of this side: list, check, export.

use std::{collections::VecDeque, path::Path};

use jiff::Timestamp;
use serde::Serialize;

use super::{Result, context::Context};
use crate::journal::{self, Journal};
pub use crate::journal::{ChainReport, EntryKind, JournalEntry, Verdict};

/// Which entries to list.
#[derive(Debug, Clone, Copy)]
pub struct JournalRequest {
    /// Those from then on.
    pub since: Option<Timestamp>,
    /// Those of one kind.
    pub kind: Option<EntryKind>,
    /// No more than so many, the newest.
    pub limit: usize,
}

/// Entries of the journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct JournalOutcome {
    /// The oldest first.
    pub entries: Vec<JournalEntry>,
    /// Older ones that fit, too, and are over the limit.
    pub older: u64,
}

/// The newest entries that fit; of a journal that was changed, those before the change.
///
/// # Errors
/// When there is no data folder.
pub fn list(context: &Context<'_>, request: &JournalRequest) -> Result<JournalOutcome> {
    let journal = Journal::new(context.data_dir()?.journal());
    let (mut entries, mut older) = (VecDeque::new(), 0);
    let walked = journal.entries(&mut |entry| {
        let fits = request.since.is_none_or(|since| entry.time >= since)
            && request.kind.is_none_or(|kind| entry.kind == kind.name());
        if !fits {
            return;
        }
        entries.push_back(entry);
        if entries.len() > request.limit {
            entries.pop_front();
            older += 1;
        }
    });
    match walked {
        Err(error) if !error.is_broken() => Err(error.into()),
        // Whoever lists checks, too, and hears of it there.
        _ => Ok(JournalOutcome { entries: entries.into(), older }),
    }
}

/// Checks that every entry of this side's journal, or of a file of entries, follows on the one before.
///
/// # Errors
/// When one does not: the first such is named. Or when the journal cannot be read.
pub fn verify(context: &Context<'_>, file: Option<&Path>) -> Result<ChainReport> {
    Ok(match file {
        Some(file) => journal::verify_file(file)?,
        None => Journal::new(context.data_dir()?.journal()).verify()?,
    })
}

/// Writes all entries to one file, for an auditor.
///
/// # Errors
/// As [`verify`], or when the file cannot be written.
pub fn export(context: &Context<'_>, out: &Path) -> Result<ChainReport> {
    Ok(Journal::new(context.data_dir()?.journal()).export(out)?)
}
