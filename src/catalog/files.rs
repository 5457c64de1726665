//! Which files updates need, for downloading: those of the newest revisions and of everything that
//! these bundle.

use std::collections::BTreeSet;

use bundle_format::digest::{Sha1, Sha256};
use rusqlite::{Row, params};

use super::{
    columns::{identity_at, update_type_name},
    error::CatalogError,
    read::Catalog,
    rows::PayloadState,
};
use crate::{
    sqlite::{optional_sha256_at, sha1_at, u64_at, update_at},
    update::{RevisionId, UpdateId, UpdateIdentity, UpdateType},
};

type Result<T> = std::result::Result<T, CatalogError>;

/// A file that a document names, licence texts too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededFile {
    /// How others name it.
    pub sha1: Sha1,
    /// If the document or the payload table says.
    pub sha256: Option<Sha256>,
    /// In bytes.
    pub size: u64,
    /// File name in the document.
    pub name: String,
    /// Whether its bytes are here.
    pub state: PayloadState,
}

/// Reads files, as `f`, with their payloads, for [`needed`]. A file is found by SHA-256; only where
/// its document has none, by SHA-1.
const FILES: &str = "
    SELECT f.sha1, coalesce(f.sha256, p.sha256), f.size, f.name, coalesce(p.present, 0),
           p.not_carried IS NOT NULL
    FROM file f
    LEFT JOIN payload p ON p.sha256 = coalesce(f.sha256, (
        SELECT q.sha256 FROM payload q WHERE q.sha1 = f.sha1
        ORDER BY q.present DESC, q.sha256 LIMIT 1))";

fn needed(row: &Row<'_>) -> rusqlite::Result<NeededFile> {
    let state = match (row.get(4)?, row.get(5)?) {
        (true, _) => PayloadState::Present,
        (false, true) => PayloadState::NotCarried,
        (false, false) => PayloadState::Missing,
    };
    Ok(NeededFile {
        sha1: sha1_at(row, 0)?,
        sha256: optional_sha256_at(row, 1)?,
        size: u64_at(row, 2)?,
        name: row.get(3)?,
        state,
    })
}

impl Catalog {
    /// Calls `each` with the newest revision of every software update and driver, withdrawn ones
    /// left out.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn newest_revisions(&self, each: &mut dyn FnMut(UpdateId, RevisionId)) -> Result<()> {
        let [a, b] = [UpdateType::Software, UpdateType::Driver].map(update_type_name);
        self.rows(
            "list the newest revisions",
            "SELECT r.update_id, r.revision_id FROM revision r
             WHERE r.update_type IN (?1, ?2) AND r.withdrawn = 0 AND NOT EXISTS (
                SELECT 1 FROM revision n WHERE n.update_id = r.update_id AND n.withdrawn = 0
                AND n.revision_number > r.revision_number)
             ORDER BY r.revision_id",
            params![a, b],
            |row| {
                each(update_at(row, 0)?, RevisionId(row.get(1)?));
                Ok(())
            },
        )
    }

    /// Adds to `revisions` all that these bundle, at any depth, withdrawn ones left out. Gives the
    /// bundled revisions that the catalogue does not have.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn add_bundled(
        &self,
        revisions: &mut BTreeSet<RevisionId>,
    ) -> Result<BTreeSet<UpdateIdentity>> {
        let mut open: Vec<i32> = revisions.iter().map(|id| id.0).collect();
        let mut absent = BTreeSet::new();
        while let Some(id) = open.pop() {
            self.rows(
                "find bundled revisions",
                "SELECT b.update_id, b.revision_number, c.revision_id, coalesce(c.withdrawn, 0)
                 FROM bundled b LEFT JOIN revision c
                   ON c.update_id = b.update_id AND c.revision_number = b.revision_number
                 WHERE b.revision_id = ?1 ORDER BY b.clause, b.position",
                [id],
                |row| {
                    match (row.get::<_, Option<i32>>(2)?, row.get(3)?) {
                        (Some(child), false) => {
                            if revisions.insert(RevisionId(child)) {
                                open.push(child);
                            }
                        }
                        (Some(_), true) => {}
                        (None, _) => {
                            absent.insert(identity_at(row, 0)?);
                        }
                    }
                    Ok(())
                },
            )?;
        }
        Ok(absent)
    }

    /// Calls `each` with the files that the document of a revision names, licence texts too.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn needed_files(&self, id: RevisionId, each: &mut dyn FnMut(NeededFile)) -> Result<()> {
        let sql = format!("{FILES} WHERE f.revision_id = ?1 ORDER BY f.position");
        self.rows("read the files of a revision", &sql, [id.0], |row| {
            each(needed(row)?);
            Ok(())
        })
    }

    /// A file by its SHA-256, of a revision that is not withdrawn.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn file_by_sha256(&self, sha256: &Sha256) -> Result<Option<NeededFile>> {
        let found = self.file("f.sha256 = ?1", sha256.as_bytes())?;
        match (found, self.payload(sha256)?) {
            // A document that has no SHA-256, of a payload that was here once.
            (None, Some(row)) => {
                let found = self.file("f.sha256 IS NULL AND f.sha1 = ?1", row.sha1.as_bytes())?;
                Ok(found.filter(|file| file.sha256 == Some(*sha256)))
            }
            (found, _) => Ok(found),
        }
    }

    /// A file by its SHA-1, of a revision that is not withdrawn; of several the one with a SHA-256.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn file_by_sha1(&self, sha1: &Sha1) -> Result<Option<NeededFile>> {
        self.file("f.sha1 = ?1", sha1.as_bytes())
    }

    fn file(&self, condition: &str, digest: &[u8]) -> Result<Option<NeededFile>> {
        let sql = format!(
            "{FILES} JOIN revision r USING (revision_id) WHERE {condition} AND r.withdrawn = 0
             ORDER BY f.sha256 IS NULL, f.revision_id DESC LIMIT 1"
        );
        self.row("find a file", &sql, [digest], needed)
    }
}
