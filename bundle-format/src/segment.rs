//! Segments: zstd-compressed, append-only record streams.
//!
//! Layout of the unpacked stream, all integers little-endian: the magic `TGSEG1\n\0`, then records,
//! each `u8` type, `u32` length, that many bytes. See SPEC.md.

use std::io::{Read, Write};

use uuid::Uuid;

use crate::{
    digest::{Sha1, Sha256},
    index::{SegmentKind, SegmentRef},
    limits::Limits,
};

/// One record of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// An update revision.
    Revision(RevisionRecord),
    /// A revision that the mirror no longer offers.
    Withdrawal {
        /// The update.
        update_id: Uuid,
        /// Its revision.
        revision_number: u32,
    },
    /// A payload.
    Payload(PayloadRecord),
}

/// An update revision with the number that the mirror gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRecord {
    /// The update.
    pub update_id: Uuid,
    /// Its revision.
    pub revision_number: u32,
    /// Assigned once by the mirror; agents cache it. [MS-WUSP] 3.1.1
    pub revision_id: i32,
    /// The original document, byte for byte.
    pub xml: Vec<u8>,
}

/// A payload as the mirror knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadRecord {
    /// Of the whole payload: the object's name.
    pub sha256: Sha256,
    /// Of the whole payload: how agents name it.
    pub sha1: Sha1,
    /// In bytes.
    pub size: u64,
    /// SHA-256 of each [`crate::digest::CHUNK_SIZE`] piece. Empty when not carried.
    pub chunks: Vec<Sha256>,
    /// Why the mirror does not carry it; `None` when it does.
    pub not_carried: Option<String>,
}

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

/// Writes a segment: compresses and hashes while records come in.
pub struct SegmentWriter<W: Write> {
    _inner: W,
}

impl<W: Write> SegmentWriter<W> {
    /// Starts a segment of `kind`.
    ///
    /// # Errors
    /// When writing fails.
    pub fn new(inner: W, kind: SegmentKind) -> Result<Self, SegmentError> {
        let _ = (inner, kind);
        unimplemented!()
    }

    /// Appends a record. It must fit the segment's kind.
    ///
    /// # Errors
    /// When writing fails.
    pub fn push(&mut self, record: &Record) -> Result<(), SegmentError> {
        let _ = record;
        unimplemented!()
    }

    /// Ends the stream; gives the inner writer back, and what the index says of the segment.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(self) -> Result<(W, SegmentRef), SegmentError> {
        unimplemented!()
    }
}

/// Reads a segment record by record. Its compressed bytes must have been verified before.
pub struct SegmentReader<R: Read> {
    _inner: R,
}

impl<R: Read> SegmentReader<R> {
    /// Opens a segment whose bytes were verified against `expected`.
    ///
    /// # Errors
    /// When it is no segment, or over a limit.
    pub fn new(inner: R, expected: &SegmentRef, limits: &Limits) -> Result<Self, SegmentError> {
        let _ = (inner, expected, limits);
        unimplemented!()
    }
}

impl<R: Read> Iterator for SegmentReader<R> {
    type Item = Result<Record, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        unimplemented!()
    }
}
