//! Answers that are too large for memory: written to a file without a name, encoded as the client
//! takes them, and read while they are sent.

use std::{
    io::{self, Read as _, Seek as _, Write as _},
    path::Path,
};

use axum::body::Bytes;
use tempfile::SpooledTempFile;

use super::encoding::Encoding;
use crate::protocol::xpress;

/// Up to this many bytes stay in memory.
const HELD: usize = 2 * 1024 * 1024;
/// Bytes that are read at one time.
const CHUNK: usize = 128 * 1024;

/// A part of an answer while it is written.
pub(super) struct AnswerSpool {
    file: SpooledTempFile,
    encoding: Encoding,
    len: u64,
}

/// A part of an answer, written.
#[derive(Debug)]
pub(super) struct SpooledAnswer {
    file: SpooledTempFile,
    len: u64,
}

impl AnswerSpool {
    /// `folder`: where there is room for large files.
    pub(super) fn new(folder: &Path, encoding: Encoding) -> Self {
        Self { file: SpooledTempFile::new_in(HELD, folder), encoding, len: 0 }
    }

    /// Adds escaped XML.
    pub(super) fn push(&mut self, xml: &str) -> io::Result<()> {
        let compressed;
        let bytes = match self.encoding {
            Encoding::Plain => xml.as_bytes(),
            Encoding::Xpress => {
                compressed = xpress::compress(xml.as_bytes());
                &compressed
            }
        };
        self.file.write_all(bytes)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Ends writing.
    pub(super) fn finish(mut self) -> io::Result<SpooledAnswer> {
        self.file.rewind()?;
        Ok(SpooledAnswer { file: self.file, len: self.len })
    }
}

impl SpooledAnswer {
    /// Bytes in a file of their own.
    pub(super) fn in_file(bytes: &[u8], folder: &Path) -> io::Result<Self> {
        let mut file = SpooledTempFile::new_in(0, folder);
        file.write_all(bytes)?;
        file.rewind()?;
        Ok(Self { file, len: bytes.len() as u64 })
    }

    /// Its bytes as they are sent.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The bytes, piece by piece.
    pub(super) fn chunks(self) -> impl Iterator<Item = io::Result<Bytes>> + Send {
        let Self { mut file, len } = self;
        let mut left = len;
        std::iter::from_fn(move || {
            let length = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            if length == 0 {
                return None;
            }
            let mut bytes = vec![0; length];
            let read = file.read_exact(&mut bytes).map(|()| Bytes::from(bytes));
            left = if read.is_ok() { left - length as u64 } else { 0 };
            Some(read)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_comes_out_in_both_encodings() {
        let folder = tempfile::tempdir().unwrap();
        let part = "<a>lock gate</a>".repeat(20_000);
        for encoding in [Encoding::Plain, Encoding::Xpress] {
            let mut spool = AnswerSpool::new(folder.path(), encoding);
            for _ in 0..20 {
                spool.push(&part).unwrap();
            }
            let spooled = spool.finish().unwrap();
            let len = spooled.len();
            let all: Vec<u8> = spooled.chunks().flat_map(|chunk| chunk.unwrap()).collect();
            assert_eq!(all.len() as u64, len);
            let plain = match encoding {
                Encoding::Plain => all,
                Encoding::Xpress => xpress::decompress(&all, 20 * part.len()).unwrap(),
            };
            assert!(plain == part.repeat(20).into_bytes());
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }
}
