//! Intake: what arrives is hashed while it is copied to `incoming/`, and moves to its place only
//! when the whole bundle has proved to be in order.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs::{self, File},
    io::{Seek as _, SeekFrom, Write},
    path::{Path, PathBuf},
};

use bundle_format::{
    container::{ObjectEntry, VolumeNote},
    digest::{CHUNK_SIZE, PayloadDigests, Sha256},
    index::SegmentRef,
    limits::Limits,
    segment::PayloadRecord,
    trust::{Freshness, VerifiedHead},
};
use tempfile::TempDir;

use super::{
    TransferError,
    error::io_error,
    keys::sync_folder,
    kill, named, spool,
    volumes::{Member, Sink, Table, Volume},
};
use crate::{
    catalog::Catalog,
    content::{ContentStore, hash_file},
    data_dir::DataDir,
};

type Result<T> = std::result::Result<T, TransferError>;

/// Room that is kept free beside the bytes that are known.
const MARGIN: u64 = 16 * 1024 * 1024;

/// Files that are synced at the same time.
const SYNCING: usize = 8;

/// What an import has read so far, and where it will belong.
pub(super) struct Stage {
    folder: TempDir,
    segments: PathBuf,
    pub(super) content: ContentStore,
    /// Nothing but segments is written, and nothing moves to its place.
    dry_run: bool,
    staged_segments: BTreeSet<Sha256>,
    staged_payloads: BTreeMap<Sha256, PayloadRecord>,
    /// Payloads that were here already and whose signed record was compared with the volume's bytes.
    compared: HashSet<Sha256>,
    /// Where the parts of a payload end that have come, from its beginning on without a gap.
    parts: HashMap<Sha256, u64>,
    pub(super) counts: Counts,
}

/// How much was taken.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    /// Objects that are new here.
    pub(super) new: u64,
    /// Their bytes.
    pub(super) new_bytes: u64,
    /// Objects that were here already.
    pub(super) held: u64,
    /// Objects that nothing here asks for.
    pub(super) skipped: u64,
}

impl Stage {
    /// A new, empty stage; what killed runs left is removed. The caller holds the lock.
    pub(super) fn new(data: &DataDir, dry_run: bool) -> Result<Self> {
        let incoming = data.incoming();
        clear(&incoming)?;
        spool::sweep(data)?;
        fs::create_dir_all(&incoming).map_err(io_error("make", &incoming))?;
        Ok(Self {
            folder: TempDir::new_in(&incoming).map_err(io_error("make a folder in", &incoming))?,
            segments: data.segments(),
            content: ContentStore::open(&data.content())?,
            dry_run,
            staged_segments: BTreeSet::new(),
            staged_payloads: BTreeMap::new(),
            compared: HashSet::new(),
            parts: HashMap::new(),
            counts: Counts::default(),
        })
    }

    /// The folder of this run, which goes with it.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether there is nothing to be moved to its place.
    pub(super) fn is_empty(&self) -> bool {
        self.staged_segments.is_empty() && self.staged_payloads.is_empty()
    }

