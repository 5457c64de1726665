//! Segments: zstd-compressed, append-only record streams.
//!
//! Layout of the unpacked stream, all integers little-endian: the magic `TGSEG1\n\0`, then records,
//! each `u8` type, `u32` length, that many bytes. See SPEC.md.

mod read;
mod record;
#[cfg(test)]
mod tests;
mod write;

pub use read::SegmentReader;
pub use record::{KEY_MAX, PayloadRecord, Record, RevisionRecord};
pub use write::SegmentWriter;

/// The first bytes of every unpacked segment.
const MAGIC: &[u8; 8] = b"TGSEG1\n\0";
/// Bytes before each record's body: type and length.
const RECORD_HEADER: u64 = 5;

/// What is wrong with a segment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// Reading or writing failed.
    #[error("cannot read or write the segment")]
    Io(#[from] std::io::Error),
    /// Its bytes are not what the index says, or break the format.
    #[error("segment {segment} is damaged: {what}")]
    Damaged {
        /// The segment's name.
        segment: String,
        /// What is wrong.
        what: String,
    },
    /// A record is over a limit.
    #[error("segment {segment} is refused: {what}")]
    Limit {
        /// The segment's name.
        segment: String,
        /// What is over which limit.
        what: String,
    },
}
