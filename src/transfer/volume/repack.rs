//! A finished bundle in volumes of another size. No key is needed: the snapshot is signed, not the
//! volume.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{Cursor, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use bundle_format::{
    container::ObjectEntry,
    digest::Sha256,
    index::{Index, SegmentKind},
    limits::BundleLimits,
    trust::{Expectation, TrustState, VerifiedHead, check_head},
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{
    layout::{Object, ObjectKind, lay_out},
    medium,
    source::{Source, read_whole},
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
    let sources = read_whole(bundles, progress)?;
    let Some(first) = sources.first() else {
        return Err(TransferError::Unfit { what: "no volume was named".to_owned() });
    };
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
    let written = write_volumes(&notes, head, out, &open, progress)?;
    Ok(RepackReport {
        volumes: written.into_iter().map(|volume| volume.path).collect(),
        before: u64::from(note.of),
        set_before: note.set,
        set,
        snapshot: note.snapshot,
        site: note.site.clone(),
        bytes: size_of(&notes, head),
    })
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
