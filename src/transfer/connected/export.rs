//! Packing what a site lacks into volumes. What was packed is noted as built, not as delivered: a
//! lost bundle is replaced by one with `--full`, or by one with what the site says is missing.

use std::{
    fs,
    io::{BufWriter, Cursor, IntoInnerError, Read, Write},
    path::{Path, PathBuf},
};

use bundle_format::{
    container::{self, ObjectEntry, VolumeNote, VolumeWriter},
    digest::Sha256,
    needs::NeedsRequest,
    trust::Head,
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{
    layout::{Object, ObjectKind, lay_out},
    medium,
    seal::seal_locked,
    seal_options::{SealOptions, SealOutcome},
    selection::{Answer, ExportSelection, answer, objects_to_pack},
    signing::count_signatures,
};
use crate::{
    catalog::Catalog,
    content::ContentStore,
    data_dir::DataDir,
    durable,
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
    /// What to pack.
    pub selection: ExportSelection,
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
    /// What sealing did first; nothing is sealed for the needs of a site.
    pub sealed: Option<SealOutcome>,
    /// What the site asked for and cannot get.
    pub unanswered: Vec<String>,
}

/// Packs for `site` what the selection says into volumes in the folder `out`; seals first if the mirror
/// has changed, but for the needs of a site. The same snapshot, record of what was packed, and options
/// give the same bytes.
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
    export_to(data, site, Target::Folder(out), created, options, progress)
}

/// As [`export`], with one volume, which is written to a pipe.
///
/// # Errors
/// As [`export`], and when nobody reads the pipe to its end.
pub fn export_to_pipe(
    data: &DataDir,
    site: &str,
    pipe: &mut dyn Write,
    created: Timestamp,
    options: &ExportOptions,
    progress: &dyn Progress,
) -> Result<ExportReport> {
    if options.volume_size.is_some() {
        let what = "a pipe takes one volume of any size: leave the size away".to_owned();
        return Err(TransferError::Unfit { what });
    }
    export_to(data, site, Target::Pipe(pipe), created, options, progress)
}

/// Where volumes go.
enum Target<'a> {
    Folder(&'a Path),
    Pipe(&'a mut dyn Write),
}

fn export_to(
    data: &DataDir,
    site: &str,
    target: Target<'_>,
    created: Timestamp,
    options: &ExportOptions,
    progress: &dyn Progress,
) -> Result<ExportReport> {
    let mirror = require_connected(data)?;
    // Held until the packed objects are noted: a snapshot sealed in between would carry others.
    let _lock = trust::lock(data)?;
    let plan = match &options.selection {
        ExportSelection::Needs(needs) => Plan::to_answer(data, mirror, needs)?,
        selection => Plan::to_pack(data, site, created, selection, &options.seal, progress)?,
    };
    pack(data, site, target, plan, options.volume_size, progress)
}

/// What is to be packed, of which snapshot.
struct Plan {
    catalog: Catalog,
    head: Head,
    snapshot: u64,
    index: Sha256,
    objects: Vec<Object>,
    sealed: Option<SealOutcome>,
    unanswered: Vec<String>,
}

impl Plan {
    /// Seals, and finds what the site lacks.
    fn to_pack(
        data: &DataDir,
        site: &str,
        created: Timestamp,
        selection: &ExportSelection,
        sealing: &SealOptions,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let sealing = SealOptions { add_site: Some(site.to_owned()), ..sealing.clone() };
        let sealed = seal_locked(data, created, &sealing, progress)?;
        let (snapshot, index) = (sealed.snapshot, sealed.index);
        require_signatures(snapshot, sealed.signatures)?;
        let catalog = Catalog::open(&data.catalog())?;
        let objects = objects_to_pack(data, &catalog, site, snapshot, selection)?;
        let head = heads::load(data, snapshot)?;
        let (sealed, unanswered) = (Some(sealed), Vec::new());
        Ok(Self { catalog, head, snapshot, index, objects, sealed, unanswered })
    }

    /// Finds what a site asks for, in what was sealed before.
    fn to_answer(data: &DataDir, mirror: Uuid, needs: &NeedsRequest) -> Result<Self> {
        let catalog = Catalog::open(&data.catalog())?;
        let Answer { snapshot: row, objects, unanswered, .. } =
            answer(data, &catalog, mirror, needs)?;
        if objects.is_empty() {
            let what = format!("nothing can be packed: {}", unanswered.join("; "));
            return Err(TransferError::Unfit { what });
        }
        let head = heads::load(data, row.number)?;
        require_signatures(row.number, count_signatures(&head)?)?;
        let (snapshot, index) = (row.number, row.index_sha256);
        Ok(Self { catalog, head, snapshot, index, objects, sealed: None, unanswered })
    }
}

/// Writes the volumes, and notes what is on them.
fn pack(
    data: &DataDir,
    site: &str,
    target: Target<'_>,
    plan: Plan,
    volume_size: Option<u64>,
    progress: &dyn Progress,
) -> Result<ExportReport> {
    let Plan { mut catalog, head, snapshot, index, objects, sealed, unanswered } = plan;
    let most = match &target {
        Target::Folder(out) => {
            fs::create_dir_all(out).doing("make", out)?;
            medium::largest_file(out)
        }
        Target::Pipe(_) => None,
    };
    // A stick says itself what it cannot take; a size that was given stays, when it is smaller.
    let (volume_size, limited_by_medium) = medium::volume_limit(volume_size, most);
    let notes = lay_out(&head, index, site, snapshot, &objects, volume_size)?;
    let bytes = notes.iter().map(|note| container::volume_size(note, &head)).sum();
    progress.phase("packing", Some(bytes));
    let content = ContentStore::open(&data.content())?;
    let source = Source { data, content: &content, head: &head, progress };
    let volumes = match target {
        Target::Folder(out) => source.write_volumes(&notes, bytes, out)?,
        Target::Pipe(pipe) => source.write_to_pipe(&notes, pipe)?,
    };
    let mut writer = catalog.write()?;
    for object in &objects {
        writer.mark_packed(site, &object.sha256, snapshot)?;
    }
    writer.commit()?;
    let (not_carried, not_carried_bytes) = catalog.left_out_here()?;
    let payloads = || objects.iter().filter(|object| object.kind == ObjectKind::Payload);
    Ok(ExportReport {
        volumes,
        site: site.to_owned(),
        snapshot,
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
        unanswered,
    })
}

fn require_signatures(snapshot: u64, (there, needed): (u64, u64)) -> Result<()> {
    if there < needed {
        return Err(TransferError::Unfit {
            what: format!(
                "snapshot {snapshot} has {there} of {needed} signatures: have it countersigned with `tidegate sign` first"
            ),
        });
    }
    Ok(())
}

/// What volumes are made of.
struct Source<'a> {
    data: &'a DataDir,
    content: &'a ContentStore,
    head: &'a Head,
    progress: &'a dyn Progress,
}

