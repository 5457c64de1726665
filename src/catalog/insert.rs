//! Adding a revision with its document, relationships and files.

use bundle_format::digest::Sha256;
use jiff::Timestamp;
use rusqlite::params;

use super::{
    error::CatalogError,
    numbering::Numbering,
    sql::{HAS_IDENTITY, update_type_name},
    writer::CatalogWriter,
};
use crate::{
    sqlite::{int, moment, sha256_at},
    update::{RevisionId, UpdateDocument, UpdateIdentity},
};

/// What became of a revision that was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddOutcome {
    /// It was not there (or only as a local one: then the mirror's replaces it, with its number).
    New(RevisionId),
    /// It was there with the same bytes.
    Same(RevisionId),
    /// It was there with other bytes, as other servers send it; the first bytes stay.
    OtherBytes(RevisionId),
}

/// A revision that is there.
struct ExistingRevision {
    id: RevisionId,
    sha256: Sha256,
    withdrawn: bool,
    withdrawn_by_person: bool,
    local: bool,
}

/// A revision that is to be inserted.
struct NewRevision<'a> {
    document: &'a UpdateDocument,
    xml: &'a [u8],
    sha256: Sha256,
    numbering: Numbering,
    now: Timestamp,
}

impl CatalogWriter<'_> {
    /// Adds a revision with its original document. A withdrawn revision that comes again is no
    /// longer withdrawn, unless a person withdrew it.
    ///
    /// # Errors
    /// [`CatalogError::UnfitDocument`] when a given number is another revision's, the revision has
    /// another number already, or what it bundles cannot be kept.
    pub fn add_revision(
        &mut self,
        document: &UpdateDocument,
        xml: &[u8],
        numbering: Numbering,
        now: Timestamp,
    ) -> Result<AddOutcome, CatalogError> {
        check_clauses(document)?;
        let new = NewRevision { document, xml, sha256: Sha256::hash(xml), numbering, now };
        let Some(existing) = self.existing(&document.identity)? else {
            return Ok(AddOutcome::New(self.insert_revision(&new)?));
        };
        if let Numbering::Given(id) = numbering
            && id != existing.id
        {
            return Ok(AddOutcome::New(self.replace_local(&existing, id, &new)?));
        }
        if existing.withdrawn && !existing.withdrawn_by_person {
            self.offer_again(&document.identity)?;
        }
        Ok(if existing.sha256 == new.sha256 {
            AddOutcome::Same(existing.id)
        } else {
            AddOutcome::OtherBytes(existing.id)
        })
    }

    fn existing(
        &self,
        identity: &UpdateIdentity,
    ) -> Result<Option<ExistingRevision>, CatalogError> {
        let sql = format!(
            "SELECT r.revision_id, r.document_sha256, r.withdrawn, r.withdrawn_by_person,
                    r.local
             FROM revision r WHERE {HAS_IDENTITY}"
        );
        let params = params![identity.id.0.as_bytes(), identity.revision];
        self.row("find a revision", &sql, params, |row| {
            Ok(ExistingRevision {
                id: RevisionId(row.get(0)?),
                sha256: sha256_at(row, 1)?,
                withdrawn: row.get(2)?,
                withdrawn_by_person: row.get(3)?,
                local: row.get(4)?,
            })
        })
    }

    /// A revision that was published here first, and now comes from the mirror with a number: that
    /// number is the one for all servers.
    fn replace_local(
        &mut self,
        existing: &ExistingRevision,
        id: RevisionId,
        new: &NewRevision<'_>,
    ) -> Result<RevisionId, CatalogError> {
        if !existing.local {
            return Err(CatalogError::UnfitDocument {
                what: format!(
                    "{} has revision id {} here and {id} there: this catalogue was not numbered by that mirror; use another data folder",
                    new.document.identity, existing.id
                ),
            });
        }
        self.check_given_number(&new.document.identity, id)?;
        self.execute(
            "replace a local revision",
            "DELETE FROM revision WHERE revision_id = ?1",
            [existing.id.0],
        )?;
        self.insert_revision(new)
    }

    fn insert_revision(&mut self, new: &NewRevision<'_>) -> Result<RevisionId, CatalogError> {
        let document = new.document;
        let id = self.number(&document.identity, new.numbering)?;
        let change = self.touch();
        let properties = &document.properties;
        self.execute(
            "add a revision",
            "INSERT INTO revision (revision_id, update_id, revision_number, update_type, expired,
                explicitly_deployable, category_type, title, severity, eula_id, created, arrived,
                local, change, document_sha256, document_size)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            params![
                id.0,
                document.identity.id.0.as_bytes(),
                document.identity.revision,
                update_type_name(document.update_type),
                properties.expired,
                properties.explicitly_deployable,
                document.category_type,
                document.title("en").unwrap_or_default(),
                properties.msrc_severity,
                properties.eula_id,
                properties.creation_date,
                moment(new.now),
                new.numbering == Numbering::Local,
                change,
                new.sha256.as_bytes(),
                int(new.xml.len() as u64),
            ],
        )?;
        self.insert_document(id, new.xml)?;
        self.insert_relationships(id, document)?;
        self.insert_kb_numbers(id, document)?;
        self.insert_files(id, document)?;
        self.insert_languages(id, document)?;
        Ok(id)
    }

    fn insert_kb_numbers(
        &self,
        id: RevisionId,
        document: &UpdateDocument,
    ) -> Result<(), CatalogError> {
        for kb in &document.properties.kb_article_ids {
            self.execute(
                "add a KB number",
                "INSERT OR IGNORE INTO kb (revision_id, kb) VALUES (?1, ?2)",
                params![id.0, kb],
            )?;
        }
        Ok(())
    }
}

/// A bundle cannot consist of one of no updates, and the tables cannot keep such a clause: better
/// refused than dropped, which would make the bundle complete without it.
fn check_clauses(document: &UpdateDocument) -> Result<(), CatalogError> {
    if document.bundled.iter().any(|clause| clause.any_of.is_empty()) {
        return Err(CatalogError::UnfitDocument {
            what: format!(
                "{} bundles one of no updates: a clause of its `BundledUpdates` has no alternatives",
                document.identity
            ),
        });
    }
    Ok(())
}
