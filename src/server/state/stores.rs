//! The stores that requests read and write.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

use crate::{
    catalog::{Catalog, CatalogError},
    content::ContentStore,
    data_dir::{DataDir, Side},
    error_chain::chain,
    fleet::{Fleet, FleetBounds, FleetError},
    server::error::ServerError,
};

/// Connections for reading that wait to be used again.
const IDLE_READERS: usize = 32;
/// While the fleet cannot be written, it is tried this often.
const TRY_EVERY: Duration = Duration::from_secs(5);

/// The data folder and the stores in it.
///
/// Whoever only reads the fleet has a connection of its own, and waits for no writer. Scans and downloads
/// need no writing: they go on when the fleet cannot be written, as on a full disk.
pub(crate) struct Stores {
    data: DataDir,
    content: ContentStore,
    /// Before the writer, which tidies up as the last one to go.
    readers: Mutex<Vec<Fleet>>,
    /// `None` while it cannot be opened for writing.
    writer: Mutex<Option<Fleet>>,
    /// When writing failed last, if the last attempt did.
    failed: Mutex<Option<Instant>>,
    /// Values of [`Stores::value_or_insert`] that are still to be written.
    unwritten: Mutex<Vec<(String, Vec<u8>)>>,
    /// Whether the disk was found too full for reports.
    short_of_space: Mutex<bool>,
    /// What computers and servers may occupy.
    bounds: FleetBounds,
}

impl Stores {
    /// Opens the stores. Blocking.
    pub(crate) fn open(data: DataDir, bounds: FleetBounds) -> Result<Self, ServerError> {
        // Before the first import there is no catalogue yet: an empty one is served.
        if let Err(error) = Catalog::open(&data.catalog()) {
            if !error.is_unwritable() || Catalog::open_read_only(&data.catalog()).is_err() {
                return Err(error.into());
            }
            tracing::warn!(error = chain(&error), "the catalogue can be read, but not written");
        }
        let content = ContentStore::for_reading(&data.content());
        let stores = Self {
            data,
            content,
            writer: Mutex::default(),
            readers: Mutex::default(),
            failed: Mutex::default(),
            unwritten: Mutex::default(),
            short_of_space: Mutex::default(),
            bounds,
        };
        if let Err(error) = stores.write(|_| Ok(())) {
            if !error.is_unwritable() || stores.read(|_| Ok(())).is_err() {
                return Err(error.into());
            }
            stores.note_failure(&error);
        }
        Ok(stores)
    }

    /// The data folder.
    pub(crate) fn data(&self) -> &DataDir {
        &self.data
    }

    /// The payloads.
    pub(crate) fn content(&self) -> &ContentStore {
        &self.content
    }

