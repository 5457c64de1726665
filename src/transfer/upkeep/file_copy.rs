//! Copying a file into a new folder while it is hashed: read once, synced, for its owner alone.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
};

use bundle_format::digest::Sha256;
use sha2::Digest as _;

use crate::{
    durable,
    file_error::{Doing as _, FileError},
    transfer::{error::TransferError, kill, progress::Progress},
};

/// Bytes that are copied at once.
const BLOCK: usize = 1 << 20;

/// Copies a file to a name that is free; its folders are made. The outer error is that of the new file;
/// the inner one says why the old one cannot be read, and then nothing is left of the new one.
pub(super) fn copy_file(
    from: &Path,
    to: &Path,
    progress: &dyn Progress,
) -> Result<Result<(Sha256, u64), FileError>, TransferError> {
    let mut source = match File::open(from).doing("read", from) {
        Ok(source) => source,
        Err(unreadable) => return Ok(Err(unreadable)),
    };
    let mut target = new_file(to)?;
    let (mut hasher, mut size, mut block) = (sha2::Sha256::new(), 0, vec![0; BLOCK]);
    loop {
        let read = match source.read(&mut block) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => {
                fs::remove_file(to).doing("remove", to)?;
                return Ok(Err(FileError { doing: "read", path: from.to_owned(), source: e }));
            }
        };
        let bytes = block.get(..read).unwrap_or_default();
        target.write_all(bytes).doing("write", to)?;
        hasher.update(bytes);
        size += read as u64;
        progress.advance(read as u64);
    }
    target.sync_all().doing("write", to)?;
    kill::step("file copied");
    Ok(Ok((Sha256::from_bytes(hasher.finalize().into()), size)))
}

/// Writes a small file to a name that is free.
pub(super) fn write_file(to: &Path, bytes: &[u8]) -> Result<(), TransferError> {
    let mut file = new_file(to)?;
    Ok(file.write_all(bytes).and_then(|()| file.sync_all()).doing("write", to)?)
}

fn new_file(to: &Path) -> Result<File, TransferError> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).doing("make", folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    Ok(options.open(to).doing("write", to)?)
}

/// Makes the names in a folder and in those below it durable.
pub(super) fn sync_folders(folder: &Path) -> Result<(), TransferError> {
    for entry in fs::read_dir(folder).doing("list", folder)? {
        let path = entry.doing("list", folder)?.path();
        if path.is_dir() {
            sync_folders(&path)?;
        }
    }
    Ok(durable::sync_folder(folder).doing("sync", folder)?)
}
