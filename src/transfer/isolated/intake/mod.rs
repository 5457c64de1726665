//! Intake: what arrives is hashed while it is copied to `incoming/`, and moves to its place only
//! when the whole bundle has proved to be in order.

mod parts;
pub(crate) mod sink;
mod space;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs::{self, File},
    path::{Path, PathBuf},
};

use bundle_format::{
    container::ObjectEntry,
    digest::{PayloadDigests, Sha256},
    index::SegmentRef,
    limits::BundleLimits,
    segment::PayloadRecord,
    trust::Freshness,
};
use tempfile::TempDir;

use crate::{
    catalog::Catalog,
    content::ContentStore,
    data_dir::DataDir,
    durable,
    file_error::Doing as _,
    transfer::{error::TransferError, kill, store::segments, volume::read::VolumeSink},
};
use parts::Parts;
use sink::VolumeIntake;

type Result<T> = std::result::Result<T, TransferError>;

/// Files that are synced at the same time.
const SYNCING: usize = 8;

/// What an import has read so far, and where it will belong.
pub(crate) struct Stage {
    folder: TempDir,
    segments: PathBuf,
    pub(crate) content: ContentStore,
    /// Nothing but segments is written, and nothing moves to its place.
    dry_run: bool,
    staged_segments: BTreeSet<Sha256>,
    staged_payloads: BTreeMap<Sha256, PayloadRecord>,
    /// Payloads that were here already and whose signed record was compared with the volume's bytes.
    compared: HashSet<Sha256>,
    parts: Parts,
    pub(crate) counts: IntakeCounts,
}

/// How much was taken.
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
        clear(&incoming)?;
        segments::sweep(data)?;
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
            return Some(self.staged(&segment.sha256));
        }
        let path = self.segments.join(segment.sha256.to_string());
        fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() == segment.size).then_some(path)
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
        Ok(digests.is_some_and(|found| is(&found, record)))
    }

    /// Takes one volume. `asked_for` are the segments of what is served and of what is pending: an
    /// older bundle may only fill their gaps.
    pub(crate) fn sink<'a>(
        &'a mut self,
        catalog: Option<&'a Catalog>,
        freshness: Freshness,
        asked_for: &'a [SegmentRef],
        limits: &'a BundleLimits,
    ) -> impl VolumeSink + 'a {
        VolumeIntake {
            stage: self,
            catalog,
            older: freshness == Freshness::Older,
            asked_for,
            gaps: HashSet::new(),
            limits,
            keep: false,
        }
    }

    /// Joins the parts of payloads that are whole now; everything has been read. Gives warnings.
    pub(crate) fn join(&mut self) -> Result<Vec<String>> {
        let joined = self.parts.join(self.folder.path(), self.dry_run)?;
        self.counts.new += joined.whole.len() as u64 + joined.partial;
        self.staged_payloads.extend(joined.whole.into_iter().map(|record| (record.sha256, record)));
        Ok(joined.warnings)
    }

    /// How many bytes of a payload are here in parts.
    pub(crate) fn in_parts(&self, payload: &Sha256) -> u64 {
        self.parts.here(payload)
    }

    /// Removes kept parts of payloads that are not `wanted` any more.
    pub(crate) fn sweep_parts(
        &self,
        wanted: &mut dyn FnMut(&Sha256) -> Result<bool>,
    ) -> Result<()> {
        self.parts.sweep(wanted)
    }

    /// Moves everything to its place: syncs all, renames all, syncs the folders.
    pub(crate) fn place(&mut self) -> Result<()> {
        let mut moves = Vec::new();
        if !self.staged_segments.is_empty() {
            fs::create_dir_all(&self.segments).doing("make", &self.segments)?;
        }
        for sha256 in &self.staged_segments {
            moves.push((self.staged(sha256), self.segments.join(sha256.to_string())));
        }
        for sha256 in self.staged_payloads.keys() {
            moves.push((self.staged(sha256), self.content.path(sha256)));
        }
        moves.extend(self.parts.moves());
        sync_all(&moves)?;
        let mut folders = BTreeSet::new();
        for (from, to) in &moves {
            if let Some(folder) = to.parent() {
                if !folder.is_dir() {
                    fs::create_dir_all(folder).doing("make", folder)?;
                    folders.extend(folder.parent().map(Path::to_owned));
                }
                folders.insert(folder.to_owned());
            }
            fs::rename(from, to).doing("move to its place", to)?;
            kill::step("object renamed");
        }
        for folder in folders {
            durable::sync_folder(&folder).doing("sync", &folder)?;
        }
        Ok(())
    }

    fn staged(&self, sha256: &Sha256) -> PathBuf {
        self.folder.path().join(sha256.to_string())
    }

    /// Whether a payload's bytes are here and count: no row says that they are lost.
    fn holds(&self, object: &ObjectEntry, catalog: Option<&Catalog>) -> Result<bool> {
        if self.parts.holds(object) {
            return Ok(true);
        }
        let here = match object.offset {
            None => self.content.contains(&object.sha256, object.size)?,
            Some(_) => self.content.path(&object.sha256).is_file(),
        };
        let lost = match catalog {
            Some(catalog) if here => {
                catalog.payload(&object.sha256)?.is_some_and(|row| !row.present)
            }
            _ => false,
        };
        Ok(here && !lost)
    }
}

/// Syncs files on several threads: a file system commits many at once about as fast as one.
fn sync_all(moves: &[(PathBuf, PathBuf)]) -> Result<()> {
    let sync = |from: &Path| -> Result<()> {
        let file = File::open(from).doing("open", from)?;
        read_only(&file).and_then(|()| file.sync_all()).doing("sync", from)?;
        kill::step("object synced");
        Ok(())
    };
    std::thread::scope(|scope| {
        let share = moves.len().div_ceil(SYNCING).max(1);
        let threads: Vec<_> = moves
            .chunks(share)
            .map(|moves| scope.spawn(|| moves.iter().try_for_each(|(from, _)| sync(from))))
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| {
                Ok(Err(std::io::Error::other("a thread stopped")).doing("sync", "incoming/")?)
            })
        })
    })
}

/// Removes what an earlier, killed import left; the caller holds the lock.
pub(crate) fn clear(incoming: &Path) -> Result<()> {
    match fs::remove_dir_all(incoming) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Ok(Err(e).doing("remove the leftovers in", incoming)?)
        }
        _ => Ok(()),
    }
}

/// Whether bytes with these digests are what a signed record says.
fn is(found: &PayloadDigests, record: &PayloadRecord) -> bool {
    (found.sha256, found.sha1, found.size) == (record.sha256, record.sha1, record.size)
        && found.chunks == record.chunks
}

/// Payloads and segments never change: no program shall write to one by mistake.
fn read_only(file: &File) -> std::io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o444);
    #[cfg(not(unix))]
    permissions.set_readonly(true);
    file.set_permissions(permissions)
}
