//! Changing the catalogue, in one transaction.

use std::path::Path;

use bundle_format::digest::{Sha1, Sha256};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Params, Row, Transaction, params};
use uuid::Uuid;
use zstd::bulk::Compressor;

use super::{
    columns::{PAYLOAD, payload_row},
    error::CatalogError,
    insert::check_clauses,
    rows::PayloadRow,
};
use crate::{
    sqlite::int,
    update::{RevisionId, UpdateDocument, UpdateIdentity},
};

type Result<T> = std::result::Result<T, CatalogError>;

/// Documents are text that is read often and written once.
const COMPRESSION_LEVEL: i32 = 3;

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
pub enum AddOutcome {
    /// It was not there (or only as a local one: then the mirror's replaces it, with its number).
    New(RevisionId),
    /// It was there with the same bytes.
    Same(RevisionId),
    /// It was there with other bytes, as other servers send it; the first bytes stay.
    OtherBytes(RevisionId),
}

/// The write transaction. Dropping it keeps nothing.
pub struct CatalogWriter<'a> {
    pub(super) tx: Transaction<'a>,
    pub(super) path: &'a Path,
    /// The change counter before.
    change: u64,
    changed: bool,
    pub(super) compressor: Compressor<'static>,
}

impl<'a> CatalogWriter<'a> {
    pub(super) fn begin(tx: Transaction<'a>, path: &'a Path) -> Result<Self> {
        let compressor = Compressor::new(COMPRESSION_LEVEL).map_err(|e| CatalogError::Sqlite {
            doing: "prepare the compression of documents",
            path: path.to_owned(),
            source: rusqlite::Error::ToSqlConversionFailure(e.into()),
        })?;
        let mut writer = Self { tx, path, change: 0, changed: false, compressor };
        writer.change = writer.counter("change", 0)?;
        Ok(writer)
    }

    /// Says which mirror numbers the revisions.
    ///
    /// # Errors
    /// [`CatalogError::Conflict`] when another mirror does already.
    pub fn set_mirror_id(&mut self, mirror: Uuid) -> Result<()> {
        let mirror = mirror.to_string();
        match self.meta("mirror-id")? {
            Some(known) if known == mirror => Ok(()),
            Some(known) => Err(CatalogError::Conflict {
                what: format!(
                    "this catalogue follows mirror {known}, not mirror {mirror}: agents would mix up their revision numbers; use another data folder"
                ),
            }),
            None => {
                self.touch();
                self.set_meta("mirror-id", &mirror)
            }
        }
    }

    /// Adds a revision with its original document. A withdrawn revision that comes again is no
    /// longer withdrawn.
    ///
    /// # Errors
    /// [`CatalogError::Conflict`] when a given number is another revision's, the revision has
    /// another number already, or its clauses cannot be kept.
    pub fn add_revision(
        &mut self,
        document: &UpdateDocument,
        xml: &[u8],
        numbering: Numbering,
        now: Timestamp,
    ) -> Result<AddOutcome> {
        check_clauses(document)?;
        let sha256 = Sha256::hash(xml);
        let Some(known) = self.known(&document.identity)? else {
            let id = self.number(&document.identity, numbering)?;
            self.insert_revision(id, document, xml, &sha256, numbering, now)?;
            return Ok(AddOutcome::New(id));
        };
        if let Numbering::Given(id) = numbering
            && id != known.id
        {
            if !known.local {
                return Err(CatalogError::Conflict {
                    what: format!(
                        "{} has revision id {} here and {id} there: this catalogue was not numbered by that mirror; use another data folder",
                        document.identity, known.id
                    ),
                });
            }
            // Published here first, now the mirror has it: its number is the one for all servers.
            let id = self.number(&document.identity, numbering)?;
            self.execute(
                "replace a local revision",
                "DELETE FROM revision WHERE revision_id = ?1",
                [known.id.0],
            )?;
            self.insert_revision(id, document, xml, &sha256, numbering, now)?;
            return Ok(AddOutcome::New(id));
        }
        if known.withdrawn {
            // If a snapshot has carried the withdrawal, one has to carry the revision again.
            let change = self.touch();
            self.execute(
                "offer a revision again",
                "UPDATE revision SET withdrawn = 0, withdrawal_sealed = NULL, change = ?2,
                    sealed = CASE WHEN withdrawal_sealed IS NULL THEN sealed END
                 WHERE revision_id = ?1",
                params![known.id.0, change],
            )?;
        }
        Ok(if known.sha256 == sha256 {
            AddOutcome::Same(known.id)
        } else {
            AddOutcome::OtherBytes(known.id)
        })
    }

