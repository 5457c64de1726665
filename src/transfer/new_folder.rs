//! A folder that is made whole beside its place and then gets its name: it is there with everything, or
//! not at all. What killed runs have left is removed by the next one.

use std::{fs, io, path::Path};

use tempfile::TempDir;

use crate::{
    data_dir::{FolderLock, SYNC_LOCK},
    durable,
    file_error::Doing as _,
    sidecar,
    transfer::{error::TransferError, kill},
};

type Result<T> = std::result::Result<T, TransferError>;

/// A folder under a temporary name, which goes when it does not get its own.
pub(crate) struct NewFolder {
    folder: TempDir,
    /// It is within its place, which stays.
    stays: bool,
    /// Says that somebody is at work here.
    _lock: Option<FolderLock>,
}

impl NewFolder {
    /// Makes one beside `target`, or within it where it has to stay: what is mounted there, and what a
    /// system keeps something of its own in. The name begins with `prefix`.
    pub(crate) fn beside(target: &Path, prefix: &str) -> Result<Self> {
        let stays = stays(target).doing("look into", target)?;
        Self::make(if stays { target } else { folder_of(target) }, prefix, stays)
    }

    /// Makes one within a folder, for as long as it is used.
    pub(crate) fn within(place: &Path, prefix: &str) -> Result<Self> {
        Self::make(place, prefix, true)
    }

    fn make(place: &Path, prefix: &str, stays: bool) -> Result<Self> {
        fs::create_dir_all(place).doing("make", place)?;
        sweep(place, prefix).doing("clear", place)?;
        let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(place);
        let folder: TempDir = folder.doing("make a folder in", place)?;
        let lock = folder.path().join(SYNC_LOCK);
        let _lock = FolderLock::new(&lock).doing("lock", &lock)?;
        Ok(Self { folder, stays, _lock })
    }

    /// Where it is until then.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives it its name. Where the folder of this name stays, it is filled, and the file `last` makes it
    /// count.
    pub(crate) fn move_to(self, target: &Path, last: &str) -> Result<()> {
        kill::step("folder whole");
        if self.stays {
            fill(self.folder.path(), target, last)?;
        } else {
            if target.exists() {
                fs::remove_dir(target).doing("remove the empty folder", target)?;
            }
            let kept = self.folder.keep();
            fs::rename(&kept, target).doing("move the new folder to", target)?;
            durable::sync_folder(folder_of(target)).doing("sync", folder_of(target))?;
        }
        kill::step("folder in its place");
        // It did its work: who finds it later is not kept out by it.
        let _ = fs::remove_file(target.join(SYNC_LOCK));
        Ok(())
    }
}

/// The folder that something is in; of a bare name the current one.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether there is a folder that has to stay: another file system, or something of a system in it.
fn stays(target: &Path) -> io::Result<bool> {
    let mut entries = match fs::read_dir(target) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        entries => entries?,
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        // `..` and not the parent in the name: a link leads elsewhere.
        if fs::metadata(target)?.dev() != fs::metadata(target.join(".."))?.dev() {
            return Ok(true);
        }
    }
    Ok(entries.next().is_some() || fs::symlink_metadata(target)?.is_symlink())
}

/// Removes the folders of killed runs: those whose lock nobody has any more.
pub(crate) fn sweep(place: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(place)? {
        let (name, path) = entry.map(|entry| (entry.file_name(), entry.path()))?;
        let lock = path.join(SYNC_LOCK);
        if name.to_string_lossy().starts_with(prefix)
            && lock.exists()
            && FolderLock::new(&lock)?.is_some()
        {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

/// Moves everything into a folder, or nothing. The file that makes it count comes last.
fn fill(from: &Path, target: &Path, last: &str) -> Result<()> {
    let mut names: Vec<_> = fs::read_dir(from)
        .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect())
        .doing("list", from)?;
    names.retain(|name| name != SYNC_LOCK);
    names.sort_by_key(|name| name == last);
    for (moved, name) in names.iter().enumerate() {
        let to = target.join(name);
        if let Err(error) = fs::rename(from.join(name), &to) {
            for name in names.iter().take(moved) {
                // What stays now is told by the error, and refused the next time.
                let _ = fs::rename(target.join(name), from.join(name));
            }
            return Ok(Err(error).doing("move to its place", to)?);
        }
    }
    Ok(durable::sync_folder(target).doing("sync", target)?)
}

/// Refuses a place in which there is something; what a killed run has left there goes first.
pub(crate) fn refuse_used(target: &Path, prefix: &str, instead: &str) -> Result<()> {
    if target.is_dir() {
        sweep(target, prefix).doing("clear", target)?;
    }
    let is_free = sidecar::is_free(target).doing("look into", target)?;
    if !is_free {
        let what = format!(
            "there is something in {} already: choose another folder with {instead}",
            target.display()
        );
        return Err(TransferError::Unfit { what });
    }
    Ok(())
}
