//! The data folder: where each file lives, and which side this is.

mod error;
mod folder_lock;
mod permission;
mod side;

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{durable, file_error::Doing};
pub use error::DataDirError;
pub use folder_lock::FolderLock;
pub use side::{Side, check_site};

/// The beginning of the name that `tidegate.json` has until it is written.
const NEW: &str = ".tidegate-init-";

/// Bytes of the smallest database: SQLite takes what is shorter for an empty one.
const SMALLEST: u64 = 512;

/// The file in a data folder that [`DataDir::begin_sync`] locks.
pub(crate) const SYNC_LOCK: &str = "sync.lock";

/// A data folder that `init` has made.
#[derive(Debug, Clone)]
pub struct DataDir {
    root: PathBuf,
    record: Record,
}

/// What `tidegate.json` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    side: Side,
    /// Both databases were made: one that is not there is lost.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    databases: bool,
}

impl DataDir {
    /// Makes a new data folder without databases.
    ///
    /// # Errors
    /// When there is one already, the site's name is not usable, or the disk fails.
    pub fn init(root: &Path, side: Side) -> Result<Self, DataDirError> {
        Self::make(root, Record { side, databases: false }, |_| Ok(()))
    }

    /// Makes a new data folder with the databases that `make_databases` makes: one that is not there
    /// later is lost.
    ///
    /// # Errors
    /// As [`DataDir::init`], and those of `make_databases`; there is no data folder then.
    pub fn init_with<E: From<DataDirError>>(
        root: &Path,
        side: Side,
        make_databases: impl FnOnce(&Self) -> Result<(), E>,
    ) -> Result<Self, E> {
        Self::make(root, Record { side, databases: true }, make_databases)
    }

    fn make<E: From<DataDirError>>(
        root: &Path,
        record: Record,
        make_databases: impl FnOnce(&Self) -> Result<(), E>,
    ) -> Result<Self, E> {
        let data = Self::prepared(root, record)?;
        make_databases(&data)?;
        Ok(data.noted()?)
    }

    /// The folder, before anything in it says that it is one.
    fn prepared(root: &Path, record: Record) -> Result<Self, DataDirError> {
        if let Side::Isolated { site } = &record.side {
            check_site(site)?;
        }
        if root.join("tidegate.json").exists() {
            return Err(Self::already(root));
        }
        permission::make_folder(root).doing("make", root)?;
        permission::tighten(root);
        // Left by a killed `init`. One that runs beside this one and loses its file says so.
        durable::sweep(root, NEW).doing("clear", root)?;
        Ok(Self { root: root.to_owned(), record })
    }

    /// Writes `tidegate.json`, last of all: of two at once one wins.
    fn noted(self) -> Result<Self, DataDirError> {
        let (root, file) = (&self.root, self.root.join("tidegate.json"));
        let made = tempfile::Builder::new().prefix(NEW).tempfile_in(root).and_then(|mut new| {
            new.write_all(&self.record.to_json()?)?;
            durable::persist_new(new, &file)
        });
        match made {
            Ok(()) => Ok(self),
            Err(_) if file.exists() => Err(Self::already(root)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Err(DataDirError::AnotherInit { path: root.to_owned() })
            }
            Err(e) => Ok(Err(e).doing("write", &file)?),
        }
    }

    /// Somebody made it before: which side it is then.
    fn already(root: &Path) -> DataDirError {
        let side = match Self::open(root) {
            Err(error) => return error,
            Ok(data) => match data.record.side {
                Side::Connected { .. } => "connected side".to_owned(),
                Side::Isolated { site } => format!("isolated side, site {site}"),
            },
        };
        DataDirError::AlreadyInitialized { path: root.to_owned(), side }
    }

