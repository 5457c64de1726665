//! Opening and reading the catalogue.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use bundle_format::digest::{Sha1, Sha256};
use rusqlite::{Connection, OptionalExtension, Params, Row, TransactionBehavior, params};
use uuid::Uuid;

use super::{
    columns::{PAYLOAD, SUMMARY, payload_row, summary, update_type_name},
    error::CatalogError,
    graph,
    rows::{CatalogCounts, GraphNode, PayloadRow, RevisionFilter, RevisionSummary},
    schema::STORE,
    write::CatalogWriter,
};
use crate::{
    sqlite::{int, optional_sha256_at, sha1_at, sha256_at, u64_at},
    update::{RevisionId, UpdateId, UpdateIdentity},
};

type Result<T> = std::result::Result<T, CatalogError>;

/// `catalog.sqlite`, open.
pub struct Catalog {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

impl Catalog {
    /// Opens the catalogue, makes it if it is not there, and brings its schema up to date.
    ///
    /// # Errors
    /// When it cannot be opened, a newer program made it, or the file is something else.
    pub fn open(path: &Path) -> Result<Self> {
        let connection = STORE.open(path).map_err(|e| CatalogError::opening(path, e))?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// Opens an existing catalogue for reading only.
    ///
    /// # Errors
    /// When it is not there, or has another schema than this program's.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        let connection = STORE.open_read_only(path).map_err(|e| CatalogError::opening(path, e))?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// The folder that it is in.
    pub fn folder(&self) -> Option<&Path> {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty())
    }

    /// A counter that grows with every commit that changed something.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn change(&self) -> Result<u64> {
        let text = self.meta("change")?.unwrap_or_default();
        text.parse().map_err(|_| self.damaged(format!("its change counter is {text:?}")))
    }

