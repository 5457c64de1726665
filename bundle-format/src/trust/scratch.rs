//! The folder in the system's temporary folder in which the TUF client keeps its counters while it
//! checks a head. What a killed run left is removed by the next one.

use std::{
    fs::{self, File, Metadata, TryLockError},
    io,
    path::Path,
    sync::Once,
};

use tempfile::TempDir;

/// The beginning of its name.
const PREFIX: &str = "tidegate-trust-";
/// Held by whoever uses the folder.
const LOCK: &str = "lock";
/// How often it is made again.
const TRIES: usize = 5;

/// A folder that is removed when it is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes a folder; the first one of a process removes what killed runs left.
    pub(super) fn new() -> io::Result<Self> {
        static SWEPT: Once = Once::new();
        let parent = std::env::temp_dir();
        // One that is swept while it is made, before it can be locked, is made again.
        let is_swept = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ResourceBusy)
        };
        let scratch = (0..TRIES)
            .map(|_| Self::new_in(&parent))
            .find(|made| !made.as_ref().is_err_and(is_swept))
            .unwrap_or_else(|| Self::new_in(&parent))?;
        SWEPT.call_once(|| scratch.sweep());
        Ok(scratch)
    }

    fn new_in(parent: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        // Locked before it has its name, so that nobody finds it free.
        let lock = tempfile::NamedTempFile::new_in(folder.path())?;
        lock.as_file().try_lock().map_err(|error| match error {
            TryLockError::Error(error) => error,
            TryLockError::WouldBlock => io::ErrorKind::ResourceBusy.into(),
        })?;
        let lock = lock.persist(folder.path().join(LOCK)).map_err(|error| error.error)?;
        Ok(Self { folder, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Removes the folders that nobody uses. What cannot be removed stays: it stands in nobody's way.
    fn sweep(&self) {
        let Some(parent) = self.path().parent() else { return };
        let (Ok(entries), Ok(own)) = (fs::read_dir(parent), self.path().metadata()) else { return };
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
                && path.symlink_metadata().is_ok_and(|found| is_of_one_user(&found, &own));
            if is_ours && path != self.path() {
                let _ = remove_left(&path);
            }
        }
    }
}

/// Whether it is a folder of the user that made the other one: everybody may write into the system's
/// temporary folder.
fn is_of_one_user(found: &Metadata, own: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if found.uid() != own.uid() {
            return false;
        }
    }
    #[cfg(not(unix))]
    let _ = own;
    found.is_dir()
}

/// Removes a folder that nobody uses any more. One without a lock is half removed, or in the making: then
/// what its maker has just made stays.
fn remove_left(folder: &Path) -> io::Result<()> {
    match File::open(folder.join(LOCK)) {
        Ok(lock) if lock.try_lock().is_ok() => return fs::remove_dir_all(folder),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        _ => return Ok(()),
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_lock = entry.file_name().to_string_lossy().starts_with(".tmp");
        if entry.file_name() == LOCK || is_lock && File::open(entry.path())?.try_lock().is_err() {
            return Ok(());
        }
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    fs::remove_dir(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_runs_left_goes_and_what_is_used_stays() {
        let parent = tempfile::tempdir().unwrap();
        let left = parent.path().join("tidegate-trust-killed");
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), b"").unwrap();
        fs::write(left.join("timestamp.json"), b"{}").unwrap();
        let half_gone = parent.path().join("tidegate-trust-half-gone");
        fs::create_dir(&half_gone).unwrap();
        let other = parent.path().join("another-program");
        fs::create_dir(&other).unwrap();
        let used = Scratch::new_in(parent.path()).unwrap();
        let own = Scratch::new_in(parent.path()).unwrap();
        own.sweep();
        assert!(!left.exists() && !half_gone.exists());
        assert!(other.exists() && used.path().exists() && own.path().exists());
        let path = own.path().to_owned();
        drop(own);
        assert!(!path.exists());
    }
}
