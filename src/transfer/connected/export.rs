//! Packing what a site lacks into volumes. What was packed is noted as built, not as delivered: a
//! lost bundle is replaced by one with `--full`, or by one with what the site says is missing.

use std::{
    fs,
    io::{Cursor, Read, Write},
    path::{Path, PathBuf},
};

use bundle_format::{container::ObjectEntry, digest::Sha256, needs::NeedsRequest, trust::Head};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::{
    receipts,
    relay::relayed,
    seal::seal_locked,
    seal_options::{SealOptions, SealOutcome},
    selection::{Answer, ExportSelection, answer, objects_to_pack, without_lost},
    signing::count_signatures,
};
use crate::{
    catalog::Catalog,
    content::ContentStore,
    data_dir::DataDir,
    file_error::Doing as _,
    transfer::{
        error::TransferError,
        progress::Progress,
        store::{heads, side::require_connected, trust},
        volume::{
            layout::{Object, ObjectKind, lay_out},
            medium,
            parity::{ParityReport, lay_out_with_parity, write_parity},
            write::{size_of, write_to_pipe, write_volumes},
        },
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
    /// How many parity files beside the volumes.
    pub parity: u32,
    /// How to seal first.
    pub seal: SealOptions,
}

/// What was exported.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExportReport {
    /// The finished volumes, in order.
    pub volumes: Vec<PathBuf>,
    /// The parity files beside them.
    pub parity: ParityReport,
    /// SHA-256 of the `SHA256SUMS` of each of them, which names all that is in it.
    pub checksums: Vec<Sha256>,
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
    /// What sealing did first; nothing is sealed for the needs of a site, nor when it is passed on.
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
    if options.volume_size.is_some() || options.parity > 0 {
        let what = "a pipe takes one volume of any size, and nothing beside it: leave the size and the parity files away".to_owned();
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
    // Held until the packed objects are noted: a snapshot sealed in between would carry others.
    let _lock = trust::lock(data)?;
    let plan = match &options.selection {
        ExportSelection::Needs(needs) => Plan::to_answer(data, require_connected(data)?, needs)?,
        ExportSelection::Relay { since } => Plan::to_relay(data, site, *since)?,
        selection => Plan::to_pack(data, site, created, selection, &options.seal, progress)?,
    };
    pack(data, site, target, plan, options, progress)
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
    /// Whether this side remembers what it packed.
    notes_packed: bool,
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
        let acknowledged = match selection {
            ExportSelection::SinceAcknowledged => {
                Some(ExportSelection::Since(receipts::require_acknowledged(data, site)?))
            }
            _ => None,
        };
        let selection = acknowledged.as_ref().unwrap_or(selection);
        let sealing = SealOptions { add_site: Some(site.to_owned()), ..sealing.clone() };
        let sealed = seal_locked(data, created, &sealing, progress)?;
        let (snapshot, index) = (sealed.snapshot, sealed.index);
        require_signatures(snapshot, sealed.signatures)?;
        let catalog = Catalog::open(&data.catalog())?;
        let objects = objects_to_pack(data, &catalog, site, snapshot, selection)?;
        let (objects, unanswered) = without_lost(data, &catalog, objects)?;
        let head = heads::load(data, snapshot)?;
        let (sealed, notes_packed) = (Some(sealed), true);
        Ok(Self { catalog, head, snapshot, index, objects, sealed, unanswered, notes_packed })
    }

    /// Finds what an isolated side passes on.
    fn to_relay(data: &DataDir, site: &str, since: Option<u64>) -> Result<Self> {
        let catalog = Catalog::open(&data.catalog())?;
        let Answer { snapshot: row, objects, unanswered, .. } =
            relayed(data, &catalog, site, since)?;
        let head = heads::load(data, row.number)?;
        let (snapshot, index) = (row.number, row.index_sha256);
        let (sealed, notes_packed) = (None, false);
        Ok(Self { catalog, head, snapshot, index, objects, sealed, unanswered, notes_packed })
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
        let (sealed, notes_packed) = (None, true);
        Ok(Self { catalog, head, snapshot, index, objects, sealed, unanswered, notes_packed })
    }
}

/// Writes the volumes, and notes what is on them.
fn pack(
    data: &DataDir,
    site: &str,
    target: Target<'_>,
    plan: Plan,
    options: &ExportOptions,
    progress: &dyn Progress,
) -> Result<ExportReport> {
    let Plan { mut catalog, head, snapshot, index, objects, sealed, unanswered, notes_packed } =
        plan;
    let most = match &target {
        Target::Folder(out) => {
            fs::create_dir_all(out).doing("make", out)?;
            medium::largest_file(out)
        }
        Target::Pipe(_) => None,
    };
    // A stick says itself what it cannot take; a size that was given stays, when it is smaller.
    let (volume_size, limited_by_medium) = medium::volume_limit(options.volume_size, most);
    let notes = lay_out_with_parity(&head, volume_size, options.parity, &|most| {
        lay_out(&head, index, site, snapshot, &objects, most)
    })?;
    let content = ContentStore::open(&data.content())?;
    let open = |entry: &ObjectEntry| open_object(data, &content, entry);
    let written = match target {
        Target::Folder(out) => write_volumes(&notes, &head, out, &open, progress)?,
        Target::Pipe(pipe) => write_to_pipe(&notes, &head, pipe, &open, progress)?,
    };
    let (volumes, checksums): (Vec<PathBuf>, Vec<Sha256>) =
        written.into_iter().map(|volume| (volume.path, volume.checksums)).unzip();
    let parity = match (volumes.first().and_then(|volume| volume.parent()), options.parity) {
        (Some(out), parity) if parity > 0 => write_parity(&volumes, out, parity, progress)?,
        _ => ParityReport::default(),
    };
    let left_out = match notes_packed {
        true => note_packed(&mut catalog, site, snapshot, &objects)?,
        false => (0, 0),
    };
    let payloads = || objects.iter().filter(|object| object.kind == ObjectKind::Payload);
    Ok(ExportReport {
        volumes,
        parity,
        checksums,
        site: site.to_owned(),
        snapshot,
        set: notes.first().map(|note| note.set).unwrap_or_default(),
        bytes: size_of(&notes, &head),
        volume_size,
        limited_by_medium,
        segments: (objects.len() - payloads().count()) as u64,
        payloads: payloads().count() as u64,
        payload_bytes: payloads().map(|object| object.size).sum(),
        not_carried: left_out.0,
        not_carried_bytes: left_out.1,
        sealed,
        unanswered,
    })
}

/// Notes that a site was given these objects. Gives how many payloads are left out, and their bytes.
fn note_packed(
    catalog: &mut Catalog,
    site: &str,
    snapshot: u64,
    objects: &[Object],
) -> Result<(u64, u64)> {
    let mut writer = catalog.write()?;
    for object in objects {
        writer.mark_packed(site, &object.sha256, snapshot)?;
    }
    writer.set_exported(site, snapshot)?;
    writer.commit()?;
    Ok(catalog.left_out_here()?)
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
