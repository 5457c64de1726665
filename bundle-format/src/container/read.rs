//! Reading a volume, once, from front to end.

use std::io::{self, BufRead as _, BufReader, Read};

use bytes::Bytes;
use sha2::Digest as _;

use super::{
    VolumeError, VolumeNote,
    layout::{BLOCK, NOTE_NAME, SUMS_NAME, Sums, TAIL, header, member_size, padding},
    note::ObjectEntry,
    write::sums_size,
};
use crate::{
    digest::Sha256,
    limits::BundleLimits,
    trust::{DAMAGED, Head, Part},
};

/// Bytes read from the medium at a time, for headers and small members.
const BUFFER: usize = 256 * 1024;

/// Reads one volume, once, from front to end.
pub struct VolumeReader<R: Read> {
    inner: BufReader<R>,
    position: u64,
    sums: Sums,
    checksums: Option<Sha256>,
    objects: std::vec::IntoIter<ObjectEntry>,
    current: Option<Body>,
    /// Digest of the body read last.
    digest: Option<Sha256>,
    ended: bool,
}

/// The object that is being read.
struct Body {
    entry: ObjectEntry,
    left: u64,
    sha256: sha2::Sha256,
}

impl<R: Read> VolumeReader<R> {
    /// Reads the bounded head: nothing but tar headers, `VOLUME.json` and raw bytes is interpreted.
    ///
    /// # Errors
    /// When it is no volume, or over a limit.
    pub fn open(inner: R, limits: &BundleLimits) -> Result<(Self, VolumeNote, Head), VolumeError> {
        let mut reader = Self::new(inner);
        let note = reader.read_note(limits)?;
        let mut head = Head::default();
        let mut last = None;
        while !matches!(last, Some(Part::PolicyTarget(_))) {
            last = Some(reader.read_part(&mut head, last, limits)?);
        }
        let note = VolumeNote::from_bytes(&note, limits)
            .map_err(|what| reader.refused(format!("{NOTE_NAME}: {what}")))?;
        reader.objects = note.objects.clone().into_iter();
        Ok((reader, note, head))
    }

    /// The root files of a volume, as far as they can be read: a newer root counts, whatever is wrong
    /// with the rest of its volume. Nothing about them is checked.
    pub fn roots(inner: R, limits: &BundleLimits) -> Vec<Bytes> {
        let mut reader = Self::new(inner);
        let mut head = Head::default();
        let mut last = None;
        if reader.read_note(limits).is_ok() {
            while let Ok(part @ Part::Root(_)) = reader.read_part(&mut head, last, limits) {
                last = Some(part);
            }
        }
        head.roots()
    }

    fn new(inner: R) -> Self {
        Self {
            inner: BufReader::with_capacity(BUFFER, inner),
            position: 0,
            sums: Sums::default(),
            checksums: None,
            objects: Vec::new().into_iter(),
            current: None,
            digest: None,
            ended: false,
        }
    }

    /// The first member.
    fn read_note(&mut self, limits: &BundleLimits) -> Result<Bytes, VolumeError> {
        let (name, size) = self.any_header()?;
        if name != NOTE_NAME {
            return Err(self.refused("it is no Tidegate volume: VOLUME.json does not come first"));
        }
        self.read_small(&name, size, limits.note_bytes)
    }

    /// The member of the head that comes after `last`; it is added to `head`.
    fn read_part(
        &mut self,
        head: &mut Head,
        last: Option<Part>,
        limits: &BundleLimits,
    ) -> Result<Part, VolumeError> {
        let (name, size) = self.any_header()?;
        let part = Part::from_name(&name).filter(|part| part.follows(last)).ok_or_else(|| {
            self.refused(format!("{name:?} does not belong at this place of a volume"))
        })?;
        if matches!(part, Part::Root(version) if version > limits.roots) {
            return Err(self.refused(format!("it holds more than {} roots", limits.roots)));
        }
        if head.size().saturating_add(size) > limits.head_bytes {
            let limit = limits.head_bytes;
            return Err(self.refused(format!("its head is over the limit of {limit} bytes")));
        }
        let bytes = self.read_small(&name, size, part.limit(limits))?;
        if let Part::IndexTarget(digest) | Part::PolicyTarget(digest) = part
            && Sha256::hash(&bytes) != digest
        {
            return Err(self.refused(format!("{name} has another digest: {DAMAGED}")));
        }
        head.files.insert(name, bytes);
        Ok(part)
    }