    /// Reads the fleet: waits for nobody who writes. Blocking.
    ///
    /// # Errors
    /// When it cannot be opened, or `read` fails.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Fleet) -> Result<T, FleetError>,
    ) -> Result<T, FleetError> {
        let idle = lock(&self.readers).pop();
        let fleet = match idle {
            Some(fleet) => fleet,
            None => Fleet::open_read_only(&self.data.fleet())?,
        };
        let found = fleet.at_one_moment(read);
        // Without space the connection may see the file as it stands only.
        if !self.has_failed() {
            let mut readers = lock(&self.readers);
            if readers.len() < IDLE_READERS {
                readers.push(fleet);
            }
        }
        found
    }

    /// Writes into the fleet; one at a time. Blocking.
    ///
    /// # Errors
    /// When it cannot be opened for writing, or `write` fails.
    pub(crate) fn write<T>(
        &self,
        write: impl FnOnce(&mut Fleet) -> Result<T, FleetError>,
    ) -> Result<T, FleetError> {
        // A panic cannot have left a transaction half done: SQLite rolled it back.
        match &mut *lock(&self.writer) {
            Some(fleet) => write(fleet),
            none => {
                let fleet = Fleet::open(&self.data.fleet())?;
                write(none.insert(fleet.with_bounds(self.bounds)))
            }
        }
    }

    /// As [`Stores::write`]; `None` when the fleet cannot be written at present, which is said once in the
    /// log. While that lasts, it is tried every few seconds only. Blocking.
    ///
    /// # Errors
    /// When `write` fails for another reason.
    pub(crate) fn try_write<T>(
        &self,
        write: impl FnOnce(&mut Fleet) -> Result<T, FleetError>,
    ) -> Result<Option<T>, FleetError> {
        if lock(&self.failed).is_some_and(|at| at.elapsed() < TRY_EVERY) {
            return Ok(None);
        }
        let values = lock(&self.unwritten).clone();
        let written = self.write(|fleet| {
            for (key, value) in &values {
                fleet.value_or_insert(key, value)?;
            }
            write(fleet)
        });
        match written {
            Ok(value) => {
                lock(&self.unwritten).retain(|one| !values.contains(one));
                if lock(&self.failed).take().is_some() {
                    lock(&self.readers).clear();
                    tracing::warn!("the fleet database can be written again");
                }
                Ok(Some(value))
            }
            Err(error) if error.is_unwritable() => {
                self.note_failure(&error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn note_failure(&self, error: &FleetError) {
        if lock(&self.failed).replace(Instant::now()).is_none() {
            tracing::error!(
                error = chain(error),
                "the fleet database cannot be written. Scans and downloads go on; what computers report is refused until it can be written again, and they send it again"
            );
        }
    }

    /// A value that the servers of a site share; `new` if it is not there yet. Where the fleet cannot be
    /// written at present, this server goes by `new`, and it is written as soon as that is possible.
    /// Blocking.
    ///
    /// # Errors
    /// When the fleet cannot be read, or writing fails for another reason.
    pub(super) fn value_or_insert(&self, key: &str, new: &[u8]) -> Result<Vec<u8>, FleetError> {
        match self.read(|fleet| fleet.value(key))? {
            Some(value) => Ok(value),
            None => match self.write(|fleet| fleet.value_or_insert(key, new)) {
                Err(error) if error.is_unwritable() => {
                    self.note_failure(&error);
                    lock(&self.unwritten).push((key.to_owned(), new.to_vec()));
                    Ok(new.to_vec())
                }
                written => written,
            },
        }
    }

    /// Whether reports leave so many bytes of the disk free; if not, that is said once in the log.
    /// Blocking.
    pub(crate) fn has_room_for_reports(&self, reserve: u64) -> bool {
        // Where nobody can say how much is free, writing shows it.
        let Ok(free) = self.content.free_space() else { return true };
        let mut short = lock(&self.short_of_space);
        let is_short = free < reserve;
        if is_short && !*short {
            tracing::error!(
                free,
                reserve,
                "less space is free than reports leave: what computers report is refused until there is more, and they send it again. Scans and downloads go on"
            );
        }
        *short = is_short;
        !is_short
    }

    /// Whether the last attempt to write into the fleet has failed.
    pub(crate) fn has_failed(&self) -> bool {
        lock(&self.failed).is_some()
    }

    /// The catalogue as it is now, read-only: downstream servers read documents and change marks,
    /// of which the view has none. Blocking.
    pub(crate) fn catalog(&self) -> Result<Catalog, CatalogError> {
        Catalog::open_read_only(&self.data.catalog())
    }

    /// As [`Stores::catalog`], for answers that go together with the fleet's. Blocking.
    ///
    /// # Errors
    /// Also while an import is between its switch and its policy.
    pub(crate) fn catalog_with_policy(&self) -> Result<Catalog, CatalogError> {
        let catalog = self.catalog()?;
        catalog.in_force_with_policy()?;
        Ok(catalog)
    }

    /// Which numbering of revisions agents see, once known. Blocking.
    pub(super) fn numbering(&self) -> Result<Option<Uuid>, CatalogError> {
        if let Side::Connected { mirror_id } = self.data.side() {
            return Ok(Some(*mirror_id));
        }
        self.catalog()?.numbering()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
