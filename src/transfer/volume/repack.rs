//! A finished bundle in volumes of another size. No key is needed: the snapshot is signed, not the
//! volume.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{Cursor, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use bundle_format::{
    container::{ObjectEntry, VolumeNote, VolumeReader},
    digest::Sha256,
    index::{Index, SegmentKind},
    limits::BundleLimits,
    trust::{Expectation, Head, TrustState, VerifiedHead, check_head},
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{
    layout::{Object, ObjectKind, lay_out},
    medium,
    read::find_volumes,
    write::{size_of, write_volumes},
};
use crate::{
    file_error::Doing as _,
    transfer::{error::TransferError, progress::Progress},
};

type Result<T> = std::result::Result<T, TransferError>;

/// What was packed anew.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RepackReport {
    /// The new volumes, in order.
    pub volumes: Vec<PathBuf>,
    /// How many there were.
    pub before: u64,
    /// The set that they were.
    pub set_before: Uuid,
    /// The set that they are.
    pub set: Uuid,
    /// Of which snapshot.
    pub snapshot: u64,
    /// For which site.
    pub site: String,
    /// Bytes of the new volumes.
    pub bytes: u64,
}

/// Packs a whole bundle into volumes of another size, in the folder `out`, which is made if it is not
/// there. Every byte of the old volumes is checked first.
///
/// # Errors
/// [`Blame::Refused`](crate::transfer::Blame) when a volume is damaged, or does not belong to the
/// others; and when one is missing, or the disk fails.
pub fn repack(
    bundles: &[PathBuf],
    out: &Path,
    volume_size: Option<u64>,
    now: Timestamp,
    progress: &dyn Progress,
) -> Result<RepackReport> {
    let limits = BundleLimits::default();
    let paths = find_volumes(bundles)?;
    let total = paths.iter().filter_map(|path| fs::metadata(path).ok()).map(|m| m.len()).sum();
    progress.phase("verifying", Some(total));
    let sources = paths
        .into_iter()
        .map(|path| Source::read(path, &limits, progress))
        .collect::<Result<Vec<Source>>>()?;
    let first = whole_set(&sources)?;
    let verified = check_itself(first, now, &limits)?;
    let extents = Extents::of(&sources)?;
    let objects = extents.in_order(&verified.index);
    fs::create_dir_all(out).doing("make", out)?;
    let (volume_size, _) = medium::volume_limit(volume_size, medium::largest_file(out));
    let Source { note, head, .. } = first;
    let notes =
        lay_out(head, verified.index_digest, &note.site, note.snapshot, &objects, volume_size)?;
    let set = notes.first().map(|note| note.set).unwrap_or_default();
    let open = |entry: &ObjectEntry| extents.open(&sources, entry);
    Ok(RepackReport {
        volumes: write_volumes(&notes, head, out, &open, progress)?,
        before: u64::from(note.of),
        set_before: note.set,
        set,
        snapshot: note.snapshot,
        site: note.site.clone(),
        bytes: size_of(&notes, head),
    })
}

/// A volume, all bytes of which agree with what it says of itself.
struct Source {
    path: PathBuf,
    note: VolumeNote,
    head: Head,
    /// Where in the file the bytes of each object begin.
    places: Vec<u64>,
}

impl Source {
    fn read(path: PathBuf, limits: &BundleLimits, progress: &dyn Progress) -> Result<Self> {
        let file = File::open(&path).doing("open the volume", &path)?;
        let failed = |source| TransferError::Volume { path: path.clone(), source };
        let (mut reader, note, head) = VolumeReader::open(file, limits).map_err(failed)?;
        let mut places = Vec::new();
        let mut reached = 0;
        while reader.next_object().map_err(failed)?.is_some() {
            places.push(reader.position());
            let mut block = vec![0; 1 << 20];
            while reader.read(&mut block).map_err(|e| failed(e.into()))? > 0 {
                progress.advance(reader.position() - reached);
                reached = reader.position();
            }
        }
        progress.advance(reader.position() - reached);
        Ok(Self { path, note, head, places })
    }

    fn name(&self) -> std::path::Display<'_> {
        self.path.display()
    }
}

