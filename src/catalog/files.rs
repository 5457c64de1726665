//! The tables `file` and `file_url`: the files that documents name, and where they are on the
//! Internet.

use bundle_format::digest::{Sha1, Sha256};
use rusqlite::{Row, params};

use super::{
    error::CatalogError,
    languages,
    payloads::{PayloadState, state_at},
    reader::Catalog,
    sql::HAS_IDENTITY,
    writer::CatalogWriter,
};
use crate::{
    sqlite::{int, optional_sha256_at, sha1_at, u64_at},
    update::{RevisionId, UpdateDocument, UpdateIdentity},
};

/// A file that a document names, licence texts too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    /// How others name it.
    pub sha1: Sha1,
    /// If the document or the payload table says.
    pub sha256: Option<Sha256>,
    /// In bytes.
    pub size: u64,
    /// File name in the document.
    pub name: String,
    /// A licence text: served like a payload, but no agent needs it to install.
    pub eula: bool,
    /// An express file beside self-contained ones: agents can do without it.
    pub express: bool,
    /// Whether its bytes are here.
    pub state: PayloadState,
}

/// The columns that [`file_at`] reads, of [`FILE_TABLES`].
pub(super) const FILE_COLUMNS: &str = "f.sha1, coalesce(f.sha256, p.sha256), f.size, f.name, \
     f.eula, f.express, coalesce(p.present, 0), coalesce(p.not_carried, nullif(p.left_out, 'wanted again')) IS NOT NULL";

/// Files, as `f`, with their payloads, as `p`. A payload is found by SHA-256; only where the document
/// has none, by SHA-1.
pub(super) const FILE_TABLES: &str = "file f
    LEFT JOIN payload p ON p.sha256 = coalesce(f.sha256, (
        SELECT q.sha256 FROM payload q WHERE q.sha1 = f.sha1
        ORDER BY q.present DESC, q.sha256 LIMIT 1))";

/// A file from [`FILE_COLUMNS`], which begin at `column`.
pub(super) fn file_at(row: &Row<'_>, column: usize) -> rusqlite::Result<FileRow> {
    Ok(FileRow {
        sha1: sha1_at(row, column)?,
        sha256: optional_sha256_at(row, column + 1)?,
        size: u64_at(row, column + 2)?,
        name: row.get(column + 3)?,
        eula: row.get(column + 4)?,
        express: row.get(column + 5)?,
        state: state_at(row, column + 6)?,
    })
}

