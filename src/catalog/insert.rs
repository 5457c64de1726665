//! A new revision: its number and its rows.

use bundle_format::digest::Sha256;
use jiff::Timestamp;
use rusqlite::params;

use super::{
    columns::update_type_name,
    error::CatalogError,
    rows::FIRST_LOCAL_REVISION_ID,
    write::{CatalogWriter, Numbering},
};
use crate::{
    sqlite::{int, moment, sha256_at},
    update::{RevisionId, UpdateDocument, UpdateIdentity},
};

type Result<T> = std::result::Result<T, CatalogError>;

impl CatalogWriter<'_> {
    pub(super) fn known(&self, identity: &UpdateIdentity) -> Result<Option<ExistingRevision>> {
        self.row(
            "find a revision",
            "SELECT revision_id, document_sha256, withdrawn, local FROM revision
             WHERE update_id = ?1 AND revision_number = ?2",
            params![identity.id.0.as_bytes(), identity.revision],
            |row| {
                Ok(ExistingRevision {
                    id: RevisionId(row.get(0)?),
                    sha256: sha256_at(row, 1)?,
                    withdrawn: row.get(2)?,
                    local: row.get(3)?,
                })
            },
        )
    }

    /// The number of a new revision. A mirror that was seeded from a bundle goes on after the
    /// highest number given.
    pub(super) fn number(
        &self,
        identity: &UpdateIdentity,
        numbering: Numbering,
    ) -> Result<RevisionId> {
        let first_local = FIRST_LOCAL_REVISION_ID.unsigned_abs().into();
        let (key, first, end) = match numbering {
            Numbering::Assign | Numbering::Given(_) => ("next-revision-id", 1, first_local),
            Numbering::Local => {
                ("next-local-revision-id", first_local, u64::from(i32::MAX.unsigned_abs()) + 1)
            }
        };
        let next = self.counter(key, first)?;
        let number = match numbering {
            Numbering::Given(RevisionId(id)) => u64::try_from(id).unwrap_or(0),
            Numbering::Assign | Numbering::Local => next,
        };
        let conflict = |why: &str| CatalogError::Conflict {
            what: format!("{identity} cannot have revision id {number}: {why}"),
        };
        let id = i32::try_from(number).map(RevisionId).map_err(|_| conflict("it is too large"))?;
        if !(first..end).contains(&number) {
            return Err(conflict("it is outside of the range of its numbering"));
        }
        if let Numbering::Given(_) = numbering {
            let other = self.row(
                "look up a revision id",
                "SELECT lower(hex(update_id)) || ' revision ' || revision_number FROM revision
                 WHERE revision_id = ?1",
                [id.0],
                |row| row.get::<_, String>(0),
            )?;
            if let Some(other) = other {
                return Err(conflict(&format!(
                    "{other} has it; this catalogue was not numbered by that mirror, use another data folder"
                )));
            }
        }
        if number >= next {
            self.set_meta(key, &(number + 1).to_string())?;
        }
        Ok(id)
    }

    pub(super) fn insert_revision(
        &mut self,
        id: RevisionId,
        document: &UpdateDocument,
        xml: &[u8],
        sha256: &Sha256,
        numbering: Numbering,
        now: Timestamp,
    ) -> Result<()> {
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
                moment(now),
                numbering == Numbering::Local,
                change,
                sha256.as_bytes(),
                int(xml.len() as u64),
            ],
        )?;
        let zstd = self
            .compressor
            .compress(xml)
            .map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
            .map_err(self.sqlite("compress a document"))?;
        self.execute(
            "add a document",
            "INSERT INTO document (revision_id, zstd) VALUES (?1, ?2)",
            params![id.0, zstd],
        )?;
        self.insert_relationships(id, document)?;
        self.insert_files(id, document)
    }

    fn insert_relationships(&self, id: RevisionId, document: &UpdateDocument) -> Result<()> {
        for (number, clause) in (0_i64..).zip(&document.prerequisites) {
            for (position, member) in (0_i64..).zip(&clause.any_of) {
                self.execute(
                    "add a prerequisite",
                    "INSERT INTO prerequisite (revision_id, clause, position, is_category, update_id)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![id.0, number, position, clause.is_category, member.0.as_bytes()],
                )?;
            }
        }
        for (number, clause) in (0_i64..).zip(&document.bundled) {
            for (position, member) in (0_i64..).zip(&clause.any_of) {
                self.execute(
                    "add a bundled update",
                    "INSERT INTO bundled (revision_id, clause, position, update_id, revision_number)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                    params![id.0, number, position, member.id.0.as_bytes(), member.revision],
                )?;
            }
        }
        for (position, member) in (0_i64..).zip(&document.superseded) {
            self.execute(
                "add a superseded update",
                "INSERT INTO superseded (revision_id, position, update_id) VALUES (?1, ?2, ?3)",
                params![id.0, position, member.0.as_bytes()],
            )?;
        }
        for kb in &document.properties.kb_article_ids {
            self.execute(
                "add a KB number",
                "INSERT OR IGNORE INTO kb (revision_id, kb) VALUES (?1, ?2)",
                params![id.0, kb],
            )?;
        }
        Ok(())
    }

    fn insert_files(&self, id: RevisionId, document: &UpdateDocument) -> Result<()> {
        let payloads = document.files.iter().map(|file| (false, file));
        let eulas = document.eulas.iter().map(|eula| (true, &eula.file));
        for (position, (eula, file)) in (0_i64..).zip(payloads.chain(eulas)) {
            self.execute(
                "add a file",
                "INSERT INTO file (revision_id, position, eula, sha1, sha256, size, name)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    id.0,
                    position,
                    eula,
                    file.sha1.as_bytes(),
                    file.sha256.as_ref().map(Sha256::as_bytes),
                    int(file.size),
                    file.name
                ],
            )?;
        }
        Ok(())
    }
}

/// A revision that is there.
pub(super) struct ExistingRevision {
    pub(super) id: RevisionId,
    pub(super) sha256: Sha256,
    pub(super) withdrawn: bool,
    pub(super) local: bool,
}

/// A clause of nothing can never hold, and the tables cannot keep it: better refused than dropped,
/// which would make it hold always.
pub(super) fn check_clauses(document: &UpdateDocument) -> Result<()> {
    let empty = document.prerequisites.iter().any(|clause| clause.any_of.is_empty())
        || document.bundled.iter().any(|clause| clause.any_of.is_empty());
    if empty {
        return Err(CatalogError::Conflict {
            what: format!(
                "{} has a clause without alternatives, which nothing could satisfy",
                document.identity
            ),
        });
    }
    Ok(())
}