impl Source<'_> {
    /// Writes the volumes into a folder that has room for all of them.
    fn write_volumes(&self, notes: &[VolumeNote], bytes: u64, out: &Path) -> Result<Vec<PathBuf>> {
        let free = fs4::available_space(out).doing("ask for the free space of", out)?;
        if free < bytes {
            let path = out.to_owned();
            return Err(TransferError::NoSpace { path, needed: bytes, free, what: "the volumes" });
        }
        remove_leftovers(out)?;
        let volumes =
            notes.iter().map(|note| self.write_volume(note, out)).collect::<Result<_>>()?;
        medium::sync_folder(out).doing("sync", out)?;
        Ok(volumes)
    }

    /// Writes one volume under a temporary name; when it is whole and synced, it gets its final name.
    fn write_volume(&self, note: &VolumeNote, out: &Path) -> Result<PathBuf> {
        let path = out.join(file_name(note));
        let file = tempfile::Builder::new()
            .prefix(".tidegate-")
            .suffix(".partial")
            .tempfile_in(out)
            .doing("write in", out)?;
        // The lock says that this file is still being written. Not every medium can lock.
        let _ = file.as_file().try_lock_shared();
        let file = self.pack_into(file, note, &path)?;
        medium::make_readable(file.path()).doing("set the permissions of", &path)?;
        durable::rename(file, &path).doing("keep", &path)?;
        kill::step("volume renamed");
        Ok(path)
    }

    /// Writes the only volume to a pipe.
    fn write_to_pipe(&self, notes: &[VolumeNote], pipe: &mut dyn Write) -> Result<Vec<PathBuf>> {
        for note in notes {
            self.pack_into(&mut *pipe, note, Path::new("to the standard output"))?;
        }
        Ok(Vec::new())
    }

    fn pack_into<W: Write>(&self, to: W, note: &VolumeNote, path: &Path) -> Result<W> {
        let failed = |source| TransferError::Export { path: path.to_owned(), source };
        let to = BufWriter::with_capacity(1 << 20, to);
        let mut writer = VolumeWriter::new(to, note, self.head).map_err(failed)?;
        for entry in &note.objects {
            let source = open_object(self.data, self.content, entry)?;
            let progress = self.progress;
            writer.object(&mut ProgressReader { source, progress }).map_err(failed)?;
        }
        kill::step("objects packed");
        let to = writer.finish().map_err(failed)?;
        Ok(to.into_inner().map_err(IntoInnerError::into_error).doing("write", path)?)
    }
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
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.source.read(buf)?;
        self.progress.advance(n as u64);
        Ok(n)
    }
}
