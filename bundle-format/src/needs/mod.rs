//! Needs: what an isolated site lacks, on its way to the connected side (SPEC.md 14). Nobody signs it:
//! the other side packs what the site may have in any case, and a bundle is signed by its snapshot.
//!
//! | file | what it owns |
//! |---|---|
//! | `document` | the file: JSON with names and titles beside the digests |
//! | `code` | the short form: rows to read aloud, or to scan as QR codes |

mod code;
mod document;

use std::ops::RangeInclusive;

use uuid::Uuid;

use crate::digest::Sha256;
pub use document::{MissingPayload, MissingSegment, Needs};

/// The largest file of needs that is read, in bytes (endless file).
pub const NEEDS_BYTES: u64 = 256 * 1024 * 1024;

/// Why needs cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NeedsError {
    /// A newer format: nothing is wrong with it, this program is too old.
    #[error(
        "these needs have format version {version}, and this program reads {known}; update Tidegate on this side first"
    )]
    Version {
        /// The version that they have.
        version: u64,
        /// The newest that is read here.
        known: u32,
    },
    /// It is not what `tidegate needs` writes.
    #[error("this is not what `tidegate needs` has written: {what}. Have it written again")]
    Malformed {
        /// What is wrong.
        what: String,
    },
    /// One row of the short form was misread.
    #[error(
        "row {row} of the code does not fit its check letters: compare it with the original, letter by letter"
    )]
    Row {
        /// Which, from 1.
        row: usize,
    },
    /// Rows of the short form are not there.
    #[error("the code has {of} rows, and these are missing: {missing}")]
    Rows {
        /// Which, as text.
        missing: String,
        /// How many there are.
        of: usize,
    },
}

/// The beginning of an object's name, long enough to find it among those of one mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectPrefix {
    bytes: [u8; Sha256::LEN],
    length: usize,
}

impl ObjectPrefix {
    /// How many bytes of a name the short form has.
    pub const SHORT: usize = 6;

    /// The whole name.
    pub fn whole(name: Sha256) -> Self {
        Self { bytes: *name.as_bytes(), length: Sha256::LEN }
    }

    /// The beginning of a name; `None` if it is longer than a name.
    fn short(bytes: &[u8]) -> Option<Self> {
        let mut whole = [0; Sha256::LEN];
        whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { bytes: whole, length: bytes.len() })
    }

    /// Whether a name begins so.
    pub fn matches(&self, name: &Sha256) -> bool {
        self.range().contains(name)
    }

    /// The smallest and the largest name that begin so.
    pub fn range(&self) -> RangeInclusive<Sha256> {
        let mut largest = [0xff; Sha256::LEN];
        for (to, from) in largest.iter_mut().zip(self.bytes).take(self.length) {
            *to = from;
        }
        Sha256::from_bytes(self.bytes)..=Sha256::from_bytes(largest)
    }
}

impl std::fmt::Display for ObjectPrefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.bytes.get(..self.length).unwrap_or_default()))
    }
}

/// What a site asks for, as the connected side reads it from either form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedsRequest {
    /// The site.
    pub site: String,
    /// The first four bytes of the mirror's id.
    pub mirror: [u8; 4],
    /// The snapshot that lacks the objects, or the one in force; 0 before the first one.
    pub snapshot: u64,
    /// Segments, in the order in which they were written down.
    pub segments: Vec<ObjectPrefix>,
    /// Payloads, in the order in which they were written down.
    pub payloads: Vec<ObjectPrefix>,
}

impl NeedsRequest {
    /// Reads the file, or the rows of the short form (in any order, spacing and case).
    ///
    /// # Errors
    /// [`NeedsError`] says what is wrong, and what to do.
    pub fn parse(bytes: &[u8]) -> Result<Self, NeedsError> {
        let begins = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        if begins == Some(&b'{') {
            return Ok(Needs::from_json(bytes)?.request());
        }
        code::read(bytes)
    }

    /// Whether it is of this mirror.
    pub fn is_of(&self, mirror: Uuid) -> bool {
        mirror.as_bytes().starts_with(&self.mirror)
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.payloads.is_empty()
    }
}

#[cfg(test)]
mod tests;
