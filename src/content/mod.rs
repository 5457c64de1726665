//! Payloads as files named by their SHA-256: `content/ab/abcdef…`. Written to a temporary name in
//! the same file system, hashed while writing, synced, renamed. Blocking and durable.
//!
//! Which payload an agent means by a SHA-1 is the catalogue's knowledge, not ours.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use bundle_format::digest::{PayloadDigests, Sha256};

/// Why content could not be read or stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The disk failed or is full.
    #[error("cannot {doing} {path}")]
    Io {
        /// What was attempted.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The bytes are not those that were promised.
    #[error("{path} does not have the expected {what}: expected {expected}, found {found}")]
    Mismatch {
        /// The source of the bytes.
        path: PathBuf,
        /// `size`, `SHA-256` or `SHA-1`.
        what: &'static str,
        /// What was promised.
        expected: String,
        /// What came.
        found: String,
    },
}

/// The folder of payloads.
#[derive(Debug, Clone)]
pub struct ContentStore {
    root: PathBuf,
}

impl ContentStore {
    /// Opens the folder and makes it if it is not there. Leftovers of killed runs are removed by
    /// [`ContentStore::sweep`], not here, because another process may be writing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(root: &Path) -> Result<Self, ContentError> {
        let _ = root;
        unimplemented!()
    }

    /// Where a payload's bytes are or would be.
    pub fn path(&self, sha256: &Sha256) -> PathBuf {
        let name = sha256.to_string();
        self.root.join(name.get(..2).unwrap_or_default()).join(name)
    }

    /// Whether a payload of this size is here. Looks at name and size, does not hash.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn contains(&self, sha256: &Sha256, size: u64) -> Result<bool, ContentError> {
        let _ = (sha256, size);
        unimplemented!()
    }

    /// Opens a payload for reading.
    ///
    /// # Errors
    /// When it is not here or the disk fails.
    pub fn read(&self, sha256: &Sha256) -> Result<File, ContentError> {
        let _ = sha256;
        unimplemented!()
    }

    /// Starts a new payload under a temporary name.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn begin(&self) -> Result<Incoming, ContentError> {
        unimplemented!()
    }

    /// Copies a file in, hashing on the way, and keeps it under its SHA-256. `each` hears of the
    /// bytes copied. A payload that is here already is only hashed.
    ///
    /// # Errors
    /// When reading or writing fails.
    pub fn add_file(
        &self,
        path: &Path,
        each: &mut dyn FnMut(u64),
    ) -> Result<PayloadDigests, ContentError> {
        let _ = (path, each);
        unimplemented!()
    }

    /// Keeps several finished payloads at once: syncs all, renames all, syncs the folders.
    ///
    /// # Errors
    /// When the disk fails; some may have been kept, none half.
    pub fn keep(&self, incoming: Vec<(Incoming, Sha256)>) -> Result<(), ContentError> {
        let _ = incoming;
        unimplemented!()
    }

    /// Hashes a stored payload again; `None` when it is not here.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn rehash(
        &self,
        sha256: &Sha256,
        each: &mut dyn FnMut(u64),
    ) -> Result<Option<PayloadDigests>, ContentError> {
        let _ = (sha256, each);
        unimplemented!()
    }

    /// Calls `each` with the name and size of every payload here.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn list(&self, each: &mut dyn FnMut(Sha256, u64)) -> Result<(), ContentError> {
        let _ = each;
        unimplemented!()
    }

    /// Removes temporary files that no running process holds.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sweep(&self) -> Result<u64, ContentError> {
        unimplemented!()
    }

    /// Free bytes of the file system, as far as we may use them.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn free_space(&self) -> Result<u64, ContentError> {
        unimplemented!()
    }
}

/// A payload that is being written. Dropped, it leaves nothing.
pub struct Incoming {
    // tempfile::NamedTempFile in `content/tmp/`
}

impl Write for Incoming {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let _ = buf;
        unimplemented!()
    }

    fn flush(&mut self) -> io::Result<()> {
        unimplemented!()
    }
}
