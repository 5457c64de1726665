//! Parts of a file, read while they are sent. Several go out as `multipart/byteranges`: RFC 9110, 14.6

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
};

use axum::body::Bytes;

use super::range::Part;

/// Bytes that are read at one time.
const BLOCK: usize = 256 * 1024;

/// Parts of a file with texts before, between and after them, block by block.
pub(super) struct FileParts {
    file: File,
    sections: VecDeque<Section>,
}

enum Section {
    Text(Bytes),
    /// Where to begin, until it has begun, and the bytes that are left.
    File {
        start: Option<u64>,
        left: u64,
    },
}

impl Section {
    fn length(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::File { left, .. } => *left,
        }
    }
}

impl FileParts {
    /// One part, bare.
    pub(super) fn one(file: File, start: u64, length: u64) -> Self {
        Self { file, sections: [Section::File { start: Some(start), left: length }].into() }
    }

    /// Several parts of a file of `size` bytes, each with headers of its own.
    pub(super) fn several(file: File, parts: &[Part], size: u64, boundary: &str) -> Self {
        let mut sections = VecDeque::with_capacity(parts.len() * 2 + 1);
        for part in parts {
            let head = format!(
                "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n\
                 Content-Range: bytes {}-{}/{size}\r\n\r\n",
                part.first, part.last
            );
            sections.push_back(Section::Text(head.into()));
            sections.push_back(Section::File { start: Some(part.first), left: part.length() });
        }
        sections.push_back(Section::Text(format!("\r\n--{boundary}--\r\n").into()));
        Self { file, sections }
    }

    /// Bytes of all that is to come.
    pub(super) fn length(&self) -> u64 {
        self.sections.iter().map(Section::length).sum()
    }
}

impl Iterator for FileParts {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.sections.front_mut()? {
                Section::File { left: 0, .. } => {
                    self.sections.pop_front();
                }
                Section::File { start, left } => return Some(read(&mut self.file, start, left)),
                Section::Text(text) => {
                    let text = std::mem::take(text);
                    self.sections.pop_front();
                    return Some(Ok(text));
                }
            }
        }
    }
}

fn read(file: &mut File, start: &mut Option<u64>, left: &mut u64) -> io::Result<Bytes> {
    if let Some(start) = start.take() {
        file.seek(SeekFrom::Start(start))?;
    }
    let mut block = vec![0; usize::try_from(*left).unwrap_or(BLOCK).min(BLOCK)];
    file.read_exact(&mut block)?;
    *left -= block.len() as u64;
    Ok(block.into())
}