    /// Where a segment can be read, if it has come or was here.
    pub(super) fn find_segment(&self, segment: &SegmentRef) -> Option<PathBuf> {
        if self.staged_segments.contains(&segment.sha256) {
            return Some(self.staged(&segment.sha256));
        }
        let path = self.segments.join(segment.sha256.to_string());
        fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() == segment.size).then_some(path)
    }

    /// The payloads that have come, with their signed records.
    pub(super) fn payloads(&self) -> impl Iterator<Item = &PayloadRecord> {
        self.staged_payloads.values()
    }

    /// Whether the bytes of a payload without a row are here, and are what its signed record says:
    /// they have come, or a killed run has left them.
    pub(super) fn has_bytes(&self, record: &PayloadRecord) -> Result<bool> {
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

    /// Proves that there is room for everything on the volumes that is not here yet, and for the
    /// catalogue to grow, before the first object is read.
    pub(super) fn prove_space(
        &self,
        volumes: &[Volume],
        catalog: Option<&Catalog>,
        data: &DataDir,
    ) -> Result<()> {
        let mut counted = HashSet::new();
        let mut needed = MARGIN;
        for Volume { note, verified, .. } in volumes {
            let segments: HashMap<Sha256, &SegmentRef> =
                verified.index.segments.iter().map(|s| (s.sha256, s)).collect();
            for object in &note.objects {
                if !counted.insert((object.sha256, object.offset)) {
                    continue;
                }
                let more = match segments.get(&object.sha256) {
                    Some(segment) if self.find_segment(segment).is_some() => 0,
                    // The records become rows, once in the log and once in the file.
                    Some(segment) => segment.size.saturating_add(segment.unpacked_size),
                    None if self.dry_run || self.holds(object, catalog)? => 0,
                    None => object.size,
                };
                needed = needed.saturating_add(more);
            }
        }
        let free = fs4::available_space(data.root())
            .map_err(io_error("ask for the free space of", data.root()))?;
        if free < needed {
            let path = data.root().to_owned();
            return Err(TransferError::NoSpace { path, needed, free, what: "this bundle" });
        }
        Ok(())
    }

    /// Takes one volume. `asked_for` are the segments of what is served and of what is pending: an
    /// older bundle may only fill their gaps.
    pub(super) fn sink<'a>(
        &'a mut self,
        catalog: Option<&'a Catalog>,
        freshness: Freshness,
        asked_for: &'a [SegmentRef],
        limits: &'a Limits,
    ) -> impl Sink + 'a {
        Taking {
            stage: self,
            catalog,
            older: freshness == Freshness::Older,
            asked_for,
            gaps: HashSet::new(),
            limits,
            keep: false,
        }
    }

    /// Moves everything to its place: syncs all, renames all, syncs the folders.
    pub(super) fn place(&mut self) -> Result<()> {
        let mut moves = Vec::new();
        if !self.staged_segments.is_empty() {
            fs::create_dir_all(&self.segments).map_err(io_error("make", &self.segments))?;
        }
        for sha256 in &self.staged_segments {
            moves.push((self.staged(sha256), self.segments.join(sha256.to_string())));
        }
        for sha256 in self.staged_payloads.keys() {
            moves.push((self.staged(sha256), self.content.path(sha256)));
        }
        sync_all(&moves)?;
        let mut folders = BTreeSet::new();
        for (from, to) in &moves {
            if let Some(folder) = to.parent() {
                if !folder.is_dir() {
                    fs::create_dir_all(folder).map_err(io_error("make", folder))?;
                    folders.extend(folder.parent().map(Path::to_owned));
                }
                folders.insert(folder.to_owned());
            }
            fs::rename(from, to).map_err(io_error("move to its place", to))?;
            kill::step("object renamed");
        }
        for folder in folders {
            sync_folder(&folder)?;
        }
        Ok(())
    }

    fn staged(&self, sha256: &Sha256) -> PathBuf {
        self.folder.path().join(sha256.to_string())
    }

    /// Whether a payload's bytes are here and count: no row says that they are lost.
    fn holds(&self, object: &ObjectEntry, catalog: Option<&Catalog>) -> Result<bool> {
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
        let file = File::open(from).map_err(io_error("open", from))?;
        read_only(&file).and_then(|()| file.sync_all()).map_err(io_error("sync", from))?;
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
                Err(io_error("sync", "incoming/")(std::io::Error::other("a thread stopped")))
            })
        })
    })
}

/// Removes what an earlier, killed import left; the caller holds the lock.
pub(super) fn clear(incoming: &Path) -> Result<()> {
    match fs::remove_dir_all(incoming) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(io_error("remove the leftovers in", incoming)(e))
        }
        _ => Ok(()),
    }
}

/// Whether bytes with these digests are what a signed record says.
fn is(found: &PayloadDigests, record: &PayloadRecord) -> bool {
    (found.sha256, found.sha1, found.size) == (record.sha256, record.sha1, record.size)
        && found.chunks == record.chunks
}

/// One volume being taken.
struct Taking<'a> {
    stage: &'a mut Stage,
    catalog: Option<&'a Catalog>,
    older: bool,
    asked_for: &'a [SegmentRef],
    /// Payloads that an older bundle may bring.
    gaps: HashSet<Sha256>,
    limits: &'a Limits,
    /// The member being read is to be kept.
    keep: bool,
}

