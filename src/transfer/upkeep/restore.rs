//! Restore: a new data folder from a backup. Everything is checked while it is copied beside its place, and
//! moves there only when it is whole.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bundle_format::digest::Sha256;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    backup_note::{BackupNote, NOTE, PAGE, SUMS, read_list},
    consistency::store_problems,
    file_copy::{copy_file, sync_folders},
};
use crate::{
    catalog::Catalog,
    content::ContentStore,
    data_dir::{DataDir, SYNC_LOCK, Side},
    error_chain::chain,
    file_error::Doing as _,
    fleet::Fleet,
    sidecar::is_sidecar,
    transfer::{
        error::TransferError,
        kill,
        new_folder::{NewFolder, refuse_used},
        progress::Progress,
        store::segments,
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// The beginning of the name that the new data folder has until it is whole.
const NEW: &str = ".tidegate-restore-";
/// So many wrong files are named.
const NAMED: usize = 10;
/// Free space that is left alone.
const MARGIN: u64 = 16 * 1024 * 1024;

/// What was brought back.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RestoreReport {
    /// The new data folder.
    pub data: PathBuf,
    /// Which side it is.
    #[serde(flatten)]
    pub side: Side,
    /// When the backup was made: nothing that came later is known here.
    pub created: Timestamp,
    /// The snapshot in force, or the one that was sealed last.
    pub snapshot: Option<u64>,
    /// Files that were brought back.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Payloads that are not here, because the backup does not hold them.
    pub missing_payloads: u64,
    /// Their bytes.
    pub missing_bytes: u64,
    /// Files that could not be read when the backup was made.
    pub unreadable: Vec<String>,
    /// What does not fit together.
    pub problems: Vec<String>,
}

impl RestoreReport {
    /// Whether everything but payloads is here (otherwise exit code 4).
    pub fn is_complete(&self) -> bool {
        self.unreadable.is_empty() && self.problems.is_empty()
    }
}

/// Makes `target` the data folder that a backup was made of.
///
/// # Errors
/// When there is something at `target`, the backup is damaged or not whole, or there is no room. Nothing is
/// there then.
pub fn restore(
    backup: &Path,
    target: &Path,
    now: Timestamp,
    progress: &dyn Progress,
) -> Result<RestoreReport> {
    refuse_used(target, NEW, "--data")?;
    if !backup.join(NOTE).is_file() {
        let what = format!(
            "{} is no backup: name the folder that `tidegate backup` has made, with {NOTE} in it",
            backup.display()
        );
        return Err(TransferError::Unfit { what });
    }
    let (sums, note) = (read_list(backup)?, BackupNote::read(backup)?);
    let sizes = check_names(backup, &sums, &note)?;
    let folder = NewFolder::beside(target, NEW)?;
    let bytes = sizes.values().copied().fold(0, u64::saturating_add);
    let free =
        fs4::available_space(folder.path()).doing("ask for the free space of", folder.path())?;
    let needed = bytes.saturating_add(MARGIN);
    if free < needed {
        let path = target.to_owned();
        return Err(TransferError::NoSpace { path, needed, free, what: "what is in the backup" });
    }
    progress.phase("restoring", Some(bytes));
    copy_checked(backup, folder.path(), &sums, progress)?;
    let opened = |error: &dyn std::fmt::Display| TransferError::Unfit {
        what: format!("what is in the backup is no data folder: {error}"),
    };
    let data = DataDir::open(folder.path()).map_err(|error| opened(&error))?;
    let (missing, problems) = look_into(&data, now)?;
    let report = RestoreReport {
        data: target.to_owned(),
        side: data.side().clone(),
        created: note.created,
        snapshot: note.snapshot,
        files: note.files,
        bytes,
        missing_payloads: missing.len() as u64,
        missing_bytes: missing.iter().map(|(_, size)| size).sum(),
        unreadable: note.unreadable,
        problems,
    };
    sync_folders(folder.path())?;
    folder.move_to(target, "tidegate.json")?;
    Ok(report)
}

/// The list and the folder name the same files. Gives their sizes.
fn check_names(
    backup: &Path,
    sums: &BTreeMap<String, Sha256>,
    note: &BackupNote,
) -> Result<BTreeMap<String, u64>> {
    let mut there = BTreeMap::new();
    collect(backup, "", &mut there)?;
    there.remove(SUMS);
    let gone = sums.keys().filter(|name| !there.contains_key(*name));
    let strange = there.keys().filter(|name| !sums.contains_key(*name));
    let mut wrong: Vec<String> = gone.map(|name| format!("{name} is not there")).collect();
    wrong.extend(strange.map(|name| format!("{name} does not belong to it")));
    if sums.len() as u64 != note.files.saturating_add(2) {
        wrong.push(format!("{SUMS} does not list all files"));
    }
    refuse(backup, &wrong)?;
    Ok(there)
}

/// Names of the plain files below, but for what systems put there.
fn collect(root: &Path, below: &str, there: &mut BTreeMap<String, u64>) -> Result<()> {
    let folder = root.join(below);
    for entry in fs::read_dir(&folder).doing("list", &folder)? {
        let entry = entry.doing("list", &folder)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_sidecar(&entry.file_name()) || (below.is_empty() && name == SYNC_LOCK) {
            continue;
        }
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        let found = fs::symlink_metadata(entry.path()).doing("look at", entry.path())?;
        if found.is_dir() {
            collect(root, &name, there)?;
        } else if found.is_file() {
            there.insert(name, found.len());
        } else {
            refuse(root, &[format!("{name} is no plain file")])?;
        }
    }
    Ok(())
}

fn refuse(backup: &Path, wrong: &[String]) -> Result<()> {
    if wrong.is_empty() {
        return Ok(());
    }
    let more = wrong.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let named: Vec<&str> = wrong.iter().take(NAMED).map(String::as_str).collect();
    Err(TransferError::refused(format!(
        "the backup {} is damaged: {}{more}. Nothing was restored: take another backup, or copy this one again",
        backup.display(),
        named.join("; ")
    )))
}

/// Copies every file and compares it with the list.
fn copy_checked(
    backup: &Path,
    folder: &Path,
    sums: &BTreeMap<String, Sha256>,
    progress: &dyn Progress,
) -> Result<()> {
    let mut wrong = Vec::new();
    for (name, expected) in sums.iter().filter(|(name, _)| ![NOTE, PAGE].contains(&name.as_str())) {
        match copy_file(&backup.join(name), &folder.join(name), progress)? {
            Ok((found, _)) if found == *expected => {}
            Ok(_) => wrong.push(format!("{name} has other bytes than {SUMS} says")),
            Err(error) => wrong.push(chain(&error)),
        }
    }
    for name in [NOTE, PAGE] {
        let (found, _) = segments::hash(&backup.join(name))?;
        if sums.get(name) != Some(&found) {
            wrong.push(format!("{name} has other bytes than {SUMS} says"));
        }
    }
    refuse(backup, &wrong)
}

/// Payloads that the catalogue has and that are not here, and their sizes.
type MissingPayloads = Vec<(Sha256, u64)>;

/// Opens the stores, and notes which payloads are not here.
fn look_into(data: &DataDir, now: Timestamp) -> Result<(MissingPayloads, Vec<String>)> {
    if !data.catalog().exists() {
        return Ok(Default::default());
    }
    let fleet = Fleet::open(&data.fleet())?;
    let mut catalog = Catalog::open(&data.catalog())?;
    let mut problems = catalog.integrity()?;
    problems.extend(fleet.integrity()?);
    let content = ContentStore::for_reading(&data.content());
    let (mut named, mut missing) = (Vec::new(), Vec::new());
    catalog.payloads(&mut |row| {
        if row.present {
            named.push((row.sha256, row.size));
        }
    })?;
    for (sha256, size) in named {
        if !content.contains(&sha256, size)? {
            missing.push((sha256, size));
        }
    }
    let mut writer = catalog.write()?;
    for (sha256, _) in &missing {
        writer.payload_lost(sha256)?;
    }
    writer.commit()?;
    kill::step("missing payloads noted");
    // What is known to be missing is no problem any more.
    problems.extend(store_problems(data, &catalog, Some(&fleet), now)?);
    Ok((missing, problems))
}
