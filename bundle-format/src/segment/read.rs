//! Reading a segment.

use std::io::{self, BufRead, BufReader, Read};

use zstd::stream::read::Decoder;

use super::{
    MAGIC, RECORD_HEADER, Record, SegmentError,
    record::{
        self, DRIVER_SET, DRIVER_SET_PREFIX, KEY, KEY_PREFIX, PAYLOAD, PAYLOAD_PREFIX, REVISION,
        REVISION_PREFIX, WITHDRAWAL, WITHDRAWAL_LEN,
    },
};
use crate::{
    digest::HashingReader,
    index::{SegmentKind, SegmentRef},
    limits::BundleLimits,
    packed,
};

/// Bytes reserved for a record before any of them has come: a length that lies costs no memory.
const RESERVE: u64 = 1024 * 1024;

/// Reads a segment record by record. Its compressed bytes should have been verified before; they
/// are hashed again here, and the last item is an error when they are not the index's.
pub struct SegmentReader<R: Read> {
    /// `None` after the end or the first error.
    decoder: Option<Decoder<'static, BufReader<HashingReader<R>>>>,
    expected: SegmentRef,
    record_bytes: u64,
    records_left: u64,
    bytes_left: u64,
}

impl<R: Read> SegmentReader<R> {
    /// Opens a segment whose bytes were verified against `expected`.
    ///
    /// # Errors
    /// When it is no segment, or over a limit.
    pub fn new(
        inner: R,
        expected: &SegmentRef,
        limits: &BundleLimits,
    ) -> Result<Self, SegmentError> {
        let mut reader = Self {
            decoder: None,
            expected: expected.clone(),
            record_bytes: limits.record_bytes,
            records_left: expected.records,
            bytes_left: expected.unpacked_size,
        };
        if expected.size > limits.segment_bytes
            || expected.unpacked_size > limits.segment_unpacked_bytes
        {
            return Err(reader.limit(format!(
                "it has {} bytes, {} unpacked; the limits are {} and {}",
                expected.size,
                expected.unpacked_size,
                limits.segment_bytes,
                limits.segment_unpacked_bytes
            )));
        }
        let mut decoder = packed::decoder(BufReader::new(HashingReader::new(inner)))?;
        let magic = reader.array::<{ MAGIC.len() }>(&mut decoder)?;
        if magic != *MAGIC {
            return Err(reader.damaged("it does not begin as a segment does"));
        }
        reader.decoder = Some(decoder);
        Ok(reader)
    }

    fn record(&mut self, decoder: &mut impl Read) -> Result<Record, SegmentError> {
        let [kind, length @ ..] = self.array::<5>(decoder)?;
        let length = u64::from(u32::from_le_bytes(length));
        if length > self.record_bytes {
            return Err(self.limit(format!(
                "a record of {length} bytes is over the limit of {}",
                self.record_bytes
            )));
        }
        let rest = |prefix: usize, this: &Self| {
            length.checked_sub(prefix as u64).ok_or_else(|| this.damaged("a record is too short"))
        };
        match (kind, self.expected.kind) {
            (REVISION, SegmentKind::Catalogue) => {
                let rest = rest(REVISION_PREFIX, self)?;
                let prefix = self.array(decoder)?;
                Ok(record::revision(&prefix, self.bytes(decoder, rest)?))
            }
            (WITHDRAWAL, SegmentKind::Catalogue) => {
                if rest(WITHDRAWAL_LEN, self)? != 0 {
                    return Err(self.damaged("a withdrawal is too long"));
                }
                Ok(record::withdrawal(&self.array(decoder)?))
            }
            (PAYLOAD, SegmentKind::Payloads) => {
                let rest = rest(PAYLOAD_PREFIX, self)?;
                let prefix = self.array(decoder)?;
                let rest = self.bytes(decoder, rest)?;
                record::payload(&prefix, rest).map_err(|what| self.damaged(what))
            }
            (KEY, SegmentKind::DecryptionKeys) => {
                let rest = rest(KEY_PREFIX, self)?;
                let prefix = self.array(decoder)?;
                let key = self.bytes(decoder, rest)?;
                record::key(&prefix, key).map_err(|what| self.damaged(what))
            }
            (DRIVER_SET, SegmentKind::DriverSets) => {
                let rest = rest(DRIVER_SET_PREFIX, self)?;
                let prefix = self.array(decoder)?;
                let text = self.bytes(decoder, rest)?;
                record::driver_set(&prefix, text).map_err(|what| self.damaged(what))
            }
            (kind, segment) => Err(self.damaged(format!(
                "a record of type {kind} does not belong in a {segment:?} segment"
            ))),
        }
    }

