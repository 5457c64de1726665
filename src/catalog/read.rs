//! Opening and reading the catalogue.

use std::path::Path;

use bundle_format::digest::{Sha1, Sha256};
use uuid::Uuid;

use super::{CatalogError, Counts, Filter, Node, PayloadRow, RevisionSummary, write::Writer};
use crate::update::{RevisionId, UpdateId, UpdateIdentity};

type Result<T> = std::result::Result<T, CatalogError>;

/// `catalog.sqlite`, open.
pub struct Catalog {
    // rusqlite::Connection, path
}

impl Catalog {
    /// Opens the catalogue, makes it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// When it cannot be opened, or a newer program made it.
    pub fn open(path: &Path) -> Result<Self> {
        let _ = path;
        unimplemented!()
    }

    /// Opens an existing catalogue for reading only.
    ///
    /// # Errors
    /// When it is not there, or has another schema than this program's.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        let _ = path;
        unimplemented!()
    }

    /// A counter that grows with every commit that changed something.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn change(&self) -> Result<u64> {
        unimplemented!()
    }

    /// The mirror that numbers the revisions, once known.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn mirror_id(&self) -> Result<Option<Uuid>> {
        unimplemented!()
    }

    /// Starts the one write transaction; nothing is kept without [`Writer::commit`].
    ///
    /// # Errors
    /// When another process writes for longer than the waiting time, or SQLite fails.
    pub fn write(&mut self) -> Result<Writer<'_>> {
        unimplemented!()
    }

    /// The number of a revision.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn revision_id(&self, identity: &UpdateIdentity) -> Result<Option<RevisionId>> {
        let _ = identity;
        unimplemented!()
    }

    /// One revision.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn revision(&self, id: RevisionId) -> Result<Option<RevisionSummary>> {
        let _ = id;
        unimplemented!()
    }

    /// The newest revision of an update that is not withdrawn.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn newest(&self, id: UpdateId) -> Result<Option<RevisionSummary>> {
        let _ = id;
        unimplemented!()
    }

    /// Calls `each` with what matches, in the order of revision IDs.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn find(&self, filter: &Filter, each: &mut dyn FnMut(RevisionSummary)) -> Result<()> {
        let _ = (filter, each);
        unimplemented!()
    }

    /// The original document of a revision, byte for byte.
    ///
    /// # Errors
    /// When SQLite fails or the stored bytes are damaged.
    pub fn document(&self, id: RevisionId) -> Result<Option<Vec<u8>>> {
        let _ = id;
        unimplemented!()
    }

    /// Calls `each` with every revision that is not withdrawn, in the order of revision IDs.
    /// Memory stays flat.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn nodes(&self, each: &mut dyn FnMut(Node)) -> Result<()> {
        let _ = each;
        unimplemented!()
    }

    /// A payload by its name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payload(&self, sha256: &Sha256) -> Result<Option<PayloadRow>> {
        let _ = sha256;
        unimplemented!()
    }

    /// A payload by the name that agents use.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payload_by_sha1(&self, sha1: &Sha1) -> Result<Option<PayloadRow>> {
        let _ = sha1;
        unimplemented!()
    }

    /// Calls `each` with every payload row, in the order of their names.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payloads(&self, each: &mut dyn FnMut(PayloadRow)) -> Result<()> {
        let _ = each;
        unimplemented!()
    }

    /// Calls `each` with every file that a document names and whose bytes are not present:
    /// SHA-1, SHA-256 if the document says, size, name. Each SHA-1 once.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn missing_files(
        &self,
        each: &mut dyn FnMut(Sha1, Option<Sha256>, u64, String),
    ) -> Result<()> {
        let _ = each;
        unimplemented!()
    }

    /// How much there is.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn counts(&self) -> Result<Counts> {
        unimplemented!()
    }
}