    /// The mirror that numbers the revisions, once known.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn mirror_id(&self) -> Result<Option<Uuid>> {
        let Some(text) = self.meta("mirror-id")? else { return Ok(None) };
        let id = Uuid::try_parse(&text);
        id.map(Some).map_err(|_| self.damaged(format!("its mirror id is {text:?}")))
    }

    /// Starts the one write transaction; nothing is kept without [`CatalogWriter::commit`].
    ///
    /// # Errors
    /// When another process writes for longer than the waiting time, or SQLite fails.
    pub fn write(&mut self) -> Result<CatalogWriter<'_>> {
        let Self { connection, path } = self;
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(
            |source| CatalogError::Sqlite {
                doing: "begin writing; another process may be writing",
                path: path.clone(),
                source,
            },
        )?;
        CatalogWriter::begin(tx, path)
    }

    /// The number of a revision.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn revision_id(&self, identity: &UpdateIdentity) -> Result<Option<RevisionId>> {
        self.row(
            "find a revision",
            "SELECT revision_id FROM revision WHERE update_id = ?1 AND revision_number = ?2",
            params![identity.id.0.as_bytes(), identity.revision],
            |row| row.get(0).map(RevisionId),
        )
    }

    /// One revision.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn revision(&self, id: RevisionId) -> Result<Option<RevisionSummary>> {
        let sql = format!("{SUMMARY} WHERE r.revision_id = ?1");
        self.row("read a revision", &sql, [id.0], summary)
    }

    /// The newest revision of an update that is not withdrawn.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn newest(&self, id: UpdateId) -> Result<Option<RevisionSummary>> {
        let sql = format!(
            "{SUMMARY} WHERE r.update_id = ?1 AND r.withdrawn = 0
             ORDER BY r.revision_number DESC LIMIT 1"
        );
        self.row("read the newest revision", &sql, [id.0.as_bytes()], summary)
    }

    /// Calls `each` with what matches, in the order of revision IDs.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn find(
        &self,
        filter: &RevisionFilter,
        each: &mut dyn FnMut(RevisionSummary),
    ) -> Result<()> {
        let sql = format!(
            "{SUMMARY}
             WHERE (?1 IS NULL OR r.revision_id IN (SELECT revision_id FROM kb WHERE kb = ?1))
               AND (?2 IS NULL OR r.update_type = ?2)
               AND (?3 = 0 OR r.explicitly_deployable = 1)
               AND (?4 = 0 OR r.withdrawn = 0 AND NOT EXISTS (
                    SELECT 1 FROM revision n
                    WHERE n.update_id = r.update_id AND n.withdrawn = 0
                      AND n.revision_number > r.revision_number))
             ORDER BY r.revision_id"
        );
        // SQLite folds letter case for ASCII only; titles come in every language.
        let title = filter.title.as_ref().map(|title| title.to_lowercase());
        self.rows(
            "search the revisions",
            &sql,
            params![
                filter.kb,
                filter.update_type.map(update_type_name),
                filter.deployable,
                filter.newest
            ],
            |row| {
                let summary = summary(row)?;
                if title.as_ref().is_none_or(|part| summary.title.to_lowercase().contains(part)) {
                    each(summary);
                }
                Ok(())
            },
        )
    }

    /// The original document of a revision, byte for byte.
    ///
    /// # Errors
    /// When SQLite fails or the stored bytes are damaged.
    pub fn document(&self, id: RevisionId) -> Result<Option<Vec<u8>>> {
        let found = self.row(
            "read a document",
            "SELECT d.zstd, r.document_size, r.document_sha256
             FROM document d JOIN revision r USING (revision_id) WHERE revision_id = ?1",
            [id.0],
            |row| {
                let size = u64_at(row, 1)?;
                Ok((unpack(row.get_ref(0)?.as_blob()?, size), sha256_at(row, 2)?))
            },
        )?;
        let Some((unpacked, sha256)) = found else { return Ok(None) };
        match unpacked {
            Ok(xml) if Sha256::hash(&xml) == sha256 => Ok(Some(xml)),
            _ => Err(self.damaged(format!(
                "the document of revision id {id} does not unpack to what was stored; restore the database from a backup or import a full bundle into a new data folder"
            ))),
        }
    }

    /// Calls `each` with every revision that is not withdrawn, in the order of revision IDs.
    /// Memory stays flat.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn nodes(&self, each: &mut dyn FnMut(GraphNode)) -> Result<()> {
        graph::each(&self.connection, each).map_err(self.sqlite("read the revisions"))
    }

    /// A payload by its name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payload(&self, sha256: &Sha256) -> Result<Option<PayloadRow>> {
        let sql = format!("{PAYLOAD} WHERE sha256 = ?1");
        self.row("find a payload", &sql, [sha256.as_bytes()], payload_row)
    }

    /// A payload by the name that agents use; of several the one that is present, then the one with
    /// the smallest SHA-256.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payload_by_sha1(&self, sha1: &Sha1) -> Result<Option<PayloadRow>> {
        let sql = format!("{PAYLOAD} WHERE sha1 = ?1 ORDER BY present DESC, sha256 LIMIT 1");
        self.row("find a payload by SHA-1", &sql, [sha1.as_bytes()], payload_row)
    }

    /// Calls `each` with every payload row, in the order of their names.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payloads(&self, each: &mut dyn FnMut(PayloadRow)) -> Result<()> {
        let sql = format!("{PAYLOAD} ORDER BY sha256");
        self.rows("read the payloads", &sql, [], |row| {
            each(payload_row(row)?);
            Ok(())
        })
    }

    /// Calls `each` with every file (licence texts too) that the document of an offered revision
    /// names and whose bytes are not present: SHA-1, SHA-256 if the document says, size, name. Each
    /// SHA-1 once.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn missing_files(
        &self,
        each: &mut dyn FnMut(Sha1, Option<Sha256>, u64, String),
    ) -> Result<()> {
        // With max(), size and name come from the row that has the SHA-256.
        self.rows(
            "look for missing files",
            "SELECT f.sha1, max(f.sha256), f.size, f.name
             FROM file f JOIN revision r USING (revision_id)
             WHERE r.withdrawn = 0
               AND NOT EXISTS (SELECT 1 FROM payload p WHERE p.sha256 = f.sha256 AND p.present)
               AND (f.sha256 IS NOT NULL OR NOT EXISTS (
                    SELECT 1 FROM payload p WHERE p.sha1 = f.sha1 AND p.present))
             GROUP BY f.sha1 ORDER BY f.sha1",
            [],
            |row| {
                each(sha1_at(row, 0)?, optional_sha256_at(row, 1)?, u64_at(row, 2)?, row.get(3)?);
                Ok(())
            },
        )
    }

    /// Where a file is on the Internet, as an upstream server has said.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn file_url(&self, sha1: &Sha1) -> Result<Option<String>> {
        let sql = "SELECT url FROM file_url WHERE sha1 = ?1";
        self.row("look up the address of a file", sql, [sha1.as_bytes()], |row| row.get(0))
    }

    /// How much there is.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn counts(&self) -> Result<CatalogCounts> {
        let counts = self.row(
            "count",
            "SELECT (SELECT count(DISTINCT update_id) FROM revision),
                    (SELECT count(*) FROM revision),
                    (SELECT count(*) FROM revision WHERE withdrawn),
                    count(*), count(*) FILTER (WHERE present),
                    coalesce(sum(size) FILTER (WHERE present), 0),
                    (SELECT count(DISTINCT sha1) FROM file)
             FROM payload",
            [],
            |row| {
                Ok(CatalogCounts {
                    updates: u64_at(row, 0)?,
                    revisions: u64_at(row, 1)?,
                    withdrawn: u64_at(row, 2)?,
                    payloads: u64_at(row, 3)?,
                    present: u64_at(row, 4)?,
                    present_bytes: u64_at(row, 5)?,
                    files: u64_at(row, 6)?,
                })
            },
        )?;
        Ok(counts.unwrap_or_default())
    }

    /// Says what was attempted when SQLite failed.
    pub(super) fn sqlite(
        &self,
        doing: &'static str,
    ) -> impl FnOnce(rusqlite::Error) -> CatalogError {
        move |source| CatalogError::Sqlite { doing, path: self.path.clone(), source }
    }

    pub(super) fn damaged(&self, what: String) -> CatalogError {
        CatalogError::Damaged { path: self.path.clone(), what }
    }

    /// A value of the table `meta`.
    pub(super) fn meta(&self, key: &str) -> Result<Option<String>> {
        self.row("read a value", "SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
    }

    /// The first row, if any. The statement is prepared once.
    pub(super) fn row<T>(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(params, read).optional())
            .map_err(self.sqlite(doing))
    }

    /// Calls `each` with every row. The statement is prepared once.
    pub(super) fn rows(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
        mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let read = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params)?;
            while let Some(row) = rows.next()? {
                each(row)?;
            }
            Ok(())
        };
        read().map_err(self.sqlite(doing))
    }
}

/// Unpacks a document, never to more than the size that is on record.
fn unpack(zstd: &[u8], size: u64) -> io::Result<Vec<u8>> {
    let mut xml = Vec::new();
    zstd::Decoder::with_buffer(zstd)?.take(int(size).unsigned_abs() + 1).read_to_end(&mut xml)?;
    Ok(xml)
}
