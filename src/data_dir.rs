//! The data folder: where each file lives, and which side this is.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::durable;
use crate::sqlite::{self, SqliteFailure};

/// Which side a data folder belongs to; kept in `tidegate.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "side", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Side {
    /// Fills the mirror and exports it.
    Connected {
        /// The mirror, the numbering authority of its revision IDs.
        #[serde(rename = "mirror-id")]
        mirror_id: Uuid,
    },
    /// Imports and serves.
    Isolated {
        /// The isolated network, as bundles name it.
        site: String,
    },
}

/// Why the data folder could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataDirError {
    /// The disk failed.
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
    /// There is no data folder yet.
    #[error(
        "{path} is no Tidegate data folder: run `tidegate init` (connected side) or `tidegate init --site NAME` (isolated side) first"
    )]
    NotInitialized {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is one already.
    #[error("{path} is a Tidegate data folder already ({side}): choose another with --data")]
    AlreadyInitialized {
        /// Where.
        path: PathBuf,
        /// Which side it belongs to.
        side: String,
    },
    /// `tidegate.json` cannot be read.
    #[error("{path} is damaged: restore it from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The catalogue has gone. A new one would number updates afresh, and agents keep these numbers.
    #[error(
        "{path} is missing, but snapshots were made of it: bring it back from a backup, or begin anew in another folder with `tidegate init`"
    )]
    CatalogueLost {
        /// Where it should be.
        path: PathBuf,
    },
    /// Another process does the same.
    #[error(
        "another `tidegate sync` works on this data folder ({path} is locked): wait until it has ended"
    )]
    Busy {
        /// What it holds.
        path: PathBuf,
    },
    /// A name that is not allowed.
    #[error("{what}")]
    Invalid {
        /// What is wrong and what to do.
        what: String,
    },
}

/// A lock that one process has at a time; the system takes it back from a process that has ended.
#[derive(Debug)]
pub struct FolderLock(File);

impl FolderLock {
    /// Locks a file, which is made if it is not there; `None` if another has it.
    ///
    /// # Errors
    /// When the disk fails.
    pub(crate) fn new(path: &Path) -> io::Result<Option<Self>> {
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
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

/// A data folder that `init` has made.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
    side: Side,
}

impl DataDir {
    /// To be held while a source is synchronized: two runs would overwrite each other's notes.
    ///
    /// # Errors
    /// When another process holds it, or the disk fails.
    pub fn begin_sync(&self) -> Result<FolderLock, DataDirError> {
        let path = self.root.join("sync.lock");
        match FolderLock::new(&path) {
            Ok(held) => held.ok_or(DataDirError::Busy { path }),
            Err(source) => Err(DataDirError::Io { doing: "lock", path, source }),
        }
    }

    /// Makes a new data folder.
    ///
    /// # Errors
    /// When there is one already, the site's name is not usable, or the disk fails.
    pub fn init(root: &Path, side: Side) -> Result<Self, DataDirError> {
        if let Side::Isolated { site } = &side {
            check_site(site)?;
        }
        let file = root.join("tidegate.json");
        if file.exists() {
            let side = match Self::open(root)?.side {
                Side::Connected { .. } => "connected side".to_owned(),
                Side::Isolated { site } => format!("isolated side, site {site}"),
            };
            return Err(DataDirError::AlreadyInitialized { path: root.to_owned(), side });
        }
        fs::create_dir_all(root).map_err(|source| DataDirError::Io {
            doing: "make",
            path: root.to_owned(),
            source,
        })?;
        Self::write_side(root.to_owned(), side)
    }

    /// Opens an existing data folder.
    ///
    /// # Errors
    /// When there is none, its `tidegate.json` is damaged, or it has lost its catalogue.
    pub fn open(root: &Path) -> Result<Self, DataDirError> {
        let file = root.join("tidegate.json");
        let json = match fs::read(&file) {
            Ok(json) => json,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(DataDirError::NotInitialized { path: root.to_owned() });
            }
            Err(source) => return Err(DataDirError::Io { doing: "read", path: file, source }),
        };
        let side = serde_json::from_slice(&json)
            .map_err(|source| DataDirError::Damaged { path: file, source })?;
        if let Side::Isolated { site } = &side {
            check_site(site)?;
        }
        let data = Self { root: root.to_owned(), side };
        let catalog = data.catalog();
        let used = || data.snapshots().read_dir().is_ok_and(|mut entries| entries.next().is_some());
        if !catalog.exists() && used() {
            return Err(DataDirError::CatalogueLost { path: catalog });
        }
        Ok(data)
    }

