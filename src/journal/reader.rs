//! Listing, checking and exporting a journal.

use std::{
    io::{self, BufWriter, Write as _},
    path::Path,
};

use serde::Serialize;

use super::{
    Journal,
    chain::Chain,
    entry::{JournalEntry, JournalHead, LINE_BYTES},
    error::JournalError,
    folder,
};
use crate::{durable, file_error::Doing as _};

type Result<T> = std::result::Result<T, JournalError>;

/// A journal whose entries all follow on each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChainReport {
    /// How many entries there are.
    pub entries: u64,
    /// The first one; more than 1 of a file that is not the first of its journal.
    pub first: u64,
    /// The last one. Whoever has noted an earlier one finds it in the journal still.
    pub head: JournalHead,
    /// A crash has cut off what comes last; the next entry repairs it.
    pub cut_off: bool,
}

impl Journal {
    /// The last entry.
    ///
    /// # Errors
    /// As [`Journal::verify`].
    pub fn head(&self) -> Result<JournalHead> {
        Ok(self.verify()?.head)
    }

    /// Checks that all entries are there and follow on each other.
    ///
    /// # Errors
    /// [`JournalError::Broken`] names the first line that does not fit; or the disk fails.
    pub fn verify(&self) -> Result<ChainReport> {
        self.walk(&mut |_, _| Ok(()))
    }

    /// Calls `each` with every entry, from the first; checks them on the way as [`Journal::verify`].
    ///
    /// # Errors
    /// As [`Journal::verify`].
    pub fn entries(&self, each: &mut dyn FnMut(JournalEntry)) -> Result<ChainReport> {
        self.walk(&mut |entry, _| {
            each(entry);
            Ok(())
        })
    }

    /// Writes all entries to one file, which can be checked alone; checks them on the way.
    ///
    /// # Errors
    /// As [`Journal::verify`], or when the file cannot be written; there is no new file then.
    pub fn export(&self, out: &Path) -> Result<ChainReport> {
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let file = tempfile::NamedTempFile::new_in(folder).doing("write in", folder)?;
        let mut writer = BufWriter::new(file);
        let report = self.walk(&mut |_, line| {
            Ok(writer.write_all(line).doing("export the journal to", out)?)
        })?;
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error);
        let file = file.doing("export the journal to", out)?;
        durable::persist(file, out).doing("export the journal to", out)?;
        Ok(report)
    }

    fn walk(&self, each: &mut dyn FnMut(JournalEntry, &[u8]) -> Result<()>) -> Result<ChainReport> {
        let mut chain = Chain::from_start();
        let (mut entries, mut cut_off) = (0, false);
        let numbers = folder::numbers(&self.folder)?;
        let newest = numbers.last().copied();
        for (expected, number) in (1..).zip(numbers) {
            let path = folder::file_of(&self.folder, number);
            if number != expected {
                return Err(JournalError::Broken {
                    path,
                    line: 1,
                    what: format!("the file {expected}.jsonl before it is not there"),
                });
            }
            folder::lines(&path, &mut |line, bytes| {
                let is_end = bytes.last() != Some(&b'\n') && bytes.len() <= LINE_BYTES;
                if is_end && Some(number) == newest {
                    cut_off = true;
                    return Ok(());
                }
                let entry = chain.follow(bytes);
                let entry = entry.map_err(|what| broken(&path, line, what))?;
                entries += 1;
                each(entry, bytes)
            })?;
        }
        let head = chain.last.unwrap_or(JournalHead::START);
        Ok(ChainReport { entries, first: u64::from(entries > 0), head, cut_off })
    }
}

/// Checks one file of a journal, or an exported journal, alone.
///
/// # Errors
/// As [`Journal::verify`].
pub fn verify_file(path: &Path) -> Result<ChainReport> {
    let mut chain = Chain::from_anywhere();
    let (mut entries, mut first) = (0, 0);
    folder::lines(path, &mut |line, bytes| {
        let entry = chain.follow(bytes).map_err(|what| broken(path, line, what))?;
        if line == 1 {
            first = entry.number;
        }
        entries += 1;
        Ok(())
    })?;
    let head = chain.last.unwrap_or(JournalHead::START);
    Ok(ChainReport { entries, first, head, cut_off: false })
}

fn broken(path: &Path, line: u64, what: String) -> JournalError {
    JournalError::Broken { path: path.to_owned(), line, what }
}
