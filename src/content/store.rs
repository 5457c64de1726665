//! Payloads that are complete.

use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use bundle_format::digest::{PayloadDigests, Sha256};

use super::{
    error::ContentError,
    files::{entries, hash_file},
};
use crate::{
    durable,
    file_error::{Doing, FileError},
};

/// So many bytes stay free for imports and downloads: with less, reports of computers are refused.
pub const REPORT_RESERVE: u64 = 256 * 1024 * 1024;

/// The folder of payloads.
#[derive(Debug, Clone)]
pub struct ContentStore {
    pub(super) root: PathBuf,
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
        fs::create_dir_all(&tmp).doing("make", &tmp)?;
        Ok(store)
    }

    /// The store in a folder, for reading: nothing is made.
    pub fn for_reading(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where a payload's bytes are or would be.
    pub fn path(&self, sha256: &Sha256) -> PathBuf {
        let name = sha256.to_string();
        self.root.join(name.get(..2).unwrap_or_default()).join(name)
    }

    /// The folder of temporary files.
    pub(super) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Whether a payload of this size is here. Looks at name and size, does not hash.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn contains(&self, sha256: &Sha256, size: u64) -> Result<bool, ContentError> {
        let path = self.path(sha256);
        match fs::metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            found => {
                let metadata = found.doing("look at", &path)?;
                Ok(metadata.is_file() && metadata.len() == size)
            }
        }
    }

    /// Opens a payload for reading.
    ///
    /// # Errors
    /// When it is not here or the disk fails.
    pub fn read(&self, sha256: &Sha256) -> Result<File, ContentError> {
        let path = self.path(sha256);
        Ok(File::open(&path).doing("open", &path)?)
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
            Err(ContentError::File(e)) if e.source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Marks a payload that is here as new, because it is about to be named: nobody prunes it.
    ///
    /// # Errors
    /// When it is not here or the disk fails.
    pub fn renew(&self, sha256: &Sha256) -> Result<(), ContentError> {
        let path = self.path(sha256);
        match File::open(&path).and_then(|file| file.set_modified(SystemTime::now())) {
            // The file belongs to another user; it is here all the same.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            done => Ok(done.doing("renew", &path)?),
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
                    // Removed by another process meanwhile.
                    Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                    found => {
                        let metadata = found.doing("look at", &path)?;
                        if metadata.is_file() {
                            each(sha256, metadata.len());
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The names of all payloads here; `None` where not even the folders are that payloads were in: no disk
    /// is mounted there, or nothing ever came. Only names are looked at, so that many take little time.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn names(&self) -> Result<Option<HashSet<Sha256>>, ContentError> {
        let mut names = None;
        if !self.root.exists() {
            return Ok(None);
        }
        for folder in entries(&self.root)? {
            let two = folder.file_name().is_some_and(|name| name.len() == 2);
            if two && folder.is_dir() {
                let found = entries(&folder)?;
                let found = found.iter().filter_map(|path| path.file_name()?.to_str());
                let names = names.get_or_insert_with(HashSet::new);
                names.extend(found.filter_map(|name| name.parse::<Sha256>().ok()));
            }
        }
        Ok(names)
    }

    /// Free bytes of the file system, as far as we may use them.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn free_space(&self) -> Result<u64, ContentError> {
        // It may not be made yet.
        let there = self.root.ancestors().find(|folder| folder.exists()).unwrap_or(&self.root);
        Ok(fs4::available_space(there).doing("ask for the free space of", there)?)
    }

    /// Stores finished files under their names: syncs all, renames all, syncs the folders. What is
    /// here under the same name is replaced.
    pub(super) fn place<T>(
        &self,
        finished: Vec<(T, Sha256)>,
        file: impl Fn(&T) -> (&File, &Path),
        rename: impl Fn(T, &Path) -> io::Result<()>,
    ) -> Result<(), FileError> {
        for (one, _) in &finished {
            let (file, path) = file(one);
            let now = SystemTime::now();
            durable::make_read_only(file)
                .and_then(|()| file.set_modified(now))
                .and_then(|()| file.sync_all())
                .doing("write", path)?;
        }
        let mut folders = BTreeSet::new();
        for (one, sha256) in finished {
            let path = self.path(&sha256);
            if let Some(folder) = path.parent() {
                if !folder.is_dir() {
                    fs::create_dir_all(folder).doing("make", folder)?;
                    folders.insert(self.root.clone());
                }
                folders.insert(folder.to_owned());
            }
            rename(one, &path).doing("rename a file to", &path)?;
        }
        for folder in folders {
            durable::sync_folder(&folder).doing("sync", &folder)?;
        }
        Ok(())
    }
}
