//! Volumes that are damaged or missing, restored with the help of parity files.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufWriter, IntoInnerError},
    path::{Path, PathBuf},
};

use bundle_format::{
    container::VolumeReader,
    limits::BundleLimits,
    parity::{BLOCK_BYTES, Damage, ParityError, ParityFile, ParityNote, restore_volumes},
};
use serde::Serialize;
use tempfile::NamedTempFile;
use uuid::Uuid;

use super::{
    medium,
    parity::EXTENSION,
    read::files_named,
    write::{keep, temporary},
};
use crate::{
    file_error::Doing as _,
    transfer::{error::TransferError, progress::Progress},
};

type Result<T> = std::result::Result<T, TransferError>;

/// What was damaged, and what came of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RepairReport {
    /// The set of the volumes.
    pub set: Uuid,
    /// Their site.
    pub site: String,
    /// Their snapshot.
    pub snapshot: u64,
    /// How many volumes the bundle has.
    pub of: u64,
    /// Those that were damaged or missing.
    pub damaged: Vec<DamagedVolume>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// A volume that was damaged or missing.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DamagedVolume {
    /// Its file name.
    pub name: String,
    /// It was not there at all.
    pub missing: bool,
    /// Bytes at places that could not be read or had other bytes, in whole blocks.
    pub bytes: u64,
    /// The whole volume, restored.
    pub restored: PathBuf,
}

/// Restores the volumes of one bundle that are damaged or missing, with the help of its parity files, in
/// the folder `out`. What is there is not changed.
///
/// # Errors
/// When there is no parity file, there are those of several bundles, too much is lost, or the disk fails.
pub fn repair(bundles: &[PathBuf], out: &Path, progress: &dyn Progress) -> Result<RepairReport> {
    let mut warnings = Vec::new();
    let mut parity = find_parity(bundles, &mut warnings)?;
    let note = match parity.first() {
        Some((file, _)) => file.note.clone(),
        None => {
            let what = "there is no parity file (*.parity) to restore from: `tidegate export --parity` and `tidegate bundle parity` make them".to_owned();
            return Err(TransferError::Unfit { what });
        }
    };
    if let Some((other, _)) = parity.iter().find(|(file, _)| file.note.set != note.set) {
        return Err(TransferError::Unfit {
            what: format!(
                "there are parity files of two bundles (snapshots {} and {}): name those of one",
                note.snapshot, other.note.snapshot
            ),
        });
    }
    let mut volumes = open_volumes(bundles, &note)?;
    fs::create_dir_all(out).doing("make", out)?;
    let bytes = note.volumes.iter().map(|volume| volume.size).sum();
    progress.phase("looking for damage", Some(bytes));
    let mut damaged = Vec::new();
    let failed = |source| TransferError::Parity {
        doing: "restore the volumes in",
        path: out.to_owned(),
        source,
    };
    let restored = restore_volumes(
        &mut parity,
        &mut volumes,
        &mut |damage| begin_files(damage, &note, out, &mut damaged),
        &mut |bytes| progress.advance(bytes),
    )
    .map_err(failed)?;
    for (number, file) in restored {
        let Some(volume) = note.volumes.get(number) else { continue };
        let path = out.join(&volume.name);
        let file = file.into_inner().map_err(IntoInnerError::into_error).doing("write", &path)?;
        keep(file, &path)?;
    }
    medium::sync_folder(out).doing("sync", out)?;
    let (set, site, snapshot) = (note.set, note.site, note.snapshot);
    Ok(RepairReport { set, site, snapshot, of: note.volumes.len() as u64, damaged, warnings })
}

/// The parity files that are named or lie in the folders, each number once. Those that do not read are
/// warned of.
fn find_parity(bundles: &[PathBuf], warnings: &mut Vec<String>) -> Result<Vec<(ParityFile, File)>> {
    let mut found: BTreeMap<(Uuid, u32), (ParityFile, File)> = BTreeMap::new();
    for path in files_named(bundles, EXTENSION)? {
        let mut file = File::open(&path).doing("open", &path)?;
        match ParityFile::read(&mut file) {
            Ok(parity) => {
                found.entry((parity.note.set, parity.note.number)).or_insert((parity, file));
            }
            Err(error) => warnings.push(format!("{} is of no use: {error}", path.display())),
        }
    }
    Ok(found.into_values().collect())
}

/// The volumes of a bundle as they are here: by name, or, where they were renamed, by what they say.
fn open_volumes(bundles: &[PathBuf], note: &ParityNote) -> Result<Vec<Option<File>>> {
    let mut volumes: Vec<Option<File>> = note.volumes.iter().map(|_| None).collect();
    let mut others = Vec::new();
    for path in files_named(bundles, "tar")? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match note.volumes.iter().position(|volume| volume.name == name) {
            Some(at) => put(&mut volumes, at, &path)?,
            None => others.push(path),
        }
    }
    for path in others {
        let file = File::open(&path).doing("open the volume", &path)?;
        let Ok((_, said, _)) = VolumeReader::open(file, &BundleLimits::default()) else { continue };
        if said.set == note.set {
            let at = usize::try_from(said.volume).unwrap_or_default().saturating_sub(1);
            put(&mut volumes, at, &path)?;
        }
    }
    Ok(volumes)
}

fn put(volumes: &mut [Option<File>], at: usize, path: &Path) -> Result<()> {
    if let Some(place @ None) = volumes.get_mut(at) {
        *place = Some(File::open(path).doing("open the volume", path)?);
    }
    Ok(())
}

/// Files for the volumes that are damaged, if there is room and they are not there yet.
fn begin_files(
    damage: &[Damage],
    note: &ParityNote,
    out: &Path,
    damaged: &mut Vec<DamagedVolume>,
) -> std::result::Result<BTreeMap<usize, BufWriter<NamedTempFile>>, ParityError> {
    let mut files = BTreeMap::new();
    let mut needed = 0;
    for damage in damage {
        let Some(volume) = note.volumes.get(damage.volume) else { continue };
        let path = out.join(&volume.name);
        if path.exists() {
            return Err(ParityError::Refused {
                what: format!("{} is there already: choose another folder", path.display()),
            });
        }
        needed += volume.size;
        damaged.push(DamagedVolume {
            name: volume.name.clone(),
            missing: damage.missing,
            bytes: volume.size.min(damage.blocks * BLOCK_BYTES as u64),
            restored: path,
        });
        let file = temporary(out).map_err(|error| error.source)?;
        files.insert(damage.volume, BufWriter::with_capacity(1 << 20, file));
    }
    let free = fs4::available_space(out)?;
    if free < needed {
        return Err(ParityError::Refused {
            what: format!("the whole volumes take {needed} bytes, and {free} are free there"),
        });
    }
    Ok(files)
}