impl Sink for Taking<'_> {
    fn begin(&mut self, member: &Member<'_>) -> Result<Option<Box<dyn Write + Send>>> {
        self.keep = false;
        let name = match member {
            Member::Segment(segment) => {
                if self.stage.find_segment(segment).is_some() {
                    self.stage.counts.held += 1;
                    return Ok(None);
                }
                if self.older && !self.asked_for.iter().any(|s| s.sha256 == segment.sha256) {
                    self.stage.counts.skipped += 1;
                    return Ok(None);
                }
                segment.sha256
            }
            Member::Payload(entry, record) => {
                let wanted = record.is_some() && (!self.older || self.gaps.contains(&entry.sha256));
                let held = self.stage.staged_payloads.contains_key(&entry.sha256)
                    || self.stage.holds(entry, self.catalog)?;
                if held || !wanted {
                    let counts = &mut self.stage.counts;
                    *if held { &mut counts.held } else { &mut counts.skipped } += 1;
                    return Ok(None);
                }
                entry.sha256
            }
        };
        self.keep = true;
        let path = self.stage.staged(&name);
        match member {
            Member::Payload(..) if self.stage.dry_run => Ok(None),
            Member::Payload(ObjectEntry { offset: Some(offset), .. }, _) => {
                let mut file = File::options()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .open(&path)
                    .map_err(io_error("write", &path))?;
                file.seek(SeekFrom::Start(*offset)).map_err(io_error("write", &path))?;
                Ok(Some(Box::new(file)))
            }
            _ => Ok(Some(Box::new(File::create(&path).map_err(io_error("write", &path))?))),
        }
    }

    fn end(&mut self, member: &Member<'_>) -> Result<()> {
        kill::step("object staged");
        if !self.keep {
            if let Member::Payload(ObjectEntry { sha256, offset: None, .. }, Some(_)) = member {
                self.stage.compared.insert(*sha256);
            }
            return Ok(());
        }
        match member {
            Member::Segment(segment) => {
                self.stage.counts.new_bytes += segment.size;
                self.stage.staged_segments.insert(segment.sha256);
            }
            Member::Payload(entry, Some(record)) => {
                self.stage.counts.new_bytes += entry.size;
                if !self.is_whole(entry, record)? {
                    return Ok(());
                }
                self.stage.staged_payloads.insert(record.sha256, (*record).clone());
            }
            // Never kept: nothing says what it should be.
            Member::Payload(_, None) => return Ok(()),
        }
        self.stage.counts.new += 1;
        Ok(())
    }

    fn table(&mut self, verified: &VerifiedHead, note: &VolumeNote) -> Result<Table> {
        let wanted: HashSet<Sha256> = note.objects.iter().map(|object| object.sha256).collect();
        let find = |segment: &SegmentRef| self.stage.find_segment(segment);
        let mut table = Table::default();
        named::collect_stored(&verified.index.segments, &wanted, self.limits, &find, &mut table)?;
        if table.complete && !self.older {
            return Ok(table);
        }
        let mut elsewhere = Table::default();
        named::collect_stored(self.asked_for, &wanted, self.limits, &find, &mut elsewhere)?;
        // What another snapshot leaves out is no gap, and says nothing of this one.
        elsewhere.records.retain(|_, record| record.not_carried.is_none());
        self.gaps.extend(elsewhere.records.keys());
        if !table.complete {
            for (sha256, record) in elsewhere.records {
                table.records.entry(sha256).or_insert(record);
            }
        }
        Ok(table)
    }
}

impl Taking<'_> {
    /// Whether all bytes of a payload have come. One that came in parts is hashed as a whole then:
    /// each part was compared with its chunk digests, but the name is that of the whole.
    fn is_whole(&mut self, entry: &ObjectEntry, record: &PayloadRecord) -> Result<bool> {
        let Some(offset) = entry.offset else { return Ok(true) };
        let end = self.stage.parts.entry(entry.sha256).or_insert(0);
        if offset <= *end {
            *end = (*end).max(offset + entry.size);
        }
        if *end < record.size {
            return Ok(false);
        }
        if self.stage.dry_run {
            return Ok(true);
        }
        let digests = hash_file(&self.stage.staged(&entry.sha256), &mut |_| {})?;
        if is(&digests, record) {
            return Ok(true);
        }
        Err(TransferError::refused(format!(
            "the parts of the payload {} (chunks of {CHUNK_SIZE} bytes) do not make the whole that the signed snapshot names",
            entry.sha256
        )))
    }
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
