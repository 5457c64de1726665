//! Payloads that arrive in pieces and survive a kill: `content/partial/<digest>`, named by the digest
//! that is expected. What is there is hashed again before more is added, so that nothing is believed
//! of an earlier run but the bytes themselves.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use bundle_format::digest::{PayloadDigests, PayloadHasher, Sha1, Sha256};

use super::{
    error::ContentError,
    files::{entries, make_writable, open_lock, read_pieces, try_lock},
    store::ContentStore,
};
use crate::file_error::Doing;

/// Where partials are, below `content/`.
const FOLDER: &str = "partial";
/// The file in there that one process at a time locks.
const LOCK: &str = ".lock";
/// Largest note about the origin of a partial, in bytes.
const LARGEST_NOTE: u64 = 16 * 1024;
/// A partial that no disk has room for gives back this much of its end.
const GIVEN_BACK: u64 = 64 * 1024 * 1024;

/// What a document promises of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExpectedPayload {
    /// How others name it.
    pub sha1: Sha1,
    /// If it says one.
    pub sha256: Option<Sha256>,
    /// In bytes.
    pub size: u64,
}

impl ExpectedPayload {
    /// The name of its partial.
    fn key(&self) -> String {
        match self.sha256 {
            Some(sha256) => sha256.to_string(),
            None => format!("sha1-{}", self.sha1),
        }
    }

    /// What is wrong with these digests: `size`, `SHA-256` or `SHA-1`, what was promised, what is.
    pub fn mismatch(&self, found: &PayloadDigests) -> Option<(&'static str, String, String)> {
        if self.size != found.size {
            return Some(("size", self.size.to_string(), found.size.to_string()));
        }
        if self.sha1 != found.sha1 {
            return Some(("SHA-1", self.sha1.to_string(), found.sha1.to_string()));
        }
        match self.sha256 {
            Some(sha256) if sha256 != found.sha256 => {
                Some(("SHA-256", sha256.to_string(), found.sha256.to_string()))
            }
            _ => None,
        }
    }
}

/// The folder of partials, held by one process at a time.
pub struct Partials {
    folder: PathBuf,
    _lock: File,
}

impl ContentStore {
    /// How many bytes of a payload an earlier download has left.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn partial_size(&self, expected: &ExpectedPayload) -> Result<u64, ContentError> {
        let path = self.root.join(FOLDER).join(expected.key());
        match fs::metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
            found => {
                let size = found.doing("look at", &path)?.len();
                Ok(if size <= expected.size { size } else { 0 })
            }
        }
    }

    /// Locks the folder of partials for this process.
    ///
    /// # Errors
    /// [`ContentError::Busy`] when another process has it; when the disk fails.
    pub fn partials(&self) -> Result<Partials, ContentError> {
        let folder = self.root.join(FOLDER);
        fs::create_dir_all(&folder).doing("make", &folder)?;
        let path = folder.join(LOCK);
        let lock = open_lock(&path)?;
        if !try_lock(&lock).doing("lock", &path)? {
            return Err(ContentError::Busy { path: folder });
        }
        Ok(Partials { folder, _lock: lock })
    }

    /// Stores several finished partials at once, as [`ContentStore::store`] does.
    ///
    /// # Errors
    /// When the disk fails; some may have been stored, none half.
    pub fn store_partials(&self, partials: Vec<(Partial, Sha256)>) -> Result<(), ContentError> {
        Ok(self.place(
            partials,
            |partial| (&partial.file, &partial.path),
            |partial, path| {
                fs::rename(&partial.path, path)?;
                // Of no use any more; one that stays is swept.
                let _ = fs::remove_file(note_path(&partial.path));
                Ok(())
            },
        )?)
    }
}

