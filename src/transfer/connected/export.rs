//! Packing what a site lacks into volumes. What was packed is noted as built, not as delivered: a
//! lost bundle is replaced by one with `--full`, or by one with what the site says is missing.

use std::{
    fs,
    io::{self, BufWriter, Cursor, IntoInnerError, Read},
    path::{Path, PathBuf},
};

use bundle_format::{
    container::{self, ObjectEntry, VolumeNote, VolumeWriter},
    digest::Sha256,
    index::SegmentKind,
    trust::Head,
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{
    layout::{Object, ObjectKind, lay_out},
    medium::{self, LARGEST_ON_FAT},
    seal::seal_locked,
    seal_options::{SealOptions, SealOutcome},
};
use crate::{
    catalog::Catalog,
    content::ContentStore,
    data_dir::DataDir,
    durable,
    error_chain::causes,
    file_error::Doing as _,
    transfer::{
        error::TransferError,
        kill,
        progress::Progress,
        store::{heads, side::require_connected, trust},
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// How to export.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// Everything that the snapshot names, whatever was packed before.
    pub full: bool,
    /// No volume larger than so many bytes.
    pub volume_size: Option<u64>,
    /// How to seal first.
    pub seal: SealOptions,
}

/// What was exported.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExportReport {
    /// The finished volumes, in order.
    pub volumes: Vec<PathBuf>,
    /// For which site.
    pub site: String,
    /// Of which snapshot.
    pub snapshot: u64,
    /// The set of these volumes.
    pub set: Uuid,
    /// Bytes of all volumes.
    pub bytes: u64,
    /// No volume was to be larger than so many bytes.
    pub volume_size: Option<u64>,
    /// Whether that is the limit of the medium's file system, and less than was asked for.
    pub limited_by_medium: bool,
    /// Segments packed.
    pub segments: u64,
    /// Payloads packed.
    pub payloads: u64,
    /// Bytes of these payloads.
    pub payload_bytes: u64,
    /// Payloads that are here and left out, because only declined updates need them.
    pub not_carried: u64,
    /// Their bytes.
    pub not_carried_bytes: u64,
    /// What sealing did first.
    pub sealed: SealOutcome,
}

/// Seals if the mirror has changed, and packs for `site` what it has not been given yet into
/// volumes in the folder `out`. The same snapshot, record of what was packed, and options give the
/// same bytes.
///
/// # Errors
/// When sealing fails, a countersignature is missing, `out` has no room, or a payload on this side
/// is not what it was. Nothing is noted as packed then.
pub fn export(
    data: &DataDir,
    site: &str,
    out: &Path,
    created: Timestamp,
    options: &ExportOptions,
    progress: &dyn Progress,
) -> Result<ExportReport> {
    let sealing = SealOptions { add_site: Some(site.to_owned()), ..options.seal.clone() };
    require_connected(data)?;
    // Held until the packed objects are noted: a snapshot sealed in between would carry others.
    let _lock = trust::lock(data)?;
    let sealed = seal_locked(data, created, &sealing, progress)?;
    require_signatures(&sealed)?;
    let head = heads::load(data, sealed.snapshot)?;
    let mut catalog = Catalog::open(&data.catalog())?;
    let objects = objects_to_pack(&catalog, site, sealed.snapshot, options.full)?;
    fs::create_dir_all(out).doing("make", out)?;
    // A stick says itself what it cannot take; a size that was given stays, when it is smaller.
    let (volume_size, limited_by_medium) =
        medium::volume_limit(options.volume_size, medium::largest_file(out));
    let notes = lay_out(&head, sealed.index, site, sealed.snapshot, &objects, volume_size)?;
    let bytes = notes.iter().map(|note| container::volume_size(note, &head)).sum();
    let free = fs4::available_space(out).doing("ask for the free space of", out)?;
    if free < bytes {
        let path = out.to_owned();
        return Err(TransferError::NoSpace { path, needed: bytes, free, what: "the volumes" });
    }

    progress.phase("packing", Some(bytes));
    remove_leftovers(out)?;
    let content = ContentStore::open(&data.content())?;
    let mut volumes = Vec::new();
    for note in &notes {
        volumes.push(write_volume(data, &content, &head, note, out, progress)?);
    }
    medium::sync_folder(out).doing("sync", out)?;
    let mut writer = catalog.write()?;
    for object in &objects {
        writer.mark_packed(site, &object.sha256, sealed.snapshot)?;
    }
    writer.commit()?;
    let (not_carried, not_carried_bytes) = catalog.left_out_here()?;
    let payloads = || objects.iter().filter(|object| object.kind == ObjectKind::Payload);
    Ok(ExportReport {
        volumes,
        site: site.to_owned(),
        snapshot: sealed.snapshot,
        set: notes.first().map(|note| note.set).unwrap_or_default(),
        bytes,
        volume_size,
        limited_by_medium,
        segments: (objects.len() - payloads().count()) as u64,
        payloads: payloads().count() as u64,
        payload_bytes: payloads().map(|object| object.size).sum(),
        not_carried,
        not_carried_bytes,
        sealed,
    })
}

fn require_signatures(sealed: &SealOutcome) -> Result<()> {
    let (there, needed) = sealed.signatures;
    if there < needed {
        return Err(TransferError::Unfit {
            what: format!(
                "snapshot {} has {there} of {needed} signatures: have it countersigned with `tidegate sign` first",
                sealed.snapshot
            ),
        });
    }
    Ok(())
}

/// What the site lacks: segments in the order of the index, then payloads by name, ascending. A
/// volume may have no other order.
fn objects_to_pack(
    catalog: &Catalog,
    site: &str,
    snapshot: u64,
    full: bool,
) -> Result<Vec<Object>> {
    let mut objects = Vec::new();
    for segment in catalog.segments_of(snapshot)? {
        if full || !catalog.is_packed(site, &segment.sha256)? {
            let kind = match segment.kind {
                SegmentKind::Payloads => ObjectKind::Table,
                _ => ObjectKind::Catalogue,
            };
            objects.push(Object { sha256: segment.sha256, size: segment.size, kind });
        }
    }
    catalog.payloads_to_pack(site, full, &mut |sha256, size| {
        objects.push(Object { sha256, size, kind: ObjectKind::Payload });
    })?;
    Ok(objects)
}

/// Writes one volume under a temporary name; when it is whole and synced, it gets its final name.
fn write_volume(
    data: &DataDir,
    content: &ContentStore,
    head: &Head,
    note: &VolumeNote,
    out: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf> {
    try_volume(data, content, head, note, out, progress)
        .map_err(|error| too_large(error, note, head, out))
}

fn try_volume(
    data: &DataDir,
    content: &ContentStore,
    head: &Head,
    note: &VolumeNote,
    out: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf> {
    let path = out.join(file_name(note));
    let failed = |source| TransferError::Export { path: path.clone(), source };
    let file = tempfile::Builder::new()
        .prefix(".tidegate-")
        .suffix(".partial")
        .tempfile_in(out)
        .doing("write in", out)?;
    // The lock says that this file is still being written. Not every medium can lock.
    let _ = file.as_file().try_lock_shared();
    let mut writer =
        VolumeWriter::new(BufWriter::with_capacity(1 << 20, file), note, head).map_err(failed)?;
    for entry in &note.objects {
        let source = open_object(data, content, entry)?;
        writer.object(&mut ProgressReader { source, progress }).map_err(failed)?;
    }
    kill::step("objects packed");
    let file = writer.finish().map_err(failed)?;
    let file = file.into_inner().map_err(IntoInnerError::into_error).doing("write", &path)?;
    medium::make_readable(file.path()).doing("set the permissions of", &path)?;
    durable::rename(file, &path).doing("keep", &path)?;
    kill::step("volume renamed");
    Ok(path)
}

/// Says which size to give when the file system takes no volume as large as this one.
fn too_large(error: TransferError, note: &VolumeNote, head: &Head, out: &Path) -> TransferError {
    let is_limit = |cause: &io::Error| cause.kind() == io::ErrorKind::FileTooLarge;
    if !causes(&error).filter_map(|cause| cause.downcast_ref()).any(is_limit) {
        return error;
    }
    let size = container::volume_size(note, head);
    let give = match size > LARGEST_ON_FAT {
        true => "`--volume-size fat32` (4 GiB)".to_owned(),
        false => format!("a `--volume-size` that it takes, below {size}"),
    };
    TransferError::VolumeTooLarge { out: out.to_owned(), size, give }
}

/// Removes half-written volumes of killed exports from the folder.
fn remove_leftovers(out: &Path) -> Result<()> {
    for entry in fs::read_dir(out).doing("list", out)? {
        let path = entry.doing("list", out)?.path();
        let ours = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(".tidegate-") && name.ends_with(".partial"));
        if !ours {
            continue;
        }
        let file = fs::File::open(&path).doing("open the leftover", &path)?;
        if file.try_lock().is_ok() {
            fs::remove_file(&path).doing("remove the leftover", &path)?;
        }
    }
    Ok(())
}

/// The file name of a volume, which sorts by site and snapshot:
/// `tidegate-plant-7-000012-1a2b3c4d-1of1.tar`.
fn file_name(note: &VolumeNote) -> String {
    let set = note.set.simple().to_string();
    format!(
        "tidegate-{}-{:06}-{}-{}of{}.tar",
        note.site,
        note.snapshot,
        set.get(..8).unwrap_or_default(),
        note.volume,
        note.of
    )
}

fn open_object(
    data: &DataDir,
    content: &ContentStore,
    entry: &ObjectEntry,
) -> Result<Box<dyn Read>> {
    let segment = data.segments().join(entry.sha256.to_string());
    let mut file = if segment.exists() {
        fs::File::open(&segment).doing("open the segment", &segment)?
    } else {
        content.read(&entry.sha256)?
    };
    if entry.size == 0 {
        return Ok(Box::new(Cursor::new([])));
    }
    if let Some(offset) = entry.offset {
        use std::io::{Seek as _, SeekFrom};
        file.seek(SeekFrom::Start(offset)).doing("read", object_name(&entry.sha256))?;
    }
    Ok(Box::new(file.take(entry.size)))
}

fn object_name(sha256: &Sha256) -> PathBuf {
    PathBuf::from(sha256.to_string())
}

struct ProgressReader<'a> {
    source: Box<dyn Read>,
    progress: &'a dyn Progress,
}

impl Read for ProgressReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buf)?;
        self.progress.advance(n as u64);
        Ok(n)
    }
}
