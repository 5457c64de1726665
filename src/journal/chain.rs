//! Whether one line of a journal follows another.

use bundle_format::digest::Sha256;

use super::entry::{JournalEntry, JournalHead, LINE_BYTES};

/// Walks along the lines of a journal.
pub(super) struct Chain {
    /// The last line; `None` before the first one of a file that may begin anywhere.
    pub(super) last: Option<JournalHead>,
}

impl Chain {
    /// From the first entry on.
    pub(super) fn from_start() -> Self {
        Self { last: Some(JournalHead::START) }
    }

    /// From wherever a file begins.
    pub(super) fn from_anywhere() -> Self {
        Self { last: None }
    }

    /// Takes the next line, with its end; says what does not fit.
    pub(super) fn follow(&mut self, line: &[u8]) -> Result<JournalEntry, String> {
        if line.len() > LINE_BYTES {
            return Err("it is longer than an entry can be".to_owned());
        }
        if line.last() != Some(&b'\n') {
            return Err("it is cut off".to_owned());
        }
        let entry: JournalEntry =
            serde_json::from_slice(line).map_err(|_| "it is no entry".to_owned())?;
        // What begins with the first entry of all follows on nothing.
        let start = (entry.number == 1).then_some(JournalHead::START);
        if let Some(last) = self.last.or(start) {
            let expected = last.number.saturating_add(1);
            if entry.number != expected {
                let number = entry.number;
                return Err(format!("entry {expected} should be there, and entry {number} is"));
            }
            if entry.before != last.sha256 {
                return Err(format!(
                    "entry {} follows on an entry with the SHA-256 {}, but that of the entry before it is {}",
                    entry.number, entry.before, last.sha256
                ));
            }
        }
        self.last = Some(JournalHead { number: entry.number, sha256: Sha256::hash(line) });
        Ok(entry)
    }
}
