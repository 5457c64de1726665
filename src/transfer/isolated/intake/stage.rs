//! The stage: what an import has read, until it moves to its place.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
};

use bundle_format::{
    container::ObjectEntry, digest::Sha256, index::SegmentRef, segment::PayloadRecord,
};
use tempfile::TempDir;

use super::{parts::Parts, placement::move_files};
use crate::{
    catalog::Catalog,
    content::ContentStore,
    data_dir::DataDir,
    file_error::{Doing as _, FileError},
    transfer::{error::TransferError, store::segments, volume::payload_table::digests_match},
};

type Result<T> = std::result::Result<T, TransferError>;

/// What an import has read so far, and where it belongs.
pub(crate) struct Stage {
    /// A folder in `incoming/` that goes with the stage.
    folder: TempDir,
    /// Where segments belong.
    segments: PathBuf,
    pub(super) content: ContentStore,
    /// Nothing but segments is written, and nothing moves to its place.
    pub(super) dry_run: bool,
    pub(super) staged_segments: BTreeSet<Sha256>,
    pub(super) staged_payloads: BTreeMap<Sha256, PayloadRecord>,
    /// Payloads that were here already and whose signed record was compared with the volume's bytes.
    pub(super) compared: HashSet<Sha256>,
    pub(super) parts: Parts,
    pub(crate) counts: IntakeCounts,
}

/// How much was taken in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct IntakeCounts {
    /// Objects that are new here.
    pub(crate) new: u64,
    /// Their bytes.
    pub(crate) new_bytes: u64,
    /// Objects that were here already.
    pub(crate) held: u64,
    /// Objects that nothing here asks for.
    pub(crate) skipped: u64,
}

impl Stage {
    /// A new, empty stage; what killed runs left is removed. The caller holds the lock.
    pub(crate) fn new(data: &DataDir, dry_run: bool) -> Result<Self> {
        let incoming = data.incoming();
        clear_incoming(&incoming)?;
        segments::remove_leftovers(data)?;
        fs::create_dir_all(&incoming).doing("make", &incoming)?;
        Ok(Self {
            folder: TempDir::new_in(&incoming).doing("make a folder in", &incoming)?,
            segments: data.segments(),
            content: ContentStore::open(&data.content())?,
            dry_run,
            staged_segments: BTreeSet::new(),
            staged_payloads: BTreeMap::new(),
            compared: HashSet::new(),
            parts: Parts::open(data.parts())?,
            counts: IntakeCounts::default(),
        })
    }

    /// The folder of this run, which goes with it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether there is nothing to be moved to its place.
    pub(crate) fn is_empty(&self) -> bool {
        self.staged_segments.is_empty() && self.staged_payloads.is_empty() && self.parts.is_empty()
    }

    /// Where a segment can be read, if it has come or was here.
    pub(crate) fn find_segment(&self, segment: &SegmentRef) -> Option<PathBuf> {
        if self.staged_segments.contains(&segment.sha256) {
            return Some(self.staged_path(&segment.sha256));
        }
        segments::find(&self.segments, segment)
    }

    /// The payloads that have come, with their signed records.
    pub(crate) fn payloads(&self) -> impl Iterator<Item = &PayloadRecord> {
        self.staged_payloads.values()
    }

    /// Whether the bytes of a payload without a row are here, and are what its signed record says:
    /// they have come, or a killed run has left them.
    pub(crate) fn has_bytes(&self, record: &PayloadRecord) -> Result<bool> {
        if self.staged_payloads.contains_key(&record.sha256) {
            return Ok(true);
        }
        if !self.content.contains(&record.sha256, record.size)? {
            return Ok(false);
        }
        if self.compared.contains(&record.sha256) {
            return Ok(true);
        }
        let digests = self.content.rehash(&record.sha256, &mut |_| {})?;
        Ok(digests.is_some_and(|found| digests_match(&found, record)))
    }

    /// Joins the parts of payloads that are whole now; everything has been read. Gives warnings.
    pub(crate) fn join_parts(&mut self) -> Result<Vec<String>> {
        let joined = self.parts.join(self.folder.path(), self.dry_run)?;
        self.counts.new += joined.whole.len() as u64 + joined.partial;
        self.staged_payloads.extend(joined.whole.into_iter().map(|record| (record.sha256, record)));
        Ok(joined.warnings)
    }

    /// How many bytes of a payload are here in parts.
    pub(crate) fn bytes_in_parts(&self, payload: &Sha256) -> u64 {
        self.parts.bytes_of(payload)
    }

    /// Removes kept parts of payloads that are not `wanted` any more.
    pub(crate) fn sweep_parts(
        &self,
        wanted: &mut dyn FnMut(&Sha256) -> Result<bool>,
    ) -> Result<()> {
        self.parts.sweep(wanted)
    }

    /// Moves everything to its place, for good.
    pub(crate) fn move_into_place(&mut self) -> Result<()> {
        let mut moves = Vec::new();
        if !self.staged_segments.is_empty() {
            fs::create_dir_all(&self.segments).doing("make", &self.segments)?;
        }
        for sha256 in &self.staged_segments {
            moves.push((self.staged_path(sha256), self.segments.join(sha256.to_string())));
        }
        for sha256 in self.staged_payloads.keys() {
            moves.push((self.staged_path(sha256), self.content.path(sha256)));
        }
        moves.extend(self.parts.moves());
        move_files(&moves)?;
        Ok(())
    }

    /// Where an object is written.
    pub(super) fn staged_path(&self, sha256: &Sha256) -> PathBuf {
        self.folder.path().join(sha256.to_string())
    }

    /// Whether a payload's bytes are here and count: no row says that they are lost.
    pub(super) fn has_object(
        &self,
        object: &ObjectEntry,
        catalog: Option<&Catalog>,
    ) -> Result<bool> {
        if self.parts.has_part(object) {
            return Ok(true);
        }
        let is_here = match object.offset {
            None => self.content.contains(&object.sha256, object.size)?,
            Some(_) => self.content.path(&object.sha256).is_file(),
        };
        let lost = match catalog {
            Some(catalog) if is_here => {
                catalog.payload(&object.sha256)?.is_some_and(|row| !row.present)
            }
            _ => false,
        };
        Ok(is_here && !lost)
    }
}

/// Removes what an earlier, killed import left; the caller holds the lock.
pub(crate) fn clear_incoming(incoming: &Path) -> std::result::Result<(), FileError> {
    match fs::remove_dir_all(incoming) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).doing("remove the leftovers in", incoming)
        }
        _ => Ok(()),
    }
}
