//! The files of a journal: `1.jsonl`, `2.jsonl`, …, of which only the last one grows.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use super::{entry::LINE_BYTES, error::JournalError};
use crate::file_error::Doing as _;

type Result<T> = std::result::Result<T, JournalError>;

/// The file of this number.
pub(super) fn file_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}.jsonl"))
}

/// The numbers of the files that are there, ascending.
pub(super) fn numbers(folder: &Path) -> Result<Vec<u64>> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.doing("list", folder)?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.doing("list", folder)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".jsonl"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Calls `each` with the number of every line of a file, from 1, and its bytes with their end. Of a line
/// that is longer than it may be comes as much as shows that.
pub(super) fn lines(path: &Path, each: &mut dyn FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
    let mut reader = BufReader::new(File::open(path).doing("read the journal", path)?);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let mut bounded = (&mut reader).take(LINE_BYTES as u64 + 1);
        bounded.read_until(b'\n', &mut line).doing("read the journal", path)?;
        if line.is_empty() {
            break;
        }
        each(number, &line)?;
    }
    Ok(())
}
