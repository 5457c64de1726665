//! Payloads as files named by their SHA-256: `content/ab/abcdef…`. Written to a temporary name in
//! the same file system, hashed while writing, synced, renamed. Blocking and durable.
//!
//! A temporary file is alive as long as its writer holds the lock on it, which ends with the process
//! at the latest. It is made and locked under a shared lock on `content/tmp/.lock`; who sweeps takes
//! that lock alone, and so never meets a file that is made but not locked yet.
//!
//! A payload from the network arrives in `content/partial/` instead, and stays there through a kill.
//!
//! Which payload an agent means by a SHA-1 is the catalogue's knowledge, not ours.

mod partial;

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use bundle_format::digest::{PayloadDigests, PayloadHasher, Sha256};
use tempfile::NamedTempFile;

pub use self::partial::{ExpectedPayload, Partial, Partials};

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
    /// Only one process at a time may add to partial payloads.
    #[error("another process downloads into {path} already; wait until it has ended")]
    Busy {
        /// The folder.
        path: PathBuf,
    },
}

/// Bytes that are copied at once.
const BUFFER: usize = 1024 * 1024;
/// The file in `content/tmp/` that orders beginning and sweeping.
const LOCK: &str = ".lock";

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
        let store = Self { root: root.to_owned() };
        let tmp = store.tmp();
        fs::create_dir_all(&tmp).map_err(failed("make", &tmp))?;
        Ok(store)
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
        let path = self.path(sha256);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.is_file() && metadata.len() == size),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(failed("look at", &path)(e)),
        }
    }

    /// Opens a payload for reading.
    ///
    /// # Errors
    /// When it is not here or the disk fails.
    pub fn read(&self, sha256: &Sha256) -> Result<File, ContentError> {
        let path = self.path(sha256);
        File::open(&path).map_err(failed("open", &path))
    }

    /// Starts a new payload under a temporary name.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn begin(&self) -> Result<Incoming, ContentError> {
        let tmp = self.tmp();
        let gate = self.gate()?;
        gate.lock_shared().map_err(failed("lock", &tmp))?;
        let file = NamedTempFile::new_in(&tmp).map_err(failed("make a file in", &tmp))?;
        file.as_file().lock().map_err(failed("lock", file.path()))?;
        Ok(Incoming { file })
    }

    /// Copies a file in, hashing on the way, and keeps it under its SHA-256. `each` hears of the
    /// bytes copied. A payload that is here already stays as it is.
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
        pieces(path, &mut |bytes| {
            hasher.update(bytes);
            incoming.write_all(bytes).map_err(failed("write", incoming.file.path()))?;
            each(bytes.len() as u64);
            Ok(())
        })?;
        let digests = hasher.finish();
        if self.contains(&digests.sha256, digests.size)? {
            self.renew(&digests.sha256)?;
        } else {
            self.keep(vec![(incoming, digests.sha256)])?;
        }
        Ok(digests)
    }

    /// Keeps several finished payloads at once: syncs all, renames all, syncs the folders. What is
    /// here under the same name is replaced.
    ///
    /// # Errors
    /// When the disk fails; some may have been kept, none half.
    pub fn keep(&self, incoming: Vec<(Incoming, Sha256)>) -> Result<(), ContentError> {
        self.place(
            incoming,
            |Incoming { file }| (file.as_file(), file.path()),
            |incoming, path| incoming.file.persist(path).map(drop).map_err(|e| e.error),
        )
    }

    /// Keeps several finished partials at once, as [`ContentStore::keep`] does.
    ///
    /// # Errors
    /// When the disk fails; some may have been kept, none half.
    pub fn store_partials(&self, partials: Vec<(Partial, Sha256)>) -> Result<(), ContentError> {
        self.place(
            partials,
            |partial| (&partial.file, &partial.path),
            |partial, path| {
                fs::rename(&partial.path, path)?;
                // Of no use any more; what is left of one is swept.
                let _ = fs::remove_file(partial::note_path(&partial.path));
                Ok(())
            },
        )
    }

    /// Says that a payload that is here is about to be named: it is as new as one that has just come,
    /// and nobody prunes it.
    ///
    /// # Errors
    /// When it is not here or the disk fails.
    pub fn renew(&self, sha256: &Sha256) -> Result<(), ContentError> {
        let path = self.path(sha256);
        match File::open(&path).and_then(|file| file.set_modified(SystemTime::now())) {
            // Another user's; it is here all the same.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            done => done.map_err(failed("renew", &path)),
        }
    }

    fn place<T>(
        &self,
        finished: Vec<(T, Sha256)>,
        file: impl Fn(&T) -> (&File, &Path),
        rename: impl Fn(T, &Path) -> io::Result<()>,
    ) -> Result<(), ContentError> {
        for (one, _) in &finished {
            let (file, path) = file(one);
            let now = SystemTime::now();
            read_only(file)
                .and_then(|()| file.set_modified(now))
                .and_then(|()| file.sync_all())
                .map_err(failed("write", path))?;
        }
        let mut folders = BTreeSet::new();
        for (one, sha256) in finished {
            let path = self.path(&sha256);
            if let Some(folder) = path.parent() {
                if !folder.is_dir() {
                    fs::create_dir_all(folder).map_err(failed("make", folder))?;
                    folders.insert(self.root.clone());
                }
                folders.insert(folder.to_owned());
            }
            rename(one, &path).map_err(failed("rename a file to", &path))?;
        }
        for folder in folders {
            File::open(&folder).and_then(|f| f.sync_all()).map_err(failed("sync", &folder))?;
        }
        Ok(())
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
        match hash_file(&self.path(sha256), each) {
            Ok(digests) => Ok(Some(digests)),
            Err(ContentError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// Calls `each` with the name and size of every payload here, in the order of names.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn list(&self, each: &mut dyn FnMut(Sha256, u64)) -> Result<(), ContentError> {
        for folder in entries(&self.root)? {
            let two = folder.file_name().is_some_and(|name| name.len() == 2);
            if !two || !folder.is_dir() {
                continue;
            }
            for path in entries(&folder)? {
                let name = path.file_name().and_then(|name| name.to_str());
                let Some(sha256) = name.and_then(|name| name.parse::<Sha256>().ok()) else {
                    continue;
                };
                if self.path(&sha256) != path {
                    continue;
                }
                match fs::metadata(&path) {
                    Ok(metadata) if metadata.is_file() => each(sha256, metadata.len()),
                    Ok(_) => {}
                    // Removed by another process while we were looking.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => return Err(failed("look at", &path)(e)),
                }
            }
        }
        Ok(())
    }

    /// Removes temporary files that no running process holds; gives their number. Does nothing
    /// while another process begins or sweeps.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn sweep(&self) -> Result<u64, ContentError> {
        let tmp = self.tmp();
        let gate = self.gate()?;
        if !locked(gate.try_lock()).map_err(failed("lock", &tmp))? {
            return Ok(0);
        }
        let mut removed = 0;
        for path in entries(&tmp)? {
            if path.ends_with(LOCK) {
                continue;
            }
            // Open for reading is enough for a lock; a finished one is read-only already.
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(failed("open", &path)(e)),
            };
            if locked(file.try_lock()).map_err(failed("lock", &path))? {
                match fs::remove_file(&path) {
                    Ok(()) => removed += 1,
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    Err(e) => return Err(failed("remove", &path)(e)),
                }
            }
        }
        Ok(removed)
    }

    /// Free bytes of the file system, as far as we may use them.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn free_space(&self) -> Result<u64, ContentError> {
        fs4::available_space(&self.root).map_err(failed("ask for the free space of", &self.root))
    }

    fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    fn gate(&self) -> Result<File, ContentError> {
        let path = self.tmp().join(LOCK);
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed("open", &path))
    }
}

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

