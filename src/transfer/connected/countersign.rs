//! A second person signs a snapshot: the newest one of a data folder, or finished volumes in place, on any
//! machine.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    io::{BufReader, Seek as _, copy},
    path::{Path, PathBuf},
};

use bundle_format::{
    container::{CountersignError, VolumeReader, countersign_volume},
    digest::Sha256,
    index::{SegmentKind, SegmentRef},
    keys::SigningKey,
    limits::BundleLimits,
    segment::SegmentReader,
    trust::{self, Head, SealSummary},
};
use uuid::Uuid;

use super::to_sign::{ContentsToSign, SnapshotToSign, decisions};
use crate::{
    catalog::Catalog,
    data_dir::DataDir,
    file_error::Doing as _,
    transfer::{
        error::TransferError,
        store::{heads, segments, side::require_connected, trust as trust_state},
        volume::read::find_volumes,
    },
    update::UpdateId,
};

type Result<T> = std::result::Result<T, TransferError>;

/// Segments up to so many bytes stay in memory; larger ones go to an unnamed temporary file.
const IN_MEMORY: usize = 32 * 1024 * 1024;

/// What a countersigner should look at before [`countersign`]: sites, numbers, and what changed since the
/// snapshot before.
///
/// # Errors
/// When there is no snapshot, or it is damaged.
pub fn inspect_for_signing(data: &DataDir) -> Result<SnapshotToSign> {
    let (catalog, head) = newest_snapshot(data)?;
    let summary = summarize(&head)?;
    let number = summary.index.snapshot;
    let before = catalog.snapshots()?.into_iter().rev().find(|row| row.number < number);
    let (mut old_policy, mut old_segments) = (None, Vec::new());
    if let Some(before) = &before {
        old_policy = Some(summarize(&heads::load(data, before.number)?)?.policy);
        old_segments = catalog.segments_of(before.number)?;
    }
    let changed = decisions(old_policy.as_ref(), &summary.policy);
    let mut contents = ContentsToSign::new(&changed.first);
    let mut unread = 0;
    let open = |segment: &SegmentRef| {
        let path = data.segments().join(segment.sha256.to_string());
        segments::open(&path, segment, &BundleLimits::default(), segments::refused)
    };
    // Segments that were merged into new ones: what they had is not new. They may be gone.
    let kept: HashSet<Sha256> = summary.index.segments.iter().map(|s| s.sha256).collect();
    for segment in catalogue(&old_segments).filter(|segment| !kept.contains(&segment.sha256)) {
        match data.segments().join(segment.sha256.to_string()).exists() {
            true => contents.know(open(segment)?)?,
            false => unread += 1,
        }
    }
    let old: HashSet<Sha256> = old_segments.iter().map(|s| s.sha256).collect();
    for segment in catalogue(&summary.index.segments).filter(|s| !old.contains(&s.sha256)) {
        contents.read(open(segment)?)?;
    }
    let title = |update: Uuid| {
        Ok(catalog.revisions_of(UpdateId(update))?.pop().map(|revision| revision.title))
    };
    let shown = contents.finish(summary, changed, &title)?;
    Ok(SnapshotToSign {
        since: before.map(|before| before.number),
        unread_segments: unread,
        ..shown
    })
}

/// Adds the signature of a second person to the newest snapshot, which must be the one that was shown.
///
/// # Errors
/// When another one was sealed since, the key may not sign it or has done so, or the disk fails.
pub fn countersign(
    data: &DataDir,
    shown: &SnapshotToSign,
    key: &Path,
    passphrase: Option<&str>,
) -> Result<SealSummary> {
    require_connected(data)?;
    let _lock = trust_state::lock(data)?;
    let (_, mut head) = newest_snapshot(data)?;
    let key = SigningKey::load(key, passphrase)?;
    trust::countersign(&mut head, &key, &shown.timestamp_sha256)
        .map_err(|source| TransferError::Sign { doing: "countersign the snapshot", source })?;
    let summary = summarize(&head)?;
    heads::store(data, summary.index.snapshot, &head)?;
    Ok(summary)
}

