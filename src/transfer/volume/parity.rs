//! Parity files beside volumes.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufReader, BufWriter, IntoInnerError},
    path::{Path, PathBuf},
};

use bundle_format::{
    container::{VolumeNote, VolumeReader, volume_size},
    digest::Sha256,
    limits::BundleLimits,
    parity::{ParityNote, ParityVolume, make_parity, parity_size},
    trust::Head,
};
use serde::Serialize;

use super::{
    medium,
    source::read_whole,
    write::{keep, temporary},
};
use crate::{
    file_error::Doing as _,
    transfer::{error::TransferError, progress::Progress},
};

type Result<T> = std::result::Result<T, TransferError>;

/// How parity files end.
pub(super) const EXTENSION: &str = "parity";

/// Parity files that were made.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ParityReport {
    /// The files, in order.
    pub files: Vec<PathBuf>,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// Makes `parity` files for these volumes, which are those of one bundle, in order, in the folder `out`.
///
/// # Errors
/// When there are too many, a volume cannot be read, or `out` has no room.
pub(crate) fn write_parity(
    volumes: &[PathBuf],
    out: &Path,
    parity: u32,
    progress: &dyn Progress,
) -> Result<ParityReport> {
    let note = describe(volumes, parity)?;
    let sizes: Vec<u64> = note.volumes.iter().map(|volume| volume.size).collect();
    let needed = u64::from(parity) * size_beside(&note, &sizes);
    let free = fs4::available_space(out).doing("ask for the free space of", out)?;
    if free < needed {
        let path = out.to_owned();
        return Err(TransferError::NoSpace { path, needed, free, what: "the parity files" });
    }
    progress.phase("making parity files", Some(sizes.iter().sum()));
    let mut sources = Vec::new();
    for path in volumes {
        let file = File::open(path).doing("open the volume", path)?;
        sources.push(BufReader::with_capacity(1 << 20, file));
    }
    let mut files = Vec::new();
    for _ in 0..parity {
        files.push(BufWriter::with_capacity(1 << 20, temporary(out)?));
    }
    make_parity(&note, &mut sources, &mut files, &mut |bytes| progress.advance(bytes)).map_err(
        |source| TransferError::Parity {
            doing: "make the parity files in",
            path: out.to_owned(),
            source,
        },
    )?;
    let mut report = ParityReport::default();
    for (number, file) in (1..).zip(files) {
        let path = out.join(file_name(&note, number));
        let file = file.into_inner().map_err(IntoInnerError::into_error).doing("write", &path)?;
        report.bytes += file.as_file().metadata().doing("look at", &path)?.len();
        keep(file, &path)?;
        report.files.push(path);
    }
    medium::sync_folder(out).doing("sync", out)?;
    Ok(report)
}

/// Bytes of one parity file beside volumes of these sizes, at most.
fn size_of_parity(sizes: &[u64]) -> u64 {
    // The name of a volume: site, snapshot, set, numbers.
    parity_size(sizes, 64 + 60)
}

fn size_beside(note: &ParityNote, sizes: &[u64]) -> u64 {
    parity_size(
        sizes,
        note.volumes.iter().map(|volume| volume.name.len()).max().unwrap_or_default(),
    )
}

/// The parity files that volumes named or in these folders have.
fn describe(volumes: &[PathBuf], parity: u32) -> Result<ParityNote> {
    let mut described = Vec::new();
    let mut of = None;
    for path in volumes {
        let file = File::open(path).doing("open the volume", path)?;
        let size = file.metadata().doing("look at", path)?.len();
        let failed = |source| TransferError::Volume { path: path.clone(), source };
        let (_, note, _) = VolumeReader::open(file, &BundleLimits::default()).map_err(failed)?;
        of.get_or_insert((note.set, note.site, note.snapshot));
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        described.push(ParityVolume { name, size, sha256: Sha256::hash(b"") });
    }
    let (set, site, snapshot) =
        of.ok_or_else(|| TransferError::Unfit { what: "no volume was named".to_owned() })?;
    Ok(ParityNote::new(set, site, snapshot, described, parity))
}

/// `tidegate-plant-7-000012-1a2b3c4d-parity1of2.parity`.
fn file_name(note: &ParityNote, number: u32) -> String {
    let set = note.set.simple().to_string();
    format!(
        "tidegate-{}-{:06}-{}-parity{number}of{}.{EXTENSION}",
        note.site,
        note.snapshot,
        set.get(..8).unwrap_or_default(),
        note.of
    )
}

/// The notes of volumes of which none is larger than `most` bytes, and neither is a parity file beside them.
///
/// # Errors
/// As `lay_out`, which gets the largest size.
pub(crate) fn lay_out_with_parity(
    head: &Head,
    most: Option<u64>,
    parity: u32,
    lay_out: &dyn Fn(Option<u64>) -> Result<Vec<VolumeNote>>,
) -> Result<Vec<VolumeNote>> {
    let Some(limit) = most.filter(|_| parity > 0) else { return lay_out(most) };
    let mut most = limit;
    loop {
        let notes = lay_out(Some(most))?;
        let sizes: Vec<u64> = notes.iter().map(|note| volume_size(note, head)).collect();
        let size = size_of_parity(&sizes);
        if size <= limit {
            return Ok(notes);
        }
        most = most.saturating_sub(size - limit);
    }
}

/// Makes parity files for a bundle that was finished before, in the folder `out`, which is made if it is
/// not there. Every byte of the volumes is checked first.
///
/// # Errors
/// When a volume is damaged, missing or of another bundle, or `out` has no room.
pub fn add_parity(
    bundles: &[PathBuf],
    out: &Path,
    parity: u32,
    progress: &dyn Progress,
) -> Result<ParityReport> {
    let sources = read_whole(bundles, progress)?;
    let by_number: BTreeMap<u32, &PathBuf> =
        sources.iter().map(|source| (source.note.volume, &source.path)).collect();
    let volumes: Vec<PathBuf> = by_number.into_values().cloned().collect();
    fs::create_dir_all(out).doing("make", out)?;
    write_parity(&volumes, out, parity, progress)
}
