//! What every operation needs to know.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use uuid::Uuid;

use super::{Result, error::OpsError, progress::Observer};
use crate::{
    catalog::Catalog,
    data_dir::{DataDir, Side},
    fleet::Fleet,
    update::DocumentLimits,
};

/// The data folder to work on, bounds, and the observer.
#[derive(Clone)]
pub struct Context<'a> {
    folder: PathBuf,
    limits: DocumentLimits,
    observer: &'a dyn Observer,
}

impl<'a> Context<'a> {
    /// For the data folder at `folder`, with the default bounds on update documents. `&()` observes
    /// nothing.
    pub fn new(folder: impl Into<PathBuf>, observer: &'a dyn Observer) -> Self {
        Self { folder: folder.into(), limits: DocumentLimits::default(), observer }
    }

    /// With other bounds on update documents.
    #[must_use]
    pub fn with_limits(self, limits: DocumentLimits) -> Self {
        Self { limits, ..self }
    }

    /// The data folder, which may not be made yet.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bounds on update documents.
    pub(super) fn limits(&self) -> DocumentLimits {
        self.limits.clone()
    }

    /// Who watches.
    pub(super) fn observer(&self) -> &'a dyn Observer {
        self.observer
    }

    /// The clock.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// The data folder, which [`super::init`] must have made.
    pub(super) fn data_dir(&self) -> Result<DataDir> {
        Ok(DataDir::open(&self.folder)?)
    }

    /// The data folder and the mirror of a connected side; `instead` tells an isolated one what to do.
    pub(super) fn connected_side(&self, instead: &str) -> Result<(DataDir, Uuid)> {
        let data = self.data_dir()?;
        match *data.side() {
            Side::Connected { mirror_id } => Ok((data, mirror_id)),
            Side::Isolated { .. } => Err(OpsError::unfit(format!(
                "{} is an isolated side: {instead}",
                data.root().display()
            ))),
        }
    }

    /// The catalogue of the data folder, to look: it need not be writable.
    pub(super) fn catalog(&self) -> Result<Catalog> {
        Ok(Catalog::open_to_look(&self.data_dir()?.catalog())?)
    }

    /// The fleet of the data folder, to look.
    pub(super) fn fleet(&self) -> Result<Fleet> {
        Ok(Fleet::open_to_look(&self.data_dir()?.fleet())?)
    }

    /// Both of them, to look.
    pub(super) fn catalog_and_fleet(&self) -> Result<(Catalog, Fleet)> {
        Ok((self.catalog()?, self.fleet()?))
    }

    /// The fleet of the data folder, to change it.
    pub(super) fn fleet_to_change(&self) -> Result<Fleet> {
        Ok(Fleet::open(&self.data_dir()?.fleet())?)
    }

    /// Both of them, to change them.
    pub(super) fn catalog_and_fleet_to_change(&self) -> Result<(Catalog, Fleet)> {
        let data = self.data_dir()?;
        Ok((Catalog::open(&data.catalog())?, Fleet::open(&data.fleet())?))
    }
}
