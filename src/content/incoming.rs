//! Payloads that are written under a temporary name.
//!
//! A temporary file is alive as long as its writer holds the lock on it, which ends with the process
//! at the latest. It is made and locked under a shared lock on `content/tmp/.lock`. Sweeping takes that
//! lock alone, and so never meets a file that is made but not locked yet.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use bundle_format::digest::{PayloadDigests, PayloadHasher, Sha256};
use tempfile::NamedTempFile;

use super::{
    error::ContentError,
    files::{entries, open_lock, read_pieces, try_lock},
    store::ContentStore,
};
use crate::file_error::{Doing, FileError};

/// The file in `content/tmp/` that orders beginning and sweeping.
const LOCK: &str = ".lock";

/// A payload that is being written. Dropped, it leaves nothing.
pub struct Incoming {
    file: NamedTempFile,
}

impl Write for Incoming {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.file.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl ContentStore {
    /// Starts a new payload under a temporary name.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn begin(&self) -> Result<Incoming, ContentError> {
        let tmp = self.tmp();
        let gate = self.gate()?;
        gate.lock_shared().doing("lock", &tmp)?;
        let file = NamedTempFile::new_in(&tmp).doing("make a file in", &tmp)?;
        file.as_file().lock().doing("lock", file.path())?;
        Ok(Incoming { file })
    }

    /// Copies a file in, hashing on the way, and stores it under its SHA-256. `each` is called with
    /// the number of bytes copied. A payload that is here already stays as it is.
    ///
    /// # Errors
    /// When reading or writing fails.
    pub fn add_file(
        &self,
        path: &Path,
        each: &mut dyn FnMut(u64),
    ) -> Result<PayloadDigests, ContentError> {
        let mut incoming = self.begin()?;
        let mut hasher = PayloadHasher::new();
        read_pieces(&mut File::open(path).doing("open", path)?, path, &mut |bytes| {
            hasher.update(bytes);
            incoming.write_all(bytes).doing("write", incoming.file.path())?;
            each(bytes.len() as u64);
            Ok(())
        })?;
        let digests = hasher.finish();
        if self.contains(&digests.sha256, digests.size)? {
            self.renew(&digests.sha256)?;
        } else {
            self.store(vec![(incoming, digests.sha256)])?;
        }
        Ok(digests)
    }

    /// Stores several finished payloads at once: syncs all, renames all, syncs the folders. What is
    /// here under the same name is replaced.
    ///
    /// # Errors
    /// When the disk fails; some may have been stored, none half.
    pub fn store(&self, incoming: Vec<(Incoming, Sha256)>) -> Result<(), ContentError> {
        Ok(self.place(
            incoming,
            |Incoming { file }| (file.as_file(), file.path()),
            |incoming, path| incoming.file.persist(path).map(drop).map_err(|e| e.error),
        )?)
    }

    /// Removes temporary files that no running process holds; gives their number. Does nothing
    /// while another process begins or sweeps.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sweep(&self) -> Result<u64, ContentError> {
        let tmp = self.tmp();
        let gate = self.gate()?;
        if !try_lock(&gate).doing("lock", &tmp)? {
            return Ok(0);
        }
        let mut removed = 0;
        for path in entries(&tmp)? {
            if !path.ends_with(LOCK) && remove_abandoned(&path)? {
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn gate(&self) -> Result<File, FileError> {
        open_lock(&self.tmp().join(LOCK))
    }
}

/// Removes a temporary file if no process holds it; whether it did.
fn remove_abandoned(path: &Path) -> Result<bool, FileError> {
    // Open for reading is enough for a lock; a finished one is read-only already.
    let file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened.doing("open", path)?,
    };
    if !try_lock(&file).doing("lock", path)? {
        return Ok(false);
    }
    match fs::remove_file(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        done => done.doing("remove", path).map(|()| true),
    }
}
