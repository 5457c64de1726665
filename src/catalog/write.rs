//! Changing the catalogue, in one transaction.

use bundle_format::digest::Sha256;
use jiff::Timestamp;
use uuid::Uuid;

use super::{CatalogError, PayloadRow};
use crate::update::{RevisionId, UpdateDocument, UpdateIdentity};

type Result<T> = std::result::Result<T, CatalogError>;

/// Who gives a new revision its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// This store is the mirror: the next free number.
    Assign,
    /// The mirror has given it; it travelled in a segment.
    Given(RevisionId),
    /// Published on the isolated side: the next free number of the reserved range.
    Local,
}

/// What became of a revision that was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It was not there.
    New(RevisionId),
    /// It was there with the same bytes.
    Same(RevisionId),
    /// It was there with other bytes, as other servers send it; the first bytes stay.
    OtherBytes(RevisionId),
}

/// The write transaction. Dropping it keeps nothing.
pub struct Writer<'a> {
    _catalog: std::marker::PhantomData<&'a mut ()>,
}

impl Writer<'_> {
    /// Says which mirror numbers the revisions.
    ///
    /// # Errors
    /// [`CatalogError::Conflict`] when another mirror does already.
    pub fn set_mirror_id(&mut self, mirror: Uuid) -> Result<()> {
        let _ = mirror;
        unimplemented!()
    }

    /// Adds a revision with its original document. A withdrawn revision that comes again is no
    /// longer withdrawn.
    ///
    /// # Errors
    /// [`CatalogError::Conflict`] when a given number is another revision's.
    pub fn add_revision(
        &mut self,
        document: &UpdateDocument,
        xml: &[u8],
        numbering: Numbering,
        now: Timestamp,
    ) -> Result<Added> {
        let _ = (document, xml, numbering, now);
        unimplemented!()
    }

    /// Marks a revision as no longer offered; true if that changed anything.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn withdraw(&mut self, identity: &UpdateIdentity) -> Result<bool> {
        let _ = identity;
        unimplemented!()
    }

    /// Adds or replaces a payload row; true if that changed anything. `present` is never taken back
    /// by this (see [`Writer::payload_lost`]).
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn put_payload(&mut self, row: &PayloadRow) -> Result<bool> {
        let _ = row;
        unimplemented!()
    }

    /// Notes that the bytes of a payload are no longer in `content/`.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payload_lost(&mut self, sha256: &Sha256) -> Result<()> {
        let _ = sha256;
        unimplemented!()
    }

    /// Commits; returns the change counter. Nothing changed: the counter stays.
    ///
    /// # Errors
    /// When SQLite fails; then nothing was kept.
    pub fn commit(self) -> Result<u64> {
        unimplemented!()
    }
}