/// Hashes a file wherever it is. `each` hears of the bytes read.
///
/// # Errors
/// When reading fails.
pub fn hash_file(path: &Path, each: &mut dyn FnMut(u64)) -> Result<PayloadDigests, ContentError> {
    let mut hasher = PayloadHasher::new();
    pieces(path, &mut |bytes| {
        hasher.update(bytes);
        each(bytes.len() as u64);
        Ok(())
    })?;
    Ok(hasher.finish())
}

/// Reads a file piece by piece.
fn pieces(
    path: &Path,
    each: &mut dyn FnMut(&[u8]) -> Result<(), ContentError>,
) -> Result<(), ContentError> {
    let mut file = File::open(path).map_err(failed("open", path))?;
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => each(buffer.get(..n).unwrap_or_default())?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(failed("read", path)(e)),
        }
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ContentError {
    move |source| ContentError::Io { doing, path: path.to_owned(), source }
}

/// What is in a folder, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, ContentError> {
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect::<io::Result<Vec<_>>>())
        .map_err(failed("list", folder))?;
    paths.sort();
    Ok(paths)
}

/// Whether a lock was had.
fn locked(result: Result<(), TryLockError>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Payloads never change: no program shall write to one by mistake.
fn read_only(file: &File) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o444);
    #[cfg(not(unix))]
    permissions.set_readonly(true);
    file.set_permissions(permissions)
}

/// Undoes [`read_only`].
fn writable(path: &Path) -> io::Result<()> {
    let mut permissions = fs::metadata(path)?.permissions();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    #[cfg(not(unix))]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions)
}