    /// After the last record: nothing may follow, and the bytes must have been the index's.
    fn end(
        &self,
        mut decoder: Decoder<'static, BufReader<HashingReader<R>>>,
    ) -> Result<(), SegmentError> {
        if self.bytes_left != 0 {
            return Err(self.damaged("its records are fewer bytes than the index says"));
        }
        if decoder.read(&mut [0]).map_err(|e| self.unpacking(e))? != 0 {
            return Err(self.damaged("bytes follow its last record"));
        }
        let mut inner = decoder.finish();
        if !inner.fill_buf()?.is_empty() {
            return Err(self.damaged("bytes follow its compressed stream"));
        }
        let (sha256, size) = inner.into_inner().finish();
        if (sha256, size) != (self.expected.sha256, self.expected.size) {
            return Err(self.damaged(format!(
                "it has {size} bytes with digest {sha256}, not the {} bytes that the index names",
                self.expected.size
            )));
        }
        Ok(())
    }

    fn array<const N: usize>(&mut self, decoder: &mut impl Read) -> Result<[u8; N], SegmentError> {
        let mut array = [0; N];
        self.count(N as u64)?;
        decoder.read_exact(&mut array).map_err(|e| self.unpacking(e))?;
        Ok(array)
    }

    fn bytes(&mut self, decoder: &mut impl Read, length: u64) -> Result<Vec<u8>, SegmentError> {
        self.count(length)?;
        let mut bytes = Vec::with_capacity(usize::try_from(length.min(RESERVE)).unwrap_or(0));
        decoder.take(length).read_to_end(&mut bytes).map_err(|e| self.unpacking(e))?;
        if bytes.len() as u64 != length {
            return Err(self.damaged("it ends within a record"));
        }
        Ok(bytes)
    }

    fn count(&mut self, length: u64) -> Result<(), SegmentError> {
        match self.bytes_left.checked_sub(length) {
            Some(left) => self.bytes_left = left,
            None => return Err(self.damaged("its records are more bytes than the index says")),
        }
        Ok(())
    }

    /// Errors of the disk stay what they are; the decompressor's mean damage.
    fn unpacking(&self, error: io::Error) -> SegmentError {
        if error.raw_os_error().is_some() {
            return SegmentError::Io(error);
        }
        self.damaged(format!("it does not unpack ({error})"))
    }

    fn damaged(&self, what: impl Into<String>) -> SegmentError {
        SegmentError::Damaged { segment: self.expected.sha256.to_string(), what: what.into() }
    }

    fn limit(&self, what: String) -> SegmentError {
        SegmentError::Limit { segment: self.expected.sha256.to_string(), what }
    }
}

impl<R: Read> Iterator for SegmentReader<R> {
    type Item = Result<Record, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut decoder = self.decoder.take()?;
        if self.records_left == 0 {
            return self.end(decoder).err().map(Err);
        }
        if self.bytes_left < RECORD_HEADER {
            return Some(Err(self.damaged("it has fewer records than the index says")));
        }
        let record = self.record(&mut decoder);
        if record.is_ok() {
            self.records_left -= 1;
            self.decoder = Some(decoder);
        }
        Some(record)
    }
}
