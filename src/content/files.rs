//! Reading, hashing, locking and protecting files.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read},
    path::{Path, PathBuf},
};

use bundle_format::digest::{PayloadDigests, PayloadHasher};

use super::error::ContentError;
use crate::{
    durable::where_possible,
    file_error::{Doing, FileError},
};

/// Bytes that are copied at once.
const BUFFER: usize = 1024 * 1024;

/// Hashes a file wherever it is. `each` is called with the number of bytes read.
///
/// # Errors
/// When reading fails.
pub fn hash_file(path: &Path, each: &mut dyn FnMut(u64)) -> Result<PayloadDigests, ContentError> {
    let mut hasher = PayloadHasher::new();
    read_pieces(&mut File::open(path).doing("open", path)?, path, &mut |bytes| {
        hasher.update(bytes);
        each(bytes.len() as u64);
        Ok(())
    })?;
    Ok(hasher.finish())
}

/// Reads a file from where it stands to its end, piece by piece.
pub(super) fn read_pieces(
    file: &mut File,
    path: &Path,
    each: &mut dyn FnMut(&[u8]) -> Result<(), ContentError>,
) -> Result<(), ContentError> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => each(buffer.get(..n).unwrap_or_default())?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            failed => failed.map(drop).doing("read", path)?,
        }
    }
}

/// The names in a folder as paths, sorted.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect::<io::Result<Vec<_>>>())
        .doing("list", folder)?;
    paths.sort();
    Ok(paths)
}

/// Opens a file that others lock; it is made if it is not there.
pub(super) fn open_lock(path: &Path) -> Result<File, FileError> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path).doing("open", path)
}

/// Takes the lock on a file; false if another has it.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Undoes what [`durable::make_read_only`](crate::durable::make_read_only) did.
pub(super) fn make_writable(path: &Path) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    #[cfg(not(unix))]
    permissions.set_readonly(false);
    where_possible(fs::set_permissions(path, permissions))
}