    /// The next object's entry, or `None` when `SHA256SUMS` has been reached, checked against what
    /// was read, and the tail is in order. What was not read of the body before is read over.
    ///
    /// # Errors
    /// When the member is not the note's next one or breaks the subset.
    pub fn next_object(&mut self) -> Result<Option<ObjectEntry>, VolumeError> {
        if self.current.is_some() {
            io::copy(self, &mut io::sink())?;
        }
        if self.ended {
            return Ok(None);
        }
        let Some(entry) = self.objects.next() else {
            self.read_end()?;
            self.ended = true;
            return Ok(None);
        };
        self.expect_header(&entry.name(), entry.size)?;
        self.digest = None;
        self.current =
            Some(Body { entry: entry.clone(), left: entry.size, sha256: sha2::Sha256::new() });
        if entry.size == 0 {
            self.end_body()?;
        }
        Ok(Some(entry))
    }

    /// Digest of the object (or part) whose body was read to its end last: for whole objects it
    /// equals the name, so that nobody needs to hash them again.
    pub fn digest(&self) -> Option<Sha256> {
        self.digest
    }

    /// Bytes of the whole volume, as its head says: for what has no end of its own, such as a pipe. Asked
    /// for when the head has been read.
    pub fn volume_size(&self, note: &VolumeNote, head: &Head) -> u64 {
        let objects = note.objects.iter().map(|object| member_size(object.size));
        let rest = objects.fold(0_u64, u64::saturating_add);
        let end = BLOCK + sums_size(note, head) + TAIL as u64;
        self.position.saturating_add(rest).saturating_add(end)
    }

    /// Bytes of the volume read so far, for progress.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// SHA-256 of `SHA256SUMS`, when the end of the volume has been reached.
    pub fn checksums(&self) -> Option<Sha256> {
        self.checksums
    }

    /// `SHA256SUMS`, the tail, and the end of the medium.
    fn read_end(&mut self) -> Result<(), VolumeError> {
        let sums = std::mem::take(&mut self.sums);
        self.checksums = Some(Sha256::hash(sums.as_bytes()));
        let size = sums.as_bytes().len() as u64;
        self.expect_header(SUMS_NAME, size)?;
        let mut block = [0; 4096];
        for expected in sums.as_bytes().chunks(block.len()) {
            let found = block.get_mut(..expected.len()).unwrap_or_default();
            self.read_exactly(found, SUMS_NAME)?;
            if found != expected {
                return Err(self
                    .refused(format!("SHA256SUMS does not agree with what was read: {DAMAGED}")));
            }
        }
        self.read_zeros(padding(size), "the padding of SHA256SUMS")?;
        self.read_zeros(TAIL, "the end of the volume")?;
        if !self.inner.fill_buf()?.is_empty() {
            return Err(self.refused("bytes follow the end of the volume"));
        }
        Ok(())
    }

    /// A header that must be the one for this name and size.
    fn expect_header(&mut self, name: &str, size: u64) -> Result<(), VolumeError> {
        let at = self.position;
        let mut found = [0; 512];
        self.read_exactly(&mut found, name)?;
        if &found == header(name, size)?.as_bytes() {
            return Ok(());
        }
        let found = describe(&found);
        Err(VolumeError::Refused {
            at,
            what: format!(
                "{name} of {size} bytes must come here, but there is {found}: a member is missing, \
                 added, doubled, moved or of another size; {DAMAGED}"
            ),
        })
    }

    /// A header in the head, where name and size are not known beforehand: they are read, and then
    /// the header must be the one for them.
    fn any_header(&mut self) -> Result<(String, u64), VolumeError> {
        let at = self.position;
        let mut found = [0; 512];
        self.read_exactly(&mut found, "the head")?;
        let parsed = tar::Header::from_byte_slice(&found);
        let name = String::from_utf8(parsed.path_bytes().into_owned()).ok();
        let expected = name
            .zip(parsed.entry_size().ok())
            .filter(|(name, size)| header(name, *size).is_ok_and(|h| h.as_bytes() == &found));
        expected.ok_or_else(|| VolumeError::Refused {
            at,
            what: format!("a plain member must come here, but there is {}", describe(&found)),
        })
    }

    /// The body of a member of the head.
    fn read_small(&mut self, name: &str, size: u64, limit: u64) -> Result<Bytes, VolumeError> {
        if size > limit {
            return Err(self.refused(format!("{name} has {size} bytes; the limit is {limit}")));
        }
        let mut bytes = Vec::new();
        let read = self.inner.by_ref().take(size).read_to_end(&mut bytes)? as u64;
        self.position += read;
        if read < size {
            return Err(self.cut_off(name));
        }
        self.read_zeros(padding(size), "the padding of a member")?;
        self.sums.push(name, Sha256::hash(&bytes));
        Ok(bytes.into())
    }

