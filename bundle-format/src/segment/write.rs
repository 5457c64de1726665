//! Writing a segment.

use std::io::Write;

use zstd::stream::write::Encoder;

use super::{MAGIC, RECORD_HEADER, Record, SegmentError, record::Encoded};
use crate::{
    digest::HashingWriter,
    index::{SegmentKind, SegmentRef},
    packed,
};

/// Writes a segment: compresses and hashes while records come in.
pub struct SegmentWriter<W: Write> {
    encoder: Encoder<'static, HashingWriter<W>>,
    kind: SegmentKind,
    records: u64,
    unpacked_size: u64,
}

impl<W: Write> SegmentWriter<W> {
    /// Starts a segment of `kind`.
    ///
    /// # Errors
    /// When writing fails.
    pub fn new(inner: W, kind: SegmentKind) -> Result<Self, SegmentError> {
        let mut encoder = packed::encoder(HashingWriter::new(inner))?;
        encoder.write_all(MAGIC)?;
        Ok(Self { encoder, kind, records: 0, unpacked_size: MAGIC.len() as u64 })
    }

    /// Appends a record. It must fit the segment's kind.
    ///
    /// # Errors
    /// When writing fails, or the record breaks the format.
    pub fn push(&mut self, record: &Record) -> Result<(), SegmentError> {
        let damaged = |what| SegmentError::Damaged { segment: "in the making".to_owned(), what };
        if record.kind() != self.kind {
            return Err(damaged(format!("{:?} records do not belong in it", record.kind())));
        }
        let Encoded { kind, prefix, rest } = record.encode().map_err(damaged)?;
        let length = prefix.len() as u64 + rest.len() as u64;
        let header = u32::try_from(length).map_err(|_| SegmentError::Limit {
            segment: "in the making".to_owned(),
            what: format!("a record has {length} bytes; the format holds {}", u32::MAX),
        })?;
        self.encoder.write_all(&[kind])?;
        self.encoder.write_all(&header.to_le_bytes())?;
        self.encoder.write_all(&prefix)?;
        self.encoder.write_all(&rest)?;
        self.records += 1;
        self.unpacked_size += RECORD_HEADER + length;
        Ok(())
    }

    /// Records so far.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Unpacked bytes so far: when to begin the next segment.
    pub fn unpacked_size(&self) -> u64 {
        self.unpacked_size
    }

    /// Ends the stream; gives the inner writer back, and what the index says of the segment.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(self) -> Result<(W, SegmentRef), SegmentError> {
        let (inner, sha256, size) = self.encoder.finish()?.finish();
        let segment = SegmentRef {
            kind: self.kind,
            sha256,
            size,
            unpacked_size: self.unpacked_size,
            records: self.records,
        };
        Ok((inner, segment))
    }
}
