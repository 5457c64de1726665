//! One pack file.
//!
//! ```text
//! magic (16 bytes, with the version)
//! fragments, framed Xpress blocks, one after another; after those of a revision its list of texts
//! index: for each revision identity (20 bytes) and three spans (32 bytes each)
//! offset and length of the index (8 bytes each), SHA-256 of the index
//! ```
//!
//! All numbers are little-endian. A span is offset, framed length, escaped length and the first 8
//! bytes of the SHA-256 of the framed bytes: enough against a failing disk, which is all that this
//! has to find.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use bundle_format::digest::Sha256;
use tempfile::NamedTempFile;
use uuid::Uuid;

use super::{error::PackError, packed::Packed};
use crate::update::{UpdateId, UpdateIdentity};

/// An open pack, with all that it holds.
pub(super) type OpenPack = (Arc<Pack>, Vec<(UpdateIdentity, PackEntry)>);

/// To be raised with every change of this format, and whenever `update::fragments` or the escaping
/// comes to give other bytes: older packs are then made again.
const MAGIC: &[u8; 16] = b"tidegate pack 1\n";
const TRAILER: usize = 8 + 8 + 32;
const SPAN: usize = 32;
const ENTRY: usize = 16 + 4 + 3 * SPAN;

/// Begin of the names of files that are being written.
pub(super) const UNFINISHED: &str = ".unfinished-";

/// Where something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PackSpan {
    pub(super) offset: u64,
    /// Bytes in the file.
    pub(super) framed: u64,
    /// Bytes when unpacked.
    pub(super) escaped: u64,
    pub(super) check: [u8; 8],
}

/// The fragments of one revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PackEntry {
    pub(super) core: PackSpan,
    pub(super) extended: PackSpan,
    /// The list of texts, not compressed.
    texts: PackSpan,
}

/// A fragment in some language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) eula: bool,
    pub(super) language: String,
    pub(super) geo_id: Option<String>,
    pub(super) span: PackSpan,
}

/// A finished pack, open for reading.
#[derive(Debug)]
pub(super) struct Pack {
    path: PathBuf,
    number: u64,
    file: File,
}