    /// Opens an existing data folder.
    ///
    /// # Errors
    /// When there is none, its `tidegate.json` is damaged, or it has lost its catalogue.
    pub fn open(root: &Path) -> Result<Self, DataDirError> {
        let file = root.join("tidegate.json");
        let json = match fs::read(&file) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return Err(DataDirError::NotInitialized { path: root.to_owned() });
            }
            read => read.doing("read", &file)?,
        };
        let record: Record = serde_json::from_slice(&json)
            .map_err(|source| DataDirError::Damaged { path: file, source })?;
        if let Side::Isolated { site } = &record.side {
            check_site(site)?;
        }
        let data = Self { root: root.to_owned(), record };
        let has_snapshots =
            || data.snapshots().read_dir().is_ok_and(|mut entries| entries.next().is_some());
        // A database that is lost or empty would be made anew, and nobody would see that it is.
        for path in [data.catalog(), data.fleet()] {
            let is_lost = fs::metadata(&path).map_or(true, |found| found.len() < SMALLEST);
            if is_lost && (data.record.databases || has_snapshots()) {
                return Err(DataDirError::StoreLost { path });
            }
        }
        permission::tighten(root);
        Ok(data)
    }

    /// Makes it the connected side: a site's data folder that a lost mirror is rebuilt from.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn become_connected(self, mirror_id: Uuid) -> Result<Self, DataDirError> {
        let record = Record { side: Side::Connected { mirror_id }, ..self.record };
        Self { record, ..self }.stored()
    }

    /// Notes that both databases were made: from now on one that is not there is lost.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn with_databases(self) -> Result<Self, DataDirError> {
        let record = Record { databases: true, ..self.record };
        Self { record, ..self }.stored()
    }

    fn stored(self) -> Result<Self, DataDirError> {
        let file = self.root.join("tidegate.json");
        let json = self.record.to_json().doing("write", &file)?;
        durable::write(&file, &json).doing("write", &file)?;
        Ok(self)
    }

    /// Locks the folder for a synchronization, until the lock is dropped: two runs would overwrite each
    /// other's notes.
    ///
    /// # Errors
    /// When another process holds it, or the disk fails.
    pub fn begin_sync(&self) -> Result<FolderLock, DataDirError> {
        let path = self.root.join(SYNC_LOCK);
        FolderLock::new(&path).doing("lock", &path)?.ok_or(DataDirError::Busy { path })
    }

    /// Which side this is.
    pub fn side(&self) -> &Side {
        &self.record.side
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

    /// The receipts of sites, on the connected side.
    pub fn receipts(&self) -> PathBuf {
        self.root.join("receipts")
    }

    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
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

impl Record {
    fn to_json(&self) -> io::Result<Vec<u8>> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        Ok(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_at_once_one_wins_and_nothing_is_left() {
        for _ in 0..20 {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(".tidegate-init-killed"), b"{").unwrap();
            let init = || {
                let mirror_id = Uuid::new_v4();
                DataDir::init(folder.path(), Side::Connected { mirror_id })
            };
            let (one, two) = std::thread::scope(|scope| {
                let other = scope.spawn(init);
                (init(), other.join().unwrap())
            });
            let won = one.as_ref().or(two.as_ref()).unwrap();
            assert_eq!(DataDir::open(folder.path()).unwrap().side(), won.side());
            let lost = if one.is_ok() { two } else { one };
            assert!(
                matches!(
                    lost,
                    Err(DataDirError::AlreadyInitialized { .. } | DataDirError::AnotherInit { .. })
                ),
                "{lost:?}"
            );
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_record_with_more_than_it_may_hold_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tidegate.json");
        let side = Side::Isolated { site: "plant-7".to_owned() };
        let data = DataDir::init(folder.path(), side.clone()).unwrap();
        fs::write(data.catalog(), b"").unwrap();
        assert_eq!(
            DataDir::open(folder.path()).unwrap().side(),
            &side,
            "as it was in earlier builds"
        );
        data.with_databases().unwrap();
        assert!(matches!(DataDir::open(folder.path()), Err(DataDirError::StoreLost { .. })));
        fs::write(&file, r#"{"side":"isolated","site":"plant-7","mode":"x"}"#).unwrap();
        assert!(matches!(DataDir::open(folder.path()), Err(DataDirError::Damaged { .. })));
    }

    #[test]
    fn a_site_that_was_edited_in_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("tidegate.json"), r#"{"side":"isolated","site":"../x"}"#)
            .unwrap();
        assert!(matches!(DataDir::open(folder.path()), Err(DataDirError::Invalid { .. })));
    }
}
