//! The journal: what crossed and what was decided on this side, entry by entry, each with the SHA-256 of
//! the one before. Only ever appended to; whoever changes an entry breaks the chain behind it.
//!
//! | file | what it owns |
//! |---|---|
//! | `entry` | what an entry says |
//! | `machine` | which system user on which host it is |
//! | `chain` | whether one line follows another |
//! | `folder` | the files of a journal, and their lines |
//! | `writer` | appending, durably; repair of a line that a crash cut off |
//! | `reader` | listing, checking and exporting |
//! | `error` | what may go wrong |

mod chain;
mod entry;
mod error;
mod folder;
mod machine;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use entry::{EntryKind, JournalEntry, JournalHead, NewEntry, Verdict};
pub use error::JournalError;
pub use reader::{ChainReport, verify_file};

use std::path::PathBuf;

/// The journal of one side.
#[derive(Debug, Clone)]
pub struct Journal {
    folder: PathBuf,
}

impl Journal {
    /// The journal in a folder, which may not be made yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}
