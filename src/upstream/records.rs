//! `metadata.txt` of a wsusutil package: `GUID,REVISION,LENGTH,DOCUMENT<CR><LF>`, one after another.
//!
//! Revision and length are 8 hexadecimal digits. The length counts UTF-16 units of the document,
//! which itself is UTF-8 and may hold line ends; so neither lines nor bytes can be counted.

use std::io::{self, BufRead};

use crate::update::{UpdateId, UpdateIdentity};

/// Bytes before the document.
const PREFIX: usize = 36 + 1 + 8 + 1 + 8 + 1;

/// Why the records cannot be followed any further.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("metadata.txt, byte {at}: {what}")]
    Malformed { at: u64, what: String },
}

/// One record.
pub(super) struct Record {
    /// As its prefix says.
    pub(super) identity: UpdateIdentity,
    /// The document has more bytes than the limit and was passed over.
    pub(super) oversized: Option<u64>,
}

/// Reads records as a stream; memory is bounded by the limit on a document.
pub(super) struct Records<R> {
    input: R,
    limit: u64,
    at: u64,
}

impl<R: BufRead> Records<R> {
    /// `limit`: bytes of one document.
    pub(super) fn new(input: R, limit: u64) -> Self {
        Self { input, limit, at: 0 }
    }

    /// The next record, its document in `xml`; `None` at the end.
    pub(super) fn next(&mut self, xml: &mut Vec<u8>) -> Result<Option<Record>, RecordError> {
        xml.clear();
        if self.input.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let start = self.at;
        let mut prefix = [0; PREFIX];
        self.fill(&mut prefix)?;
        let (identity, units) = parse_prefix(&prefix).ok_or_else(|| RecordError::Malformed {
            at: start,
            what: format!(
                "a record should begin here with GUID,REVISION,LENGTH but there is {:?}",
                String::from_utf8_lossy(&prefix)
            ),
        })?;
        let size = self.document(units, identity, xml)?;
        let mut end = [0; 2];
        self.fill(&mut end)?;
        if end != *b"\r\n" {
            return Err(self.malformed(format!("the document of {identity} does not end here")));
        }
        Ok(Some(Record { identity, oversized: (size > self.limit).then_some(size) }))
    }

    /// Reads a document of so many UTF-16 units; returns its size in bytes.
    fn document(
        &mut self,
        mut units: u32,
        identity: UpdateIdentity,
        xml: &mut Vec<u8>,
    ) -> Result<u64, RecordError> {
        let mut size = 0;
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Err(self.malformed(format!("the document of {identity} is cut short")));
            }
            let mut used = 0;
            let mut split = false;
            // A character is complete only when the next one begins; bytes 0b10…… continue one.
            for byte in buffer {
                let width = match byte {
                    0x80..=0xbf => 0,
                    0xf0.. => 2,
                    _ => 1,
                };
                if width > 0 && units == 0 {
                    break;
                }
                split = width > units;
                if split {
                    break;
                }
                units -= width;
                used += 1;
            }
            let done = used < buffer.len();
            size += used as u64;
            if size <= self.limit {
                xml.extend_from_slice(buffer.get(..used).unwrap_or_default());
            } else {
                xml.clear();
            }
            self.input.consume(used);
            self.at += used as u64;
            if split {
                return Err(self.malformed(format!(
                    "the length of the document of {identity} ends within a character"
                )));
            }
            if done {
                return Ok(size);
            }
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RecordError> {
        match self.input.read_exact(bytes) {
            Ok(()) => {
                self.at += bytes.len() as u64;
                Ok(())
            }
            // The member's own reader says so with another text when the cabinet is to blame.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.malformed("the last record is cut short".to_owned()))
            }
            Err(e) => Err(e.into()),
        }
    }

    fn malformed(&self, what: String) -> RecordError {
        RecordError::Malformed { at: self.at, what }
    }
}