impl Catalog {
    /// The files that the document of a revision names, licence texts too, in its order.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn files(&self, id: RevisionId) -> Result<Vec<FileRow>, CatalogError> {
        let sql = format!(
            "SELECT {FILE_COLUMNS} FROM {FILE_TABLES} WHERE f.revision_id = ?1 ORDER BY f.position"
        );
        self.rows("read the files of a revision", &sql, [id.0], |row| file_at(row, 0))
    }

    /// A file by its SHA-256, of a revision that is not withdrawn.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn file_by_sha256(&self, sha256: &Sha256) -> Result<Option<FileRow>, CatalogError> {
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
    pub fn file_by_sha1(&self, sha1: &Sha1) -> Result<Option<FileRow>, CatalogError> {
        self.file("f.sha1 = ?1", sha1.as_bytes())
    }

    fn file(&self, condition: &str, digest: &[u8]) -> Result<Option<FileRow>, CatalogError> {
        let sql = format!(
            "SELECT {FILE_COLUMNS} FROM {FILE_TABLES}
             JOIN revision r USING (revision_id) WHERE {condition} AND r.withdrawn = 0
             ORDER BY f.sha256 IS NULL, f.revision_id DESC LIMIT 1"
        );
        self.row("find a file", &sql, [digest], |row| file_at(row, 0))
    }

    /// Whether any document names a file.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn is_named(&self, sha1: &Sha1) -> Result<bool, CatalogError> {
        self.exists("find a file", "SELECT 1 FROM file WHERE sha1 = ?1", [sha1.as_bytes()])
    }

    /// Calls `each` with every file (licence texts too) that the document of an offered revision
    /// names and whose bytes are not present: SHA-1, SHA-256 if the document says, size, name. What
    /// documents say differently of one SHA-1 comes once each: only the bytes show who is right. Files
    /// in languages that the mirror does not carry are left out, and express files that agents can do
    /// without.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn missing_files(
        &self,
        each: &mut dyn FnMut(Sha1, Option<Sha256>, u64, String),
    ) -> Result<(), CatalogError> {
        self.absent_files(false, each)
    }

    /// As [`Catalog::missing_files`], and express files that agents can do without.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn missing_and_express_files(
        &self,
        each: &mut dyn FnMut(Sha1, Option<Sha256>, u64, String),
    ) -> Result<(), CatalogError> {
        self.absent_files(true, each)
    }

    fn absent_files(
        &self,
        express: bool,
        each: &mut dyn FnMut(Sha1, Option<Sha256>, u64, String),
    ) -> Result<(), CatalogError> {
        let languages = self.carried_languages()?.map(|names| names.join(","));
        let elsewhere = "(p.present OR nullif(p.left_out, 'wanted again') IS NOT NULL
                         OR (p.not_carried IS NOT NULL AND NOT ?1))";
        let sql = format!(
            "SELECT f.sha1, f.sha256, f.size, min(f.name)
             FROM file f JOIN revision r USING (revision_id)
             WHERE r.withdrawn = 0 AND (?1 OR NOT f.express) AND {}
               AND (f.sha256 IS NOT NULL OR NOT EXISTS (
                    SELECT 1 FROM file o JOIN revision q USING (revision_id)
                    WHERE o.sha1 = f.sha1 AND o.size = f.size AND o.sha256 IS NOT NULL
                      AND q.withdrawn = 0))
               AND NOT EXISTS (SELECT 1 FROM payload p WHERE p.sha256 = f.sha256 AND {elsewhere})
               AND (f.sha256 IS NOT NULL OR NOT EXISTS (
                    SELECT 1 FROM payload p WHERE p.sha1 = f.sha1 AND {elsewhere}))
             GROUP BY f.sha1, f.sha256, f.size ORDER BY f.sha1",
            languages::is_carried("f", "?2")
        );
        self.for_each_row("look for missing files", &sql, params![express, languages], |row| {
            each(sha1_at(row, 0)?, optional_sha256_at(row, 1)?, u64_at(row, 2)?, row.get(3)?);
            Ok(())
        })
    }

    /// Where a file is on the Internet, as an upstream server has said.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn file_url(&self, sha1: &Sha1) -> Result<Option<String>, CatalogError> {
        let sql = "SELECT url FROM file_url WHERE sha1 = ?1";
        self.row("look up the address of a file", sql, [sha1.as_bytes()], |row| row.get(0))
    }

    /// Whether a revision has files that are neither here nor at an address that is known: its document
    /// is from a bundle or a package, which have no addresses.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn lacks_addresses(&self, identity: &UpdateIdentity) -> Result<bool, CatalogError> {
        let sql = format!(
            "SELECT 1 FROM revision r JOIN file f USING (revision_id)
             WHERE {HAS_IDENTITY}
               AND NOT EXISTS (SELECT 1 FROM file_url u WHERE u.sha1 = f.sha1)
               AND NOT EXISTS (SELECT 1 FROM payload p WHERE p.sha1 = f.sha1 AND p.present)"
        );
        let params = params![identity.id.0.as_bytes(), identity.revision];
        self.exists("look for the addresses of files", &sql, params)
    }
}

impl CatalogWriter<'_> {
    /// Stores where a file is on the Internet. No change of the mirror: it stays on this side.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn store_file_url(&mut self, sha1: &Sha1, url: &str) -> Result<(), CatalogError> {
        self.execute(
            "keep the address of a file",
            "INSERT INTO file_url (sha1, url) VALUES (?1, ?2)
             ON CONFLICT (sha1) DO UPDATE SET url = ?2",
            params![sha1.as_bytes(), url],
        )?;
        Ok(())
    }

    pub(super) fn insert_files(
        &self,
        id: RevisionId,
        document: &UpdateDocument,
    ) -> Result<(), CatalogError> {
        let self_contained = document.files.iter().any(|file| !file.is_express());
        let payloads = document.files.iter().map(|file| (false, file));
        let eulas = document.eulas.iter().map(|eula| (true, &eula.file));
        for (position, (eula, file)) in (0_i64..).zip(payloads.chain(eulas)) {
            self.execute(
                "add a file",
                "INSERT INTO file (revision_id, position, eula, sha1, sha256, size, name, express)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    id.0,
                    position,
                    eula,
                    file.sha1.as_bytes(),
                    file.sha256.as_ref().map(Sha256::as_bytes),
                    int(file.size),
                    file.name,
                    self_contained && !eula && file.is_express()
                ],
            )?;
        }
        Ok(())
    }
}