/// The first volume of a set that is whole and of one kind.
fn whole_set(sources: &[Source]) -> Result<&Source> {
    let unfit = |what: String| Err(TransferError::Unfit { what });
    let Some(first) = sources.first() else { return unfit("no volume was named".to_owned()) };
    let mut here: BTreeMap<u32, &Source> = BTreeMap::new();
    for source in sources {
        let (note, is) = (&source.note, first.note.set);
        if note.set != is || note.of != first.note.of {
            return unfit(format!(
                "{} and {} are of two different bundles: name the volumes of one",
                first.name(),
                source.name()
            ));
        }
        if source.head != first.head {
            return unfit(format!(
                "{} has other signatures than {}: countersign all volumes, or none",
                source.name(),
                first.name()
            ));
        }
        here.insert(note.volume, source);
    }
    let missing: Vec<String> =
        (1..=first.note.of).filter(|n| !here.contains_key(n)).map(|n| n.to_string()).collect();
    if !missing.is_empty() {
        return unfit(format!(
            "a bundle is divided anew as a whole, and of its {} volumes these are missing: {}",
            first.note.of,
            missing.join(", ")
        ));
    }
    Ok(first)
}

/// Whether the signatures hold under the first root of the volumes themselves. That says that they are
/// whole, not from whom they are: whoever imports them compares with the root that is trusted there.
fn check_itself(source: &Source, now: Timestamp, limits: &BundleLimits) -> Result<VerifiedHead> {
    let refused = |error| TransferError::Trust { path: source.path.clone(), source: error };
    let roots = source.head.roots();
    let root = roots.first().ok_or_else(|| TransferError::refused("the volume has no root"))?;
    let state = TrustState::pin(root).map_err(refused)?;
    let expect = Expectation { site: None, now, refuse_expired: false };
    check_head(&state, &source.head, &expect, limits).map_err(refused)
}

/// A piece of an object in a file.
#[derive(Clone, Copy)]
struct Extent {
    source: usize,
    at: u64,
    size: u64,
}

/// Where the bytes of each object are: by where in the object they begin.
struct Extents(BTreeMap<Sha256, BTreeMap<u64, Extent>>);

impl Extents {
    fn of(sources: &[Source]) -> Result<Self> {
        let mut extents: BTreeMap<Sha256, BTreeMap<u64, Extent>> = BTreeMap::new();
        for (source, volume) in sources.iter().enumerate() {
            for (entry, at) in volume.note.objects.iter().zip(&volume.places) {
                let extent = Extent { source, at: *at, size: entry.size };
                let pieces = extents.entry(entry.sha256).or_default();
                pieces.insert(entry.offset.unwrap_or_default(), extent);
            }
        }
        for (name, pieces) in &extents {
            let mut end = 0;
            for (offset, extent) in pieces {
                if *offset != end {
                    return Err(TransferError::refused(format!(
                        "the parts of {name} do not fit together: the volumes were changed"
                    )));
                }
                end += extent.size;
            }
        }
        Ok(Self(extents))
    }

    /// The objects as volumes have them: segments in the order of the index, then payloads by name.
    fn in_order(&self, index: &Index) -> Vec<Object> {
        let size = |name: &Sha256| Some(self.0.get(name)?.values().map(|e| e.size).sum::<u64>());
        let kinds: HashMap<Sha256, SegmentKind> =
            index.segments.iter().map(|segment| (segment.sha256, segment.kind)).collect();
        let segments = index.segments.iter().filter_map(|segment| {
            let kind = match segment.kind {
                SegmentKind::Payloads => ObjectKind::Table,
                _ => ObjectKind::Catalogue,
            };
            Some(Object { sha256: segment.sha256, size: size(&segment.sha256)?, kind })
        });
        let payloads = self.0.keys().filter(|name| !kinds.contains_key(name)).filter_map(|name| {
            Some(Object { sha256: *name, size: size(name)?, kind: ObjectKind::Payload })
        });
        segments.chain(payloads).collect()
    }

    /// The bytes of an object, or of a part of one, from all files that have a piece of them.
    fn open(&self, sources: &[Source], entry: &ObjectEntry) -> Result<Box<dyn Read>> {
        let (from, mut left) = (entry.offset.unwrap_or_default(), entry.size);
        let mut bytes: Box<dyn Read> = Box::new(Cursor::new([]));
        let Some(pieces) = self.0.get(&entry.sha256) else { return Ok(bytes) };
        let mut reached = from;
        for (offset, extent) in pieces {
            let end = offset + extent.size;
            if left == 0 || end <= reached {
                continue;
            }
            let Some(source) = sources.get(extent.source) else { continue };
            let (skip, take) = (reached - offset, (end - reached).min(left));
            let mut file = File::open(&source.path).doing("open the volume", &source.path)?;
            file.seek(SeekFrom::Start(extent.at + skip)).doing("read", &source.path)?;
            bytes = Box::new(Read::chain(bytes, file.take(take)));
            (reached, left) = (reached + take, left - take);
        }
        Ok(bytes)
    }
}
