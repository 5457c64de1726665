//! Locks between processes that work on one folder.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

/// A lock that one process has at a time; the system frees it when the process ends.
#[derive(Debug)]
pub struct FolderLock(File);

impl FolderLock {
    /// Locks a file, which is made if it is not there; `None` if another has it.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn new(path: &Path) -> io::Result<Option<Self>> {
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        // Whoever can open it can hold it.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing alone would leave it to a child that is being started and has a copy of the file.
        let _ = self.0.unlock();
    }
}
