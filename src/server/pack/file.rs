//! A pack file, open for reading.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use bundle_format::digest::Sha256;

use super::{
    error::PackError,
    format::{ENTRY, Fields, MAGIC, PackEntry, PackSpan, TRAILER, Text, check},
};
use crate::{file_error::Doing as _, update::UpdateIdentity};

/// An open pack, with all that it holds.
pub(super) type OpenPack = (Arc<Pack>, Vec<(UpdateIdentity, PackEntry)>);

/// A finished pack, open for reading.
#[derive(Debug)]
pub(super) struct Pack {
    path: PathBuf,
    number: u64,
    file: File,
}

impl Pack {
    /// Opens a pack and reads its index.
    pub(super) fn open(path: &Path, number: u64) -> Result<OpenPack, PackError> {
        let file = File::open(path).doing("open", path)?;
        let index = read_index(&file, path)?;
        let entries = read_entries(&index, path)?;
        Ok((Arc::new(Self { path: path.to_owned(), number, file }), entries))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Reads part of a span, without checking it.
    pub(super) fn read(&self, span: &PackSpan, from: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, span.offset.saturating_add(from))?;
        Ok(bytes)
    }

    /// Reads a whole span and checks it.
    pub(super) fn read_checked(&self, span: &PackSpan) -> io::Result<Vec<u8>> {
        let length = usize::try_from(span.framed).map_err(io::Error::other)?;
        let bytes = self.read(span, 0, length)?;
        if check(&Sha256::hash(&bytes)) == span.check { Ok(bytes) } else { Err(self.damaged()) }
    }

    pub(super) fn damaged(&self) -> io::Error {
        let path = self.path.display();
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{path} is damaged: stop the server, delete the file, start the server again"),
        )
    }

    /// The texts of a revision.
    pub(super) fn texts(&self, entry: &PackEntry) -> Result<Vec<Text>, PackError> {
        let bytes = self.read_checked(&entry.texts).doing("read texts from", &self.path)?;
        let mut texts = Vec::new();
        let mut fields = Fields(&bytes);
        while !fields.0.is_empty() {
            let text = fields.text().ok_or_else(|| PackError::Damaged {
                path: self.path.clone(),
                what: "a list of texts is cut off",
            })?;
            texts.push(text);
        }
        Ok(texts)
    }
}

/// The index of a pack, checked, and where it begins.
struct Index {
    bytes: Vec<u8>,
    offset: u64,
}

fn damaged(path: &Path, what: &'static str) -> PackError {
    PackError::Damaged { path: path.to_owned(), what }
}

fn read_index(file: &File, path: &Path) -> Result<Index, PackError> {
    let damaged = |what| damaged(path, what);
    let length = file.metadata().doing("read", path)?.len();
    let mut magic = [0; MAGIC.len()];
    let trailer_at = length
        .checked_sub(TRAILER as u64)
        .filter(|at| *at >= MAGIC.len() as u64)
        .ok_or_else(|| damaged("it is too short"))?;
    file.read_exact_at(&mut magic, 0).doing("read", path)?;
    if magic != *MAGIC {
        return Err(damaged("it is of another version"));
    }
    let mut trailer = [0; TRAILER];
    file.read_exact_at(&mut trailer, trailer_at).doing("read", path)?;
    let mut fields = Fields(&trailer);
    let (Some(offset), Some(size), Some(digest)) = (fields.u64(), fields.u64(), fields.bytes(32))
    else {
        return Err(damaged("its end is cut off"));
    };
    if offset.checked_add(size) != Some(trailer_at) {
        return Err(damaged("its length is not what its end says"));
    }
    let mut bytes = vec![0; usize::try_from(size).map_err(|_| damaged("its index is too long"))?];
    file.read_exact_at(&mut bytes, offset).doing("read", path)?;
    if Sha256::hash(&bytes).as_bytes() != digest {
        return Err(damaged("its index has another digest"));
    }
    Ok(Index { bytes, offset })
}

fn read_entries(index: &Index, path: &Path) -> Result<Vec<(UpdateIdentity, PackEntry)>, PackError> {
    let mut entries = Vec::with_capacity(index.bytes.len() / ENTRY);
    let mut fields = Fields(&index.bytes);
    while !fields.0.is_empty() {
        let (identity, entry) =
            fields.entry().ok_or_else(|| damaged(path, "its index is cut off"))?;
        let fits =
            |s: &PackSpan| s.offset.checked_add(s.framed).is_some_and(|end| end <= index.offset);
        if ![entry.core, entry.extended, entry.texts].iter().all(fits) {
            return Err(damaged(path, "its index points outside"));
        }
        entries.push((identity, entry));
    }
    Ok(entries)
}