impl Pack {
    /// Opens a pack and reads its index.
    pub(super) fn open(
        path: &Path,
        number: u64,
    ) -> Result<(Self, Vec<(UpdateIdentity, PackEntry)>), PackError> {
        let io = |doing| PackError::io(doing, path);
        let damaged = |what| PackError::Damaged { path: path.to_owned(), what };
        let file = File::open(path).map_err(io("open"))?;
        let length = file.metadata().map_err(io("read"))?.len();
        let mut magic = [0; MAGIC.len()];
        let trailer_at = length
            .checked_sub(TRAILER as u64)
            .filter(|at| *at >= MAGIC.len() as u64)
            .ok_or_else(|| damaged("it is too short"))?;
        file.read_exact_at(&mut magic, 0).map_err(io("read"))?;
        if magic != *MAGIC {
            return Err(damaged("it is of another version"));
        }
        let mut trailer = [0; TRAILER];
        file.read_exact_at(&mut trailer, trailer_at).map_err(io("read"))?;
        let mut fields = Fields(&trailer);
        let (Some(offset), Some(size), Some(digest)) =
            (fields.u64(), fields.u64(), fields.take(32))
        else {
            return Err(damaged("its end is cut off"));
        };
        if offset.checked_add(size) != Some(trailer_at) {
            return Err(damaged("its length is not what its end says"));
        }
        let mut bytes =
            vec![0; usize::try_from(size).map_err(|_| damaged("its index is too long"))?];
        file.read_exact_at(&mut bytes, offset).map_err(io("read"))?;
        if Sha256::hash(&bytes).as_bytes() != digest {
            return Err(damaged("its index has another digest"));
        }
        let mut entries = Vec::with_capacity(bytes.len() / ENTRY);
        let mut fields = Fields(&bytes);
        while !fields.0.is_empty() {
            let (identity, entry) =
                fields.entry().ok_or_else(|| damaged("its index is cut off"))?;
            let fits =
                |s: &PackSpan| s.offset.checked_add(s.framed).is_some_and(|end| end <= offset);
            if ![entry.core, entry.extended, entry.texts].iter().all(fits) {
                return Err(damaged("its index points outside"));
            }
            entries.push((identity, entry));
        }
        Ok((Self { path: path.to_owned(), number, file }, entries))
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
        let bytes = self
            .read_checked(&entry.texts)
            .map_err(PackError::io("read texts from", &self.path))?;
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

/// The first bytes of a digest.
pub(super) fn check(digest: &Sha256) -> [u8; 8] {
    digest.as_bytes().first_chunk().copied().unwrap_or_default()
}

/// Writes one pack.
pub(super) struct PackWriter {
    folder: PathBuf,
    out: BufWriter<NamedTempFile>,
    offset: u64,
    entries: Vec<(UpdateIdentity, PackEntry)>,
}

impl PackWriter {
    pub(super) fn new(folder: &Path) -> Result<Self, PackError> {
        let file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(folder)
            .map_err(PackError::io("begin a pack in", folder))?;
        let mut writer = Self {
            folder: folder.to_owned(),
            out: BufWriter::with_capacity(1 << 20, file),
            offset: 0,
            entries: Vec::new(),
        };
        writer.write(MAGIC)?;
        Ok(writer)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a revision.
    pub(super) fn add(
        &mut self,
        identity: UpdateIdentity,
        packed: &Packed,
    ) -> Result<(), PackError> {
        let core = self.span(&packed.core.framed, packed.core.escaped)?;
        let extended = self.span(&packed.extended.framed, packed.extended.escaped)?;
        let mut texts = Vec::with_capacity(packed.texts.len());
        for text in &packed.texts {
            texts.push(Text {
                eula: text.eula,
                language: text.language.clone(),
                geo_id: text.geo_id.clone(),
                span: self.span(&text.piece.framed, text.piece.escaped)?,
            });
        }
        self.entry(identity, core, extended, &texts)
    }

    /// Takes a revision over from another pack.
    pub(super) fn copy(
        &mut self,
        identity: UpdateIdentity,
        pack: &Pack,
        entry: &PackEntry,
    ) -> Result<(), PackError> {
        let core = self.copy_span(pack, &entry.core)?;
        let extended = self.copy_span(pack, &entry.extended)?;
        let mut texts = pack.texts(entry)?;
        for text in &mut texts {
            text.span = self.copy_span(pack, &text.span)?;
        }
        self.entry(identity, core, extended, &texts)
    }

    /// Writes index and trailer, makes all of it durable and gives it its name.
    pub(super) fn finish(mut self, number: u64) -> Result<OpenPack, PackError> {
        let mut index = Vec::with_capacity(self.entries.len() * ENTRY);
        for (identity, entry) in &self.entries {
            index.extend_from_slice(identity.id.0.as_bytes());
            index.extend_from_slice(&identity.revision.to_le_bytes());
            for span in [entry.core, entry.extended, entry.texts] {
                put_span(&mut index, &span);
            }
        }
        let offset = self.offset;
        self.write(&index)?;
        self.write(&offset.to_le_bytes())?;
        self.write(&(index.len() as u64).to_le_bytes())?;
        self.write(Sha256::hash(&index).as_bytes())?;
        let path = self.folder.join(format!("{number}.pack"));
        let file =
            self.out.into_inner().map_err(|e| PackError::io("write", &path)(e.into_error()))?;
        file.as_file().sync_all().map_err(PackError::io("sync", &path))?;
        let file = file.persist(&path).map_err(|e| PackError::io("name", &path)(e.error))?;
        drop(file);
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(PackError::io("sync", &self.folder))?;
        let (pack, entries) = Pack::open(&path, number)?;
        Ok((Arc::new(pack), entries))
    }

    fn entry(
        &mut self,
        identity: UpdateIdentity,
        core: PackSpan,
        extended: PackSpan,
        texts: &[Text],
    ) -> Result<(), PackError> {
        let mut list = Vec::new();
        for text in texts {
            list.push(u8::from(text.eula));
            put_text(&mut list, &text.language);
            put_text(&mut list, text.geo_id.as_deref().unwrap_or_default());
            put_span(&mut list, &text.span);
        }
        let texts = self.span(&list, list.len() as u64)?;
        self.entries.push((identity, PackEntry { core, extended, texts }));
        Ok(())
    }

    fn copy_span(&mut self, pack: &Pack, span: &PackSpan) -> Result<PackSpan, PackError> {
        let bytes =
            pack.read_checked(span).map_err(PackError::io("read a fragment from", pack.path()))?;
        self.span(&bytes, span.escaped)
    }

    fn span(&mut self, framed: &[u8], escaped: u64) -> Result<PackSpan, PackError> {
        let span = PackSpan {
            offset: self.offset,
            framed: framed.len() as u64,
            escaped,
            check: check(&Sha256::hash(framed)),
        };
        self.write(framed)?;
        Ok(span)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), PackError> {
        self.out.write_all(bytes).map_err(PackError::io("write a pack in", &self.folder))?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}

fn put_span(out: &mut Vec<u8>, span: &PackSpan) {
    for number in [span.offset, span.framed, span.escaped] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&span.check);
}

/// Languages and countries are a few letters; what is longer than 255 bytes is none and is cut.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    let cut = text.floor_char_boundary(usize::from(length));
    out.push(u8::try_from(cut).unwrap_or(u8::MAX));
    out.extend_from_slice(text.get(..cut).unwrap_or_default().as_bytes());
}

/// Reads numbers off the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(front)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn span(&mut self) -> Option<PackSpan> {
        Some(PackSpan {
            offset: self.u64()?,
            framed: self.u64()?,
            escaped: self.u64()?,
            check: self.array()?,
        })
    }

    fn entry(&mut self) -> Option<(UpdateIdentity, PackEntry)> {
        let id = UpdateId(Uuid::from_bytes(self.array()?));
        let revision = u32::from_le_bytes(self.array()?);
        let entry = PackEntry { core: self.span()?, extended: self.span()?, texts: self.span()? };
        Some((UpdateIdentity { id, revision }, entry))
    }

    fn string(&mut self) -> Option<String> {
        let [length] = self.array()?;
        String::from_utf8(self.take(usize::from(length))?.to_vec()).ok()
    }

    fn text(&mut self) -> Option<Text> {
        let [eula] = self.array()?;
        let language = self.string()?;
        let geo_id = Some(self.string()?).filter(|geo| !geo.is_empty());
        Some(Text { eula: eula == 1, language, geo_id, span: self.span()? })
    }
}