    /// Marks a revision as no longer offered; true if that changed anything.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn withdraw(&mut self, identity: &UpdateIdentity) -> Result<bool> {
        let rows = self.execute(
            "withdraw a revision",
            "UPDATE revision SET withdrawn = 1, withdrawal_sealed = NULL, change = ?3
             WHERE update_id = ?1 AND revision_number = ?2 AND withdrawn = 0",
            params![identity.id.0.as_bytes(), identity.revision, self.mark()],
        )?;
        self.changed |= rows > 0;
        Ok(rows > 0)
    }

    /// Adds or replaces a payload row; true if that changed anything. `present` is never taken back
    /// by this (see [`CatalogWriter::payload_lost`]), known chunk digests are not replaced by none. The
    /// row counts as unsealed again when what a snapshot says of it has changed.
    ///
    /// # Errors
    /// [`CatalogError::Conflict`] when the bytes that are present have another size or SHA-1.
    pub fn put_payload(&mut self, row: &PayloadRow) -> Result<bool> {
        let sql = format!("{PAYLOAD} WHERE sha256 = ?1");
        let old = self.row("find a payload", &sql, [row.sha256.as_bytes()], payload_row)?;
        let mut new = row.clone();
        if let Some(old) = &old {
            if old.present && (old.size, old.sha1) != (new.size, new.sha1) {
                return Err(CatalogError::Conflict {
                    what: format!(
                        "payload {} is here with {} bytes and SHA-1 {}, and cannot have {} bytes and SHA-1 {}",
                        old.sha256, old.size, old.sha1, new.size, new.sha1
                    ),
                });
            }
            new.present |= old.present;
            if new.chunks.is_empty() && new.size == old.size {
                new.chunks.clone_from(&old.chunks);
            }
            if new == *old {
                return Ok(false);
            }
        }
        let said =
            |row: &PayloadRow| (row.sha1, row.size, row.chunks.clone(), row.not_carried.clone());
        let still_sealed = old.is_some_and(|old| said(&old) == said(&new));
        let chunks: Vec<u8> = new.chunks.iter().flat_map(|c| *c.as_bytes()).collect();
        let change = self.touch();
        self.execute(
            "write a payload",
            "INSERT INTO payload (sha256, sha1, size, chunks, present, not_carried, change)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (sha256) DO UPDATE SET
                sha1 = ?2, size = ?3, chunks = ?4, present = ?5, not_carried = ?6, change = ?7,
                sealed = CASE WHEN ?8 THEN sealed END",
            params![
                new.sha256.as_bytes(),
                new.sha1.as_bytes(),
                int(new.size),
                chunks,
                new.present,
                new.not_carried,
                change,
                still_sealed
            ],
        )?;
        Ok(true)
    }

    /// Notes that the bytes of a payload are no longer in `content/`.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payload_lost(&mut self, sha256: &Sha256) -> Result<()> {
        let rows = self.execute(
            "mark a payload as lost",
            "UPDATE payload SET present = 0, change = ?2 WHERE sha256 = ?1 AND present = 1",
            params![sha256.as_bytes(), self.mark()],
        )?;
        self.changed |= rows > 0;
        Ok(())
    }

    /// Keeps where a file is on the Internet. No change of the mirror: it stays on this side.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn put_file_url(&mut self, sha1: &Sha1, url: &str) -> Result<()> {
        self.execute(
            "keep the address of a file",
            "INSERT INTO file_url (sha1, url) VALUES (?1, ?2)
             ON CONFLICT (sha1) DO UPDATE SET url = ?2",
            params![sha1.as_bytes(), url],
        )?;
        Ok(())
    }

    /// Commits; returns the change counter. Nothing changed: the counter stays.
    ///
    /// # Errors
    /// When SQLite fails; then nothing was kept.
    pub fn commit(self) -> Result<u64> {
        let mut change = self.change;
        if self.changed {
            change += 1;
            self.set_meta("change", &change.to_string())?;
        }
        let Self { tx, path, .. } = self;
        tx.commit().map_err(|source| CatalogError::Sqlite {
            doing: "commit",
            path: path.to_owned(),
            source,
        })?;
        Ok(change)
    }

    /// Notes that something changed, and gives the mark for the row: what the change counter will
    /// be after the commit.
    pub(super) fn touch(&mut self) -> i64 {
        self.changed = true;
        self.mark()
    }

    fn mark(&self) -> i64 {
        int(self.change + 1)
    }

    /// Says what was attempted when SQLite failed.
    pub(super) fn sqlite(
        &self,
        doing: &'static str,
    ) -> impl FnOnce(rusqlite::Error) -> CatalogError {
        move |source| CatalogError::Sqlite { doing, path: self.path.to_owned(), source }
    }

    /// A value of the table `meta`.
    pub(super) fn meta(&self, key: &str) -> Result<Option<String>> {
        self.row("read a value", "SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
    }

    /// Sets a value of the table `meta`; does not count as a change by itself.
    pub(super) fn set_meta(&self, key: &str, value: &str) -> Result<()> {
        self.execute(
            "write a value",
            "INSERT INTO meta (key, value) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET value = ?2",
            [key, value],
        )?;
        Ok(())
    }

    /// The first row, if any. The statement is prepared once.
    pub(super) fn row<T>(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        self.tx
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(params, read).optional())
            .map_err(self.sqlite(doing))
    }

    /// Runs a statement, prepared once; gives the number of rows that it touched.
    pub(super) fn execute(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
    ) -> Result<usize> {
        self.tx
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(params))
            .map_err(self.sqlite(doing))
    }

    pub(super) fn counter(&self, key: &str, default: u64) -> Result<u64> {
        let Some(text) = self.meta(key)? else { return Ok(default) };
        text.parse().map_err(|_| CatalogError::Damaged {
            path: self.path.to_owned(),
            what: format!("its counter {key} is {text:?}; restore it from a backup"),
        })
    }
}
