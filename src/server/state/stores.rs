//! The stores that requests read and write.

use std::{
    ops::Deref,
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use crate::{
    catalog::{Catalog, CatalogError},
    content::ContentStore,
    data_dir::{DataDir, Side},
    fleet::Fleet,
    server::error::ServerError,
};

/// The data folder and the stores in it.
pub(crate) struct Stores {
    data: DataDir,
    content: ContentStore,
    fleet: Mutex<Fleet>,
}

impl Stores {
    /// Opens the stores. Blocking.
    pub(crate) fn open(data: DataDir) -> Result<Self, ServerError> {
        // Before the first import there is no catalogue yet: an empty one is served.
        drop(Catalog::open(&data.catalog())?);
        let content = ContentStore::open(&data.content())?;
        let fleet = Fleet::open(&data.fleet())?;
        Ok(Self { data, content, fleet: Mutex::new(fleet) })
    }

    /// The data folder.
    pub(crate) fn data(&self) -> &DataDir {
        &self.data
    }

    /// The payloads.
    pub(crate) fn content(&self) -> &ContentStore {
        &self.content
    }

    /// The fleet, for reading only. Blocking: it shares the writer's lock, so it waits for writers.
    pub(crate) fn fleet_reader(&self) -> impl Deref<Target = Fleet> + '_ {
        self.fleet()
    }

    /// The fleet, for writing, locked for a moment. Blocking.
    pub(crate) fn fleet(&self) -> MutexGuard<'_, Fleet> {
        // A panic cannot have left a transaction half done: SQLite rolled it back.
        self.fleet.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The catalogue as it is now, read-only: downstream servers read documents and change marks,
    /// of which the view has none. Blocking.
    pub(crate) fn catalog(&self) -> Result<Catalog, CatalogError> {
        Catalog::open_read_only(&self.data.catalog())
    }

    /// The mirror that numbers the revisions, once known. Blocking.
    pub(super) fn numbering(&self) -> Result<Option<Uuid>, CatalogError> {
        if let Side::Connected { mirror_id } = self.data.side() {
            return Ok(Some(*mirror_id));
        }
        self.catalog()?.mirror_id()
    }
}
