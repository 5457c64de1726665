//! What every operation needs to know.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::{
    Result,
    error::{Concern, OpsError},
    progress::Observer,
};
use crate::{
    catalog::Catalog,
    data_dir::{DataDir, Side},
    error_chain::chain,
    fleet::Fleet,
    journal::{EntryKind, Journal, NewEntry, Verdict},
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

    /// Enters into the journal what an operation has done, if it has changed anything: in a sentence, and
    /// with more for programs. What was refused is entered as it was `asked` for, with the reason; what
    /// failed is not, because nothing has become of it, unless it is an import: that may have begun.
    pub(super) fn journaled<T>(
        &self,
        kind: EntryKind,
        asked: &str,
        result: Result<T>,
        done: impl FnOnce(&T) -> Option<(String, Value)>,
    ) -> Result<T> {
        let entry =
            |verdict, what: String, why, details| NewEntry { kind, verdict, what, why, details };
        let new = match &result {
            Ok(outcome) => {
                done(outcome).map(|(what, details)| entry(Verdict::Done, what, None, details))
            }
            Err(error) => {
                let verdict = match error.concern() {
                    Concern::Bundle => Some(Verdict::Refused),
                    Concern::Machine if kind == EntryKind::Import => Some(Verdict::Failed),
                    Concern::Machine | Concern::Caller => None,
                };
                let why = Some(chain(error));
                verdict.map(|verdict| entry(verdict, asked.to_owned(), why, Value::Null))
            }
        };
        // A side that cannot be opened has no journal.
        if let (Some(new), Ok(data)) = (new, self.data_dir())
            && let Err(error) = Journal::new(data.journal()).append(new, self.now())
        {
            self.observer.warn(&format!(
                "this is not in the journal, because it cannot be written: {}",
                chain(&error)
            ));
        }
        result
    }
}
