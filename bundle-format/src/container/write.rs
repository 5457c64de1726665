//! Writing a volume.

use std::io::{self, Read, Write};

use super::{
    VolumeError, VolumeNote,
    layout::{BLOCK, NOTE_NAME, SUMS_NAME, Sums, TAIL, header, member_size},
    note::ObjectEntry,
};
use crate::{
    digest::{HashingReader, Sha256},
    limits::BundleLimits,
    trust::Head,
};

/// Bytes that a volume with these members takes on the medium, to the byte.
pub fn volume_size(note: &VolumeNote, head: &Head) -> u64 {
    let members: u64 = members(note, head).map(|(_, size)| member_size(size)).sum();
    members + BLOCK + sums_size(note, head) + TAIL as u64
}

/// Bytes of `SHA256SUMS` with its padding.
pub(super) fn sums_size(note: &VolumeNote, head: &Head) -> u64 {
    let size = members(note, head).map(|(name, _)| Sums::line_size(&name)).sum();
    member_size(size) - BLOCK
}

/// Name and size of all members but `SHA256SUMS`; not in order.
fn members(note: &VolumeNote, head: &Head) -> impl Iterator<Item = (String, u64)> {
    let note_size = note.to_bytes().map_or(0, |bytes| bytes.len() as u64);
    let files = head.files.iter().map(|(name, bytes)| (name.clone(), bytes.len() as u64));
    let objects = note.objects.iter().map(|object| (object.name(), object.size));
    std::iter::once((NOTE_NAME.to_owned(), note_size)).chain(files).chain(objects)
}

/// Writes one volume. The `tar` crate copies, pads and ends it; the headers are our one form. A
/// writer that is dropped before [`VolumeWriter::finish`] leaves an archive without `SHA256SUMS`,
/// which no reader accepts.
pub struct VolumeWriter<W: Write> {
    archive: tar::Builder<W>,
    objects: std::vec::IntoIter<ObjectEntry>,
    sums: Sums,
}

impl<W: Write> VolumeWriter<W> {
    /// Writes the head. Then come the objects of `note`, in its order.
    ///
    /// # Errors
    /// When writing fails, or the head holds names that a volume may not hold.
    pub fn new(inner: W, note: &VolumeNote, head: &Head) -> Result<Self, VolumeError> {
        let limits = BundleLimits::default();
        note.check(&limits).map_err(|what| misuse(format!("{NOTE_NAME}: {what}")))?;
        let note_bytes = note.to_bytes().map_err(misuse)?;
        if note_bytes.len() as u64 > limits.note_bytes || head.size() > limits.head_bytes {
            return Err(misuse(format!(
                "{NOTE_NAME} has {} bytes and the head {}; readers take at most {} and {}: use more \
                 volumes",
                note_bytes.len(),
                head.size(),
                limits.note_bytes,
                limits.head_bytes
            )));
        }
        let parts = head.parts(&limits).map_err(misuse)?;
        let mut writer = Self {
            archive: tar::Builder::new(inner),
            objects: note.objects.clone().into_iter(),
            sums: Sums::default(),
        };
        writer.member(NOTE_NAME, &note_bytes)?;
        for (part, bytes) in parts {
            writer.member(&part.name(), bytes)?;
        }
        Ok(writer)
    }

    /// Writes the next object from `source`, which must yield its bytes exactly. Hashes on the way;
    /// whole objects must match their name.
    ///
    /// # Errors
    /// When reading or writing fails or the bytes are not the object's.
    pub fn object(&mut self, source: &mut dyn Read) -> Result<(), VolumeError> {
        let object =
            self.objects.next().ok_or_else(|| misuse("all its objects are written already"))?;
        let name = object.name();
        let header = header(&name, object.size)?;
        let mut hashing = HashingReader::new(Read::take(&mut *source, object.size));
        self.archive.append(&header, &mut hashing)?;
        let (digest, copied) = hashing.finish();
        if copied != object.size || source.read(&mut [0])? != 0 {
            return Err(misuse(format!("{name} does not have the {} bytes named", object.size)));
        }
        if object.offset.is_none() && digest != object.sha256 {
            return Err(misuse(format!(
                "{name} has the digest {digest}: the store is damaged; run `tidegate check`"
            )));
        }
        self.sums.push(&name, digest);
        Ok(())
    }

    /// SHA-256 of `SHA256SUMS` as it stands so far; when all objects are written, it names the whole volume.
    pub fn checksums(&self) -> Sha256 {
        Sha256::hash(self.sums.as_bytes())
    }

    /// Writes `SHA256SUMS` and the end. All objects of the note must have been written.
    ///
    /// # Errors
    /// When an object is missing or writing fails.
    pub fn finish(mut self) -> Result<W, VolumeError> {
        if let Some(object) = self.objects.next() {
            return Err(misuse(format!("{} has not been written", object.name())));
        }
        let sums = std::mem::take(&mut self.sums);
        self.member(SUMS_NAME, sums.as_bytes())?;
        let mut inner = self.archive.into_inner()?;
        inner.flush()?;
        Ok(inner)
    }

    fn member(&mut self, name: &str, bytes: &[u8]) -> Result<(), VolumeError> {
        self.archive.append(&header(name, bytes.len() as u64)?, bytes)?;
        self.sums.push(name, Sha256::hash(bytes));
        Ok(())
    }
}

/// What the caller asked for cannot be a volume.
fn misuse(what: impl Into<String>) -> VolumeError {
    VolumeError::Io(io::Error::new(io::ErrorKind::InvalidInput, what.into()))
}
