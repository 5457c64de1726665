//! Writing a pack file.

use std::{
    io::{BufWriter, IntoInnerError, Write as _},
    path::{Path, PathBuf},
};

use bundle_format::digest::Sha256;
use tempfile::NamedTempFile;

use super::{
    error::PackError,
    file::{OpenPack, Pack},
    format::{ENTRY, MAGIC, PackEntry, PackSpan, Text, UNFINISHED, check, put_span, put_text},
    packed::Packed,
};
use crate::{durable, file_error::Doing as _, update::UpdateIdentity};

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
            .doing("begin a pack in", folder)?;
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
        let file = self.out.into_inner().map_err(IntoInnerError::into_error);
        file.and_then(|file| durable::persist(file, &path)).doing("write", &path)?;
        Pack::open(&path, number)
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
        let bytes = pack.read_checked(span).doing("read a fragment from", pack.path())?;
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
        self.out.write_all(bytes).doing("write a pack in", &self.folder)?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}
