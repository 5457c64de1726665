//! An answer between the network and its reader: in memory while it is small, then in a file, and
//! unpacked while it is read.

use std::{
    io::{self, BufRead, BufReader, Read, Seek, Write},
    path::Path,
};

use tempfile::SpooledTempFile;

use crate::protocol::xpress;

/// Bytes of an answer that are held in memory.
const IN_MEMORY: usize = 4 * 1024 * 1024;
/// Bytes that are unpacked at once, at least.
const PIECE: usize = 64 * 1024;

/// How many bytes are too many.
#[derive(Debug)]
pub(super) struct SizeLimit;

/// An answer as it came over the line.
pub(super) struct ResponseSpool {
    file: SpooledTempFile,
    /// Bytes that it may have, packed or not.
    limit: u64,
    received: u64,
    is_packed: bool,
}

impl ResponseSpool {
    /// Nothing has come yet. `folder` is where a large answer waits.
    pub(super) fn new(folder: Option<&Path>, limit: usize, is_packed: bool) -> Self {
        let file = match folder {
            Some(folder) => tempfile::spooled_tempfile_in(IN_MEMORY, folder),
            None => tempfile::spooled_tempfile(IN_MEMORY),
        };
        Self { file, limit: limit as u64, received: 0, is_packed }
    }

    /// The next piece; an error of its own kind when it is one too many.
    pub(super) fn push(&mut self, piece: &[u8]) -> io::Result<Result<(), SizeLimit>> {
        self.received += piece.len() as u64;
        if self.received > self.limit {
            return Ok(Err(SizeLimit));
        }
        self.file.write_all(piece).map(Ok)
    }

    /// Reads from the beginning.
    pub(super) fn read(&mut self) -> io::Result<Box<dyn BufRead + '_>> {
        self.file.rewind()?;
        if !self.is_packed {
            return Ok(Box::new(BufReader::with_capacity(PIECE, &mut self.file)));
        }
        Ok(Box::new(UnpackedXpress {
            packed: &mut self.file,
            left: self.limit,
            unpacker: Some(xpress::Unpacker::default()),
            piece: vec![0; PIECE],
            ready: Vec::new(),
            at: 0,
        }))
    }
}

/// Unpacks Xpress while it is read, to no more than so many bytes. [MS-WUSP] 2.1.1
struct UnpackedXpress<R> {
    packed: R,
    left: u64,
    /// `None` after the end.
    unpacker: Option<xpress::Unpacker>,
    piece: Vec<u8>,
    ready: Vec<u8>,
    at: usize,
}

impl<R: Read> Read for UnpackedXpress<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: Read> BufRead for UnpackedXpress<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.ready.len()
            && let Some(unpacker) = &mut self.unpacker
        {
            self.ready.clear();
            self.at = 0;
            let n = self.packed.read(&mut self.piece)?;
            if n == 0 {
                let unpacker = self.unpacker.take().unwrap_or_default();
                unpacker.finish().map_err(io::Error::other)?;
                break;
            }
            let piece = self.piece.get(..n).unwrap_or_default();
            unpacker.push(piece, &mut self.ready).map_err(io::Error::other)?;
            self.left = self
                .left
                .checked_sub(self.ready.len() as u64)
                .ok_or_else(|| io::Error::other("the answer unpacks to more than is allowed"))?;
        }
        Ok(self.ready.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.at = (self.at + amount).min(self.ready.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(bytes: &[u8], limit: usize, is_packed: bool) -> io::Result<Vec<u8>> {
        let mut spool = ResponseSpool::new(None, limit, is_packed);
        for piece in bytes.chunks(1000) {
            if spool.push(piece)?.is_err() {
                return Err(io::Error::other("full"));
            }
        }
        // Twice: a reader may look before it reads.
        spool.read()?.fill_buf()?;
        let mut out = Vec::new();
        spool.read()?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn plain_and_packed_answers_come_out_as_they_were_within_the_limit() {
        let text = "<UpdateID>é漢</UpdateID>".repeat(20_000).into_bytes();
        let packed = xpress::compress(&text);
        assert!(packed.len() * 4 < text.len());
        assert!(through(&text, text.len(), false).unwrap() == text);
        assert!(through(&packed, text.len(), true).unwrap() == text);
        assert_eq!(through(&text, text.len() - 1, false).unwrap_err().to_string(), "full");
        let error = through(&packed, text.len() - 1, true).unwrap_err();
        assert!(error.to_string().contains("more than is allowed"), "{error}");
    }

    #[test]
    fn a_packed_answer_that_is_cut_or_damaged_is_none() {
        let text = "<UpdateID/>".repeat(20_000).into_bytes();
        let packed = xpress::compress(&text);
        assert!(through(&packed[..packed.len() - 1], text.len(), true).is_err());
        let mut damaged = packed;
        damaged[..4].copy_from_slice(&[0xff; 4]);
        assert!(through(&damaged, text.len(), true).is_err());
    }
}