impl Partials {
    /// Opens or begins a partial; what is there is hashed. Blocking, and long for a large one.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn open(&self, expected: &ExpectedPayload) -> Result<Partial, ContentError> {
        let path = self.folder.join(expected.key());
        // A finished one is read-only already; it was killed before it was renamed.
        match fs::metadata(&path) {
            Ok(metadata) if metadata.permissions().readonly() => {
                make_writable(&path).doing("open", &path)?;
            }
            _ => {}
        }
        let file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
        let file = file.doing("open", &path)?;
        let mut partial = Partial { file, path, hasher: PayloadHasher::new(), len: 0, restarts: 0 };
        let size = partial.file.metadata().doing("look at", &partial.path)?.len();
        if size > expected.size {
            partial.restart()?;
        } else {
            partial.hash_what_is_there()?;
        }
        Ok(partial)
    }

    /// Removes partials that `wanted` does not name, by SHA-256 or, of documents that have none, by
    /// SHA-1; gives their number.
    ///
    /// # Errors
    /// When the disk or `wanted` fails.
    pub fn sweep<E: From<ContentError>>(
        &self,
        wanted: &mut dyn FnMut(Result<Sha256, Sha1>) -> Result<bool, E>,
    ) -> Result<u64, E> {
        let mut removed = 0;
        for path in entries(&self.folder).map_err(ContentError::from)? {
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            let digest = match name.strip_prefix("sha1-") {
                Some(sha1) => sha1.parse().map(Err).ok(),
                None => name.parse().map(Ok).ok(),
            };
            let Some(digest) = digest else { continue };
            if !wanted(digest)? {
                fs::remove_file(&path).doing("remove", &path).map_err(ContentError::from)?;
                removed += u64::from(path.extension().is_none());
            }
        }
        Ok(removed)
    }
}

/// A payload of which the first bytes are here. Dropped, it stays for the next run.
pub struct Partial {
    file: File,
    path: PathBuf,
    hasher: PayloadHasher,
    len: u64,
    restarts: u32,
}

impl Partial {
    /// Bytes that are here.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing is here.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How often what was here has been thrown away.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// When the disk fails or is full; then it gives back a part of its end, so that others can
    /// finish what they have begun.
    pub fn add(&mut self, bytes: &[u8]) -> Result<(), ContentError> {
        if let Err(error) = self.file.write_all(bytes) {
            // The hasher has seen what is cut off now: the next run opens the file again.
            self.len = self.len.saturating_sub(GIVEN_BACK);
            let _ = self.file.set_len(self.len);
            return Ok(Err(error).doing("write", &self.path)?);
        }
        self.hasher.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Throws away what is here.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn restart(&mut self) -> Result<(), ContentError> {
        self.file.set_len(0).doing("empty", &self.path)?;
        self.file.seek(SeekFrom::Start(0)).doing("rewind", &self.path)?;
        self.hasher = PayloadHasher::new();
        self.len = 0;
        self.restarts += 1;
        self.set_note(None)
    }

    /// The digests of what is here.
    pub fn digests(&self) -> PayloadDigests {
        self.hasher.clone().finish()
    }

    /// The note about its origin.
    pub fn note(&self) -> Option<String> {
        let mut note = String::new();
        let file = File::open(note_path(&self.path)).ok()?;
        file.take(LARGEST_NOTE).read_to_string(&mut note).ok()?;
        Some(note)
    }

    /// Writes the note about its origin, or removes it.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn set_note(&self, note: Option<&str>) -> Result<(), ContentError> {
        let path = note_path(&self.path);
        match note {
            Some(note) => fs::write(&path, note).doing("write", &path)?,
            None => match fs::remove_file(&path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                done => done.doing("remove", &path)?,
            },
        }
        Ok(())
    }

    /// Removes it.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn remove(self) -> Result<(), ContentError> {
        self.set_note(None)?;
        Ok(fs::remove_file(&self.path).doing("remove", &self.path)?)
    }

    fn hash_what_is_there(&mut self) -> Result<(), ContentError> {
        let Self { file, path, hasher, len, .. } = self;
        read_pieces(file, path, &mut |bytes| {
            hasher.update(bytes);
            *len += bytes.len() as u64;
            Ok(())
        })
    }
}

/// The file that holds the note about the origin of a partial.
fn note_path(partial: &Path) -> PathBuf {
    partial.with_extension("from")
}