    /// Makes it the connected side: a site's data folder that a lost mirror is rebuilt from.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn become_connected(self, mirror_id: Uuid) -> Result<Self, DataDirError> {
        Self::write_side(self.root, Side::Connected { mirror_id })
    }

    fn write_side(root: PathBuf, side: Side) -> Result<Self, DataDirError> {
        let file = root.join("tidegate.json");
        let mut json = serde_json::to_vec_pretty(&side)
            .map_err(|source| DataDirError::Damaged { path: file.clone(), source })?;
        json.push(b'\n');
        durable::write(&file, &json).map_err(|source| DataDirError::Io {
            doing: "write",
            path: file,
            source,
        })?;
        Ok(Self { root, side })
    }

    /// Which side this is.
    pub fn side(&self) -> &Side {
        &self.side
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The catalogue database.
    pub fn catalog(&self) -> PathBuf {
        self.root.join("catalog.sqlite")
    }

    /// The fleet database.
    pub fn fleet(&self) -> PathBuf {
        self.root.join("fleet.sqlite")
    }

    /// The folder of payloads.
    pub fn content(&self) -> PathBuf {
        self.root.join("content")
    }

    /// The folder of segments, by SHA-256.
    pub fn segments(&self) -> PathBuf {
        self.root.join("segments")
    }

    /// The folder of the signed heads of snapshots.
    pub fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    /// The folder with the signed head of a snapshot.
    pub fn snapshot(&self, number: u64) -> PathBuf {
        self.snapshots().join(number.to_string())
    }

    /// The trust state of the isolated side.
    pub fn trust_state(&self) -> PathBuf {
        self.root.join("trust").join("state")
    }

    /// The folder of key files and roots of the connected side.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The folder of fragment packs, derived from the catalogue.
    pub fn packs(&self) -> PathBuf {
        self.root.join("packs")
    }

    /// Parts of payloads that came on some volumes of several, until the others are taken in.
    pub fn parts(&self) -> PathBuf {
        self.root.join("parts")
    }

    /// Where an import keeps what it has read before the bundle is accepted.
    pub fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }
}

/// Whether a text can name a site: 1 to 64 of `a-z`, `0-9`, `-`, `_`, `.`, beginning with a letter
/// or digit. Names go into signed metadata and file names.
///
/// # Errors
/// [`DataDirError::Invalid`] otherwise.
pub fn check_site(site: &str) -> Result<(), DataDirError> {
    let good = (1..=64).contains(&site.len())
        && site
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b))
        && site.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    if good {
        return Ok(());
    }
    Err(DataDirError::Invalid {
        what: format!(
            "{site:?} cannot name a site: use 1 to 64 of a-z, 0-9, '-', '_' and '.', beginning with a letter or digit"
        ),
    })
}

/// What an administrator can do about a cause of an error, if it lies in a full disk or in the state
/// of a database file.
pub fn advice(cause: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let trouble = match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => SqliteFailure::Full,
        _ => sqlite::trouble(cause)?,
    };
    Some(match trouble {
        SqliteFailure::Full => "free space there, then run it again: nothing is half-applied",
        SqliteFailure::Forbidden => {
            "run it as a user who may read and write this file and its folder"
        }
        SqliteFailure::Damaged => "bring the file back from a backup",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_advice() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        assert!(advice(&full).unwrap().contains("free space"));
        assert_eq!(advice(&io::Error::from(io::ErrorKind::NotFound)), None);
    }

    #[test]
    fn a_site_that_was_edited_in_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tidegate.json"), r#"{"side":"isolated","site":"../x"}"#)
            .unwrap();
        assert!(matches!(DataDir::open(folder.path()), Err(DataDirError::Invalid { .. })));
    }
}