/// What a countersigner should look at before [`countersign_volumes`]: what is on these volumes, which must
/// be of one snapshot. Payloads are not read.
///
/// # Errors
/// When a volume cannot be read, is damaged, or is of another snapshot.
pub fn inspect_volumes_for_signing(bundles: &[PathBuf]) -> Result<SnapshotToSign> {
    let limits = BundleLimits::default();
    let paths = find_volumes(bundles)?;
    let mut first: Option<(SealSummary, ContentsToSign)> = None;
    let mut read = HashSet::new();
    for path in &paths {
        let file = File::open(path).doing("open the volume", path)?;
        let (mut reader, note, head) = VolumeReader::open(BufReader::new(file), &limits)
            .map_err(|source| TransferError::Volume { path: path.clone(), source })?;
        let summary = trust::inspect_for_signing(&head, &limits)
            .map_err(|source| TransferError::Trust { path: path.clone(), source })?;
        note.check_against(&summary.index)
            .map_err(|source| TransferError::Volume { path: path.clone(), source })?;
        let (shown, contents) = first.get_or_insert_with(|| {
            let decided = decisions(None, &summary.policy);
            (summary.clone(), ContentsToSign::new(&decided.first))
        });
        if shown.timestamp_digest != summary.timestamp_digest {
            return Err(TransferError::Unfit {
                what: format!(
                    "{} is of snapshot {}, and {} of snapshot {}: sign one snapshot at a time",
                    path.display(),
                    summary.index.snapshot,
                    paths.first().unwrap_or(path).display(),
                    shown.index.snapshot
                ),
            });
        }
        // Of volumes that are signed already, the one with the fewest signatures says what is missing.
        if summary.signatures < shown.signatures {
            *shown = summary;
        }
        read_segments(&mut reader, path, &shown.index.segments, &mut read, contents)?;
    }
    let (summary, contents) =
        first.ok_or_else(|| TransferError::Unfit { what: "no volume was named".to_owned() })?;
    let unread = catalogue(&summary.index.segments).filter(|s| !read.contains(&s.sha256)).count();
    let decided = decisions(None, &summary.policy);
    let shown = contents.finish(summary, decided, &|_| Ok(None))?;
    Ok(SnapshotToSign { unread_segments: unread as u64, volumes: paths, ..shown })
}

/// Adds the signature of a second person to the volumes that were shown, in place. One that the key has
/// signed already stays as it is. Gives how many were signed now.
///
/// # Errors
/// When a volume is another one than was shown, the key may not sign one, or the medium cannot be written; volumes before it are signed then.
pub fn countersign_volumes(
    shown: &SnapshotToSign,
    key: &Path,
    passphrase: Option<&str>,
) -> Result<u64> {
    let key = SigningKey::load(key, passphrase)?;
    let mut signed = 0;
    for path in &shown.volumes {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .doing("open for signing the volume", path)?;
        let before = VolumeReader::open(BufReader::new(&file), &BundleLimits::default())
            .map_err(|source| TransferError::Volume { path: path.clone(), source })?;
        let summary = trust::inspect_for_signing(&before.2, &BundleLimits::default())
            .map_err(|source| TransferError::Trust { path: path.clone(), source })?;
        if summary.signers.contains(&key.key_id()) {
            continue;
        }
        countersign_volume(&mut file, &key, &shown.timestamp_sha256, &BundleLimits::default())
            .map_err(|error| match error {
                CountersignError::Trust(source) => {
                    TransferError::Trust { path: path.clone(), source }
                }
                CountersignError::Volume(source) => {
                    TransferError::Volume { path: path.clone(), source }
                }
                _ => TransferError::Unfit { what: format!("cannot sign {}", path.display()) },
            })?;
        file.sync_all().doing("sync", path)?;
        signed += 1;
    }
    Ok(signed)
}

/// Reads the catalogue of a volume; it comes before the payloads.
fn read_segments(
    reader: &mut VolumeReader<BufReader<File>>,
    path: &Path,
    segments: &[SegmentRef],
    read: &mut HashSet<Sha256>,
    contents: &mut ContentsToSign,
) -> Result<()> {
    let wrong = |source| TransferError::Volume { path: path.to_owned(), source };
    while let Some(entry) = reader.next_object().map_err(wrong)? {
        let Some(segment) = segments.iter().find(|s| s.sha256 == entry.sha256) else { break };
        if segment.kind != SegmentKind::Catalogue || !read.insert(segment.sha256) {
            continue;
        }
        if entry.offset.is_some() || entry.size != segment.size {
            return Err(TransferError::refused(format!(
                "{}: a part of the catalogue has another size than the signed index says",
                path.display()
            )));
        }
        // Whole and hashed before it is unpacked.
        let mut spool = tempfile::SpooledTempFile::new(IN_MEMORY);
        copy(reader, &mut spool).doing("read the catalogue of", path)?;
        spool.rewind().doing("read back the catalogue of", path)?;
        let records = SegmentReader::new(spool, segment, &BundleLimits::default())
            .map_err(segments::refused)?;
        contents.read(records)?;
    }
    Ok(())
}

fn catalogue(segments: &[SegmentRef]) -> impl Iterator<Item = &SegmentRef> {
    segments.iter().filter(|segment| segment.kind == SegmentKind::Catalogue)
}

fn summarize(head: &Head) -> Result<SealSummary> {
    trust::inspect_for_signing(head, &BundleLimits::default())
        .map_err(|source| TransferError::Sign { doing: "read the snapshot to be signed", source })
}

/// The catalogue, and the signed head of the newest snapshot.
fn newest_snapshot(data: &DataDir) -> Result<(Catalog, Head)> {
    require_connected(data)?;
    let catalog = Catalog::open(&data.catalog())?;
    let last = catalog.snapshots()?.pop();
    let last = last.ok_or_else(|| TransferError::Unfit {
        what: "there is no snapshot yet: run `tidegate seal` first".to_owned(),
    })?;
    let head = heads::load(data, last.number)?;
    Ok((catalog, head))
}
