//! Backup: a copy of a data folder as it is at one moment, while a server runs. It is made under a
//! temporary name and gets its own when it is whole.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use bundle_format::digest::Sha256;
use jiff::Timestamp;
use serde::Serialize;

use super::{
    backup_note::{BackupNote, NOTE, PAGE, SUMS, is_plain, list},
    file_copy::{copy_file, sync_folders, write_file},
};
use crate::{
    catalog::{Catalog, SnapshotState},
    data_dir::{DataDir, FolderLock, SYNC_LOCK},
    error_chain::chain,
    file_error::{Doing as _, FileError},
    fleet::Fleet,
    transfer::{
        error::TransferError,
        kill,
        new_folder::{NewFolder, refuse_used},
        progress::Progress,
        store::{segments, trust},
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// The beginning of the name that a backup has until it is whole.
const NEW: &str = ".tidegate-backup-";

/// Folders and files of a data folder that no backup needs: they are derived, or belong to a run that is at
/// work. Everything else is taken, so that what is new some day is not forgotten.
const NOT_TAKEN: [&str; 5] = ["damaged", "incoming", "packs", SYNC_LOCK, "lock"];
/// Payloads and their parts: signed, and to be had again.
const CONTENT: [&str; 2] = ["content", "parts"];
/// Where an administrator's configuration file goes, which is no part of the data folder.
const CONFIGURATION: &str = "configuration.toml";
/// Free space that is left alone.
const MARGIN: u64 = 16 * 1024 * 1024;

/// What to take.
#[derive(Debug, Clone, Default)]
pub struct BackupOptions {
    /// The payloads too.
    pub with_content: bool,
    /// The configuration file that is in use.
    pub configuration: Option<PathBuf>,
}

/// What was taken.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct BackupReport {
    /// The folder of the backup.
    pub backup: PathBuf,
    /// The snapshot in force, or the one that was sealed last.
    pub snapshot: Option<u64>,
    /// Whether the payloads are in it.
    pub with_content: bool,
    /// Whether the signing keys of a mirror are in it.
    pub with_keys: bool,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that cannot be read, and why: they are not in it.
    pub unreadable: Vec<String>,
}

impl BackupReport {
    /// Whether everything is in it (otherwise exit code 4).
    pub fn is_complete(&self) -> bool {
        self.unreadable.is_empty()
    }
}

/// Copies a data folder to `out`, a folder that is not there yet. Whoever serves, approves or synchronizes
/// meanwhile is not stopped; imports, seals and exports wait.
///
/// # Errors
/// When there is something at `out`, another run is at work, a database cannot be read, or there is no room.
pub fn backup(
    data: &DataDir,
    out: &Path,
    now: Timestamp,
    options: &BackupOptions,
    progress: &dyn Progress,
) -> Result<BackupReport> {
    refuse_within(data, out)?;
    refuse_used(out, NEW, "--out")?;
    let _lock = lock(data)?;
    let stores = Stores::at_this_moment(data)?;
    let files = files_of(data, options)?;
    let total = files.iter().map(|file| file.size).sum::<u64>() + stores.size(data);
    let folder = NewFolder::beside(out, NEW)?;
    prove_space(folder.path(), total)?;
    progress.phase("backing up", Some(total));
    let mut taken = Taken { folder: folder.path(), progress, sums: BTreeMap::new(), bytes: 0 };
    stores.copy(data, &mut taken)?;
    let mut unreadable = Vec::new();
    for file in &files {
        unreadable.extend(taken.take(file)?);
    }
    let mut note = BackupNote::new(data.side().clone(), now, options.with_content);
    note.snapshot = stores.snapshot()?;
    note.files = taken.sums.len() as u64;
    note.unreadable = unreadable.clone();
    taken.describe(&note)?;
    let report = BackupReport {
        backup: out.to_owned(),
        snapshot: note.snapshot,
        with_content: options.with_content,
        with_keys: taken.sums.keys().any(|name| name.starts_with("keys/")),
        files: note.files,
        bytes: taken.bytes,
        unreadable,
    };
    sync_folders(folder.path())?;
    folder.move_to(out, SUMS)?;
    Ok(report)
}

/// A backup within the data folder would be lost with it, and be part of the next one.
fn refuse_within(data: &DataDir, out: &Path) -> Result<()> {
    let root = data.root().canonicalize().doing("look into", data.root())?;
    let existing = out.ancestors().find_map(|place| place.canonicalize().ok());
    if existing.is_some_and(|place| place.starts_with(&root)) {
        return Err(TransferError::Unfit {
            what: format!(
                "{} is within the data folder and would be lost with it: choose another disk",
                out.display()
            ),
        });
    }
    Ok(())
}

/// Keeps imports, seals and exports out. Where nothing can be written, nobody is at work.
fn lock(data: &DataDir) -> Result<Option<FolderLock>> {
    match trust::lock(data) {
        Err(TransferError::File(FileError { source, .. }))
            if source.kind() == io::ErrorKind::ReadOnlyFilesystem =>
        {
            Ok(None)
        }
        lock => lock.map(Some),
    }
}

fn prove_space(folder: &Path, total: u64) -> Result<()> {
    let needed = total.saturating_add(MARGIN);
    let free = fs4::available_space(folder).doing("ask for the free space of", folder)?;
    if free < needed {
        let path = folder.to_owned();
        return Err(TransferError::NoSpace { path, needed, free, what: "the backup" });
    }
    Ok(())
}

/// Both databases as they are at one moment.
struct Stores {
    catalog: Option<Catalog>,
    fleet: Option<Fleet>,
}

impl Stores {
    /// The fleet first: what it names is in the catalogue then.
    fn at_this_moment(data: &DataDir) -> Result<Self> {
        let (catalog, fleet) = (data.catalog(), data.fleet());
        let fleet = fleet.exists().then(|| Fleet::open_to_look(&fleet)).transpose()?;
        let catalog = catalog.exists().then(|| Catalog::open_to_look(&catalog)).transpose()?;
        Ok(Self {
            fleet: fleet.map(Fleet::at_this_moment).transpose()?,
            catalog: catalog.map(Catalog::at_this_moment).transpose()?,
        })
    }

    /// About how many bytes they take.
    fn size(&self, data: &DataDir) -> u64 {
        let len = |path: PathBuf| fs::metadata(path).map_or(0, |found| found.len());
        len(data.catalog()) + len(data.fleet())
    }

    fn copy(&self, data: &DataDir, taken: &mut Taken<'_>) -> Result<()> {
        let progress = taken.progress;
        if let Some(fleet) = &self.fleet {
            taken.database(&data.fleet(), &mut |to| {
                Ok(fleet.copy_to(to, &mut |bytes| progress.advance(bytes))?)
            })?;
        }
        if let Some(catalog) = &self.catalog {
            taken.database(&data.catalog(), &mut |to| {
                Ok(catalog.copy_to(to, &mut |bytes| progress.advance(bytes))?)
            })?;
        }
        Ok(())
    }

    /// The snapshot in force, or the one that was sealed last.
    fn snapshot(&self) -> Result<Option<u64>> {
        let Some(catalog) = &self.catalog else { return Ok(None) };
        let counts = |state| [SnapshotState::InForce, SnapshotState::Sealed].contains(&state);
        let snapshots = catalog.snapshots()?;
        Ok(snapshots.iter().filter(|row| counts(row.state)).map(|row| row.number).max())
    }
}

/// A file to be copied.
struct File {
    /// Its name in the backup.
    name: String,
    path: PathBuf,
    size: u64,
}

/// Everything in the data folder but the databases and what no backup needs.
fn files_of(data: &DataDir, options: &BackupOptions) -> Result<Vec<File>> {
    let mut files = Vec::new();
    collect(data.root(), Path::new(""), &mut files, &|name| {
        let (Some(first), Some(file)) = (name.iter().next(), name.file_name()) else {
            return false;
        };
        let (first, file) = (first.to_string_lossy(), file.to_string_lossy());
        let is_scratch =
            file.starts_with('.') || file.starts_with("tmp.") || first.starts_with("keys.");
        let is_store = first.starts_with("catalog.sqlite") || first.starts_with("fleet.sqlite");
        let is_loose = name.starts_with("content/partial") || name.starts_with("content/tmp");
        let is_content = CONTENT.contains(&&*first);
        !(is_scratch
            || is_store
            || is_loose
            || NOT_TAKEN.contains(&&*first)
            || NOT_TAKEN.contains(&&*file)
            || (is_content && !options.with_content))
    })?;
    if let Some(path) = &options.configuration {
        let path = path.clone();
        let size = fs::metadata(&path).map_or(0, |found| found.len());
        if !files.iter().any(|file| file.name == CONFIGURATION) {
            files.push(File { name: CONFIGURATION.to_owned(), path, size });
        }
    }
    Ok(files)
}

fn collect(
    root: &Path,
    below: &Path,
    files: &mut Vec<File>,
    is_taken: &dyn Fn(&Path) -> bool,
) -> Result<()> {
    let folder = root.join(below);
    let mut names: Vec<_> = fs::read_dir(&folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
        .doing("list", &folder)?;
    names.sort();
    for name in names {
        let name = below.join(name);
        let path = root.join(&name);
        if !is_taken(&name) {
            continue;
        }
        // A disk may be linked in; what lies below follows no links, which may lead round.
        let is_top = below.as_os_str().is_empty();
        let found = if is_top { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
        if found.as_ref().is_ok_and(fs::Metadata::is_dir) {
            collect(root, &name, files, is_taken)?;
        } else {
            let size = found.map_or(0, |found| found.len());
            files.push(File { name: name.to_string_lossy().into_owned(), path, size });
        }
    }
    Ok(())
}

/// What is in the backup so far.
struct Taken<'a> {
    folder: &'a Path,
    progress: &'a dyn Progress,
    sums: BTreeMap<String, Sha256>,
    bytes: u64,
}

impl Taken<'_> {
    fn database(&mut self, of: &Path, copy: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
        let Some(name) = of.file_name().and_then(|name| name.to_str()) else { return Ok(()) };
        let to = self.folder.join(name);
        // Made first, for its owner alone.
        write_file(&to, &[])?;
        copy(&to)?;
        let (sha256, size) = segments::hash(&to)?;
        kill::step("database copied");
        self.add(name, sha256, size);
        Ok(())
    }

    /// Copies a file; says why it is not in the backup.
    fn take(&mut self, file: &File) -> Result<Option<String>> {
        let File { name, path, .. } = file;
        if !is_plain(Path::new(name)) {
            return Ok(Some(format!("{name:?}: a name that no backup can hold")));
        }
        // Opening a pipe would wait for somebody to write to it.
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Ok(Some(format!("{name}: it is no plain file")));
        }
        let to = self.folder.join(name);
        let (sha256, size) = match copy_file(path, &to, self.progress)? {
            Ok(copied) => copied,
            Err(error) => return Ok(Some(format!("{name}: {}", chain(&error)))),
        };
        if is_damaged(name, &sha256) {
            fs::remove_file(&to).doing("remove", &to)?;
            return Ok(Some(format!("{name}: it has other bytes than its name says")));
        }
        self.add(name, sha256, size);
        Ok(None)
    }

    fn add(&mut self, name: &str, sha256: Sha256, size: u64) {
        self.sums.insert(name.to_owned(), sha256);
        self.bytes += size;
    }

    /// Writes what it says of itself; the list comes last.
    fn describe(&mut self, note: &BackupNote) -> Result<()> {
        for (name, bytes) in [(NOTE, note.to_json()?), (PAGE, note.page().into_bytes())] {
            write_file(&self.folder.join(name), &bytes)?;
            self.sums.insert(name.to_owned(), Sha256::hash(&bytes));
        }
        write_file(&self.folder.join(SUMS), list(&self.sums).as_bytes())
    }
}

/// Payloads and segments are called by their digests.
fn is_damaged(name: &str, sha256: &Sha256) -> bool {
    let is_named = name.starts_with("content/") || name.starts_with("segments/");
    let digest = name.rsplit('/').next().and_then(|name| name.parse::<Sha256>().ok());
    is_named && digest.is_some_and(|digest| digest != *sha256)
}