fn parse_prefix(prefix: &[u8; PREFIX]) -> Option<(UpdateIdentity, u32)> {
    let text = std::str::from_utf8(prefix).ok()?.strip_suffix(',')?;
    let mut parts = text.split(',');
    let (id, revision, units) = (parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str| {
        let good = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
        good.then(|| u32::from_str_radix(text, 16).ok()).flatten()
    };
    if parts.next().is_some() || id.len() != 36 {
        return None;
    }
    let identity = UpdateIdentity { id: id.parse::<UpdateId>().ok()?, revision: hex(revision)? };
    Some((identity, hex(units)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0fa1201d-4330-4fa8-8ae9-b877473b6441";

    fn record(revision: u32, text: &str) -> Vec<u8> {
        format!("{ID},{revision:08x},{:08x},{text}\r\n", text.encode_utf16().count()).into_bytes()
    }

    fn read(bytes: &[u8], buffer: usize, limit: u64) -> Result<Vec<(u32, Vec<u8>)>, String> {
        let mut records = Records::new(io::BufReader::with_capacity(buffer, bytes), limit);
        let (mut all, mut xml) = (Vec::new(), Vec::new());
        while let Some(record) = records.next(&mut xml).map_err(|e| e.to_string())? {
            assert_eq!(record.identity.id.to_string(), ID);
            assert_eq!(record.oversized.is_some(), xml.is_empty() && record.oversized.is_some());
            all.push((record.identity.revision, xml.clone()));
        }
        Ok(all)
    }

    proptest! {
        /// Line ends, commas, characters of every width and any cut of the stream.
        #[test]
        fn what_was_written_is_read(texts in prop::collection::vec("[a<>\r\n,é漢\u{1f600}]{1,40}", 0..6),
                                    buffer in 1usize..40) {
            let bytes: Vec<u8> = (1..).zip(&texts).flat_map(|(n, t)| record(n, t)).collect();
            let expected: Vec<_> =
                (1..).zip(&texts).map(|(n, t)| (n, t.clone().into_bytes())).collect();
            prop_assert_eq!(read(&bytes, buffer, 1000), Ok(expected));
        }

        #[test]
        fn a_lost_byte_is_noticed(at in 0usize..500) {
            let mut bytes: Vec<u8> = (1..6).flat_map(|n| record(n, "<ä>\r\n<b漢/></ä>")).collect();
            let at = at % bytes.len();
            bytes.remove(at);
            // Losing a digit's neighbour may give another number, never five good records.
            let whole: Vec<_> = (1..6).map(|n| (n, "<ä>\r\n<b漢/></ä>".into())).collect();
            prop_assert_ne!(read(&bytes, 16, 1000), Ok(whole));
        }
    }

    #[test]
    fn a_document_over_the_limit_is_passed_over() {
        let mut bytes = record(1, &"x".repeat(5000));
        bytes.extend(record(2, "<a/>"));
        let mut records = Records::new(bytes.as_slice(), 100);
        let mut xml = Vec::new();
        assert_eq!(records.next(&mut xml).unwrap().unwrap().oversized, Some(5000));
        assert!(xml.capacity() < 5000 || xml.is_empty());
        assert_eq!(records.next(&mut xml).unwrap().unwrap().oversized, None);
        assert_eq!(xml, b"<a/>");
        assert!(records.next(&mut xml).unwrap().is_none());
    }

    #[test]
    fn errors_say_where() {
        let error = |bytes: &[u8]| read(bytes, 16, 1000).unwrap_err();
        assert!(error(b"rubbish").contains("cut short"));
        assert!(error(&[b'x'; 100]).contains("byte 0: a record should begin here"));
        assert!(error(&record(1, "<a/>")[..57]).contains("is cut short"));
        let mut long = record(1, "<a/>");
        long.splice(53..54, *b"3");
        assert!(error(&long).contains("does not end here"), "{}", error(&long));
        assert!(
            error(format!("{ID},00000001,00000001,\u{1f600}\r\n").as_bytes()).contains("within")
        );
    }
}