    /// After the last byte of an object.
    fn end_body(&mut self) -> Result<(), VolumeError> {
        let Some(body) = self.current.take() else { return Ok(()) };
        let name = body.entry.name();
        let digest = Sha256::from_bytes(body.sha256.finalize().into());
        if body.entry.offset.is_none() && digest != body.entry.sha256 {
            return Err(self.refused(format!("{name} has another digest: {DAMAGED}")));
        }
        self.read_zeros(padding(body.entry.size), "the padding of a member")?;
        self.sums.push(&name, digest);
        self.digest = Some(digest);
        Ok(())
    }

    fn read_exactly(&mut self, buf: &mut [u8], what: &str) -> Result<(), VolumeError> {
        let mut filled = 0;
        while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.inner.read(rest) {
                Ok(0) => return Err(self.cut_off(what)),
                Ok(read) => {
                    filled += read;
                    self.position += read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(VolumeError::Io(error)),
            }
        }
        Ok(())
    }

    fn read_zeros(&mut self, count: usize, what: &str) -> Result<(), VolumeError> {
        let mut bytes = [0; TAIL];
        let bytes = bytes.get_mut(..count).unwrap_or_default();
        self.read_exactly(bytes, what)?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(self.refused(format!("{what} is not zero: {DAMAGED}")));
        }
        Ok(())
    }

    fn refused(&self, what: impl Into<String>) -> VolumeError {
        VolumeError::Refused { at: self.position, what: what.into() }
    }

    fn cut_off(&self, what: &str) -> VolumeError {
        self.refused(format!(
            "the volume is cut off in {what}; copy it again, and if that does not help, ask the \
             connected side for a new export"
        ))
    }
}

impl<R: Read> Read for VolumeReader<R> {
    /// Reads the body of the current object; 0 at its end. A volume that is cut off is an error
    /// (`UnexpectedEof`), never a short body; a whole object with another digest than its name is
    /// one too (`InvalidData`), at its end: until then nothing that was read may be used.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(body) = &mut self.current else { return Ok(0) };
        let room = usize::try_from(body.left).unwrap_or(usize::MAX).min(buf.len());
        let buf = buf.get_mut(..room).unwrap_or_default();
        if buf.is_empty() {
            return Ok(0);
        }
        let read = self.inner.read(buf)?;
        if read == 0 {
            let name = body.entry.name();
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, self.cut_off(&name)));
        }
        body.sha256.update(buf.get(..read).unwrap_or_default());
        body.left -= read as u64;
        let done = body.left == 0;
        self.position += read as u64;
        if done {
            self.end_body()?;
        }
        Ok(read)
    }
}

/// What a header that must not be there is, for people.
fn describe(found: &[u8; 512]) -> String {
    if found.iter().all(|byte| *byte == 0) {
        return "the end of an archive".to_owned();
    }
    if found.starts_with(&[0x1f, 0x8b]) || found.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return "a compressed file, which has to be unpacked first".to_owned();
    }
    if found.trim_ascii_start().starts_with(b"{") {
        return "a JSON file, which is no volume (`tidegate trust add` takes root files)"
            .to_owned();
    }
    let header = tar::Header::from_byte_slice(found);
    let name: String = String::from_utf8_lossy(&header.path_bytes()).chars().take(200).collect();
    let kind = match header.entry_type() {
        tar::EntryType::Regular => "the member",
        tar::EntryType::Link | tar::EntryType::Symlink => "a link",
        tar::EntryType::Directory => "a directory",
        tar::EntryType::Char | tar::EntryType::Block | tar::EntryType::Fifo => "a device",
        tar::EntryType::GNULongName | tar::EntryType::GNULongLink => "a long-name entry",
        tar::EntryType::XHeader | tar::EntryType::XGlobalHeader => "a PAX entry",
        _ => "something unknown",
    };
    match header.entry_size() {
        Ok(size) => format!("{kind} {name:?} of {size} bytes, or one with other attributes"),
        Err(_) => format!("{kind} {name:?} or no header at all"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_volume_is_said_to_be_what_it_is() {
        for (bytes, says) in [
            (&b"{\n  \"signatures\": []"[..], "trust add"),
            (&[0x1f, 0x8b, 8, 0], "unpacked first"),
        ] {
            let file = [bytes, &[b' '; 600]].concat();
            let opened = VolumeReader::open(&file[..], &BundleLimits::default());
            let refusal = opened.map(|_| ()).unwrap_err().to_string();
            assert!(refusal.contains(says), "{refusal}");
        }
    }
}
