//! The table `payload`: the payloads that the mirror knows, and whether their bytes are here.

use std::fmt;

use bundle_format::digest::{Sha1, Sha256};
use rusqlite::{Row, params};
use serde::Serialize;

use super::{
    error::CatalogError,
    reader::Catalog,
    sql::{chunks_at, identity_at, is_named_locally},
    writer::CatalogWriter,
};
use crate::{
    sqlite::{int, sha1_at, sha256_at, u64_at},
    update::UpdateIdentity,
};

/// Whether the bytes of a payload are here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PayloadState {
    /// In `content/`.
    Present,
    /// Named by a document, but not here.
    Missing,
    /// Not carried by choice of the mirror.
    NotCarried,
}

/// A row of the payload table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadRow {
    /// Its name.
    pub sha256: Sha256,
    /// How agents name it.
    pub sha1: Sha1,
    /// In bytes.
    pub size: u64,
    /// Digests of its 16 MiB chunks.
    pub chunks: Vec<Sha256>,
    /// Its bytes are in `content/`.
    pub present: bool,
    /// Why the mirror does not carry it.
    pub not_carried: Option<String>,
}

/// A file as an update names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NamedFile {
    /// The revision.
    pub update: UpdateIdentity,
    /// Its title.
    pub title: String,
    /// The name of the file.
    pub file: String,
}

/// For people: the file, and what it belongs to.
impl fmt::Display for NamedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.title.trim() {
            "" => write!(f, "{} of the update {}", self.file, self.update.id),
            title => write!(f, "{} of \"{title}\"", self.file),
        }
    }
}

/// Reads payloads for [`payload_row`].
const PAYLOAD: &str = "SELECT sha256, sha1, size, chunks, present, not_carried FROM payload";

/// A row of [`PAYLOAD`].
fn payload_row(row: &Row<'_>) -> rusqlite::Result<PayloadRow> {
    Ok(PayloadRow {
        sha256: sha256_at(row, 0)?,
        sha1: sha1_at(row, 1)?,
        size: u64_at(row, 2)?,
        chunks: chunks_at(row, 3)?,
        present: row.get(4)?,
        not_carried: row.get(5)?,
    })
}

/// From two columns: whether it is present, whether it is not carried.
pub(super) fn state_at(row: &Row<'_>, column: usize) -> rusqlite::Result<PayloadState> {
    Ok(match (row.get(column)?, row.get(column + 1)?) {
        (true, _) => PayloadState::Present,
        (false, true) => PayloadState::NotCarried,
        (false, false) => PayloadState::Missing,
    })
}

impl Catalog {
    /// A payload by its name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payload(&self, sha256: &Sha256) -> Result<Option<PayloadRow>, CatalogError> {
        let sql = format!("{PAYLOAD} WHERE sha256 = ?1");
        self.row("find a payload", &sql, [sha256.as_bytes()], payload_row)
    }

    /// A payload by the name that agents use; of several the one that is present, then the one with
    /// the smallest SHA-256.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payload_by_sha1(&self, sha1: &Sha1) -> Result<Option<PayloadRow>, CatalogError> {
        let sql = format!("{PAYLOAD} WHERE sha1 = ?1 ORDER BY present DESC, sha256 LIMIT 1");
        self.row("find a payload by SHA-1", &sql, [sha1.as_bytes()], payload_row)
    }

    /// Calls `each` with every payload row, in the order of their names.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn payloads(&self, each: &mut dyn FnMut(PayloadRow)) -> Result<(), CatalogError> {
        let sql = format!("{PAYLOAD} ORDER BY sha256");
        self.for_each_row("read the payloads", &sql, [], |row| {
            each(payload_row(row)?);
            Ok(())
        })
    }

    /// Calls `each` with the name and size of every payload that should be here and is not. What a
    /// document that was published here names does not count: no bundle will bring it.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn absent_payloads(&self, each: &mut dyn FnMut(Sha256, u64)) -> Result<(), CatalogError> {
        let sql = format!(
            "SELECT sha256, size FROM payload p WHERE NOT present AND not_carried IS NULL
             AND left_out IS NULL AND NOT {} ORDER BY sha256",
            is_named_locally("p")
        );
        self.for_each_row("list what is missing", &sql, [], |row| {
            each(sha256_at(row, 0)?, u64_at(row, 1)?);
            Ok(())
        })
    }
}

impl Catalog {
    /// The payloads that this side leaves out by choice, by SHA-256 and SHA-1.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn left_out(&self) -> Result<Vec<(Sha256, Sha1)>, CatalogError> {
        let sql = "SELECT sha256, sha1 FROM payload WHERE left_out IS NOT NULL ORDER BY sha256";
        self.rows("list what is left out", sql, [], |row| {
            Ok((sha256_at(row, 0)?, sha1_at(row, 1)?))
        })
    }

    /// What names a payload: the titles of the updates that are not withdrawn, each with the name that its
    /// document gives the file; the newest first, at most twenty.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn names_of_payload(&self, sha256: &Sha256) -> Result<Vec<NamedFile>, CatalogError> {
        let sql = "SELECT r.update_id, r.revision_number, r.title, f.name
             FROM payload p JOIN file f ON f.sha1 = p.sha1 JOIN revision r USING (revision_id)
             WHERE p.sha256 = ?1 AND NOT r.withdrawn AND coalesce(f.sha256, p.sha256) = p.sha256
             ORDER BY r.revision_id DESC LIMIT 20";
        self.rows("find what names a payload", sql, [sha256.as_bytes()], |row| {
            let (update, title, file) = (identity_at(row, 0)?, row.get(2)?, row.get(3)?);
            Ok(NamedFile { update, title, file })
        })
    }

    /// How many payloads are left out by choice although their bytes are here, and how many bytes.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn left_out_here(&self) -> Result<(u64, u64), CatalogError> {
        let sql = "SELECT count(*), coalesce(sum(size), 0) FROM payload
                   WHERE left_out IS NOT NULL AND present";
        let found = self
            .row("count what is left out", sql, [], |row| Ok((u64_at(row, 0)?, u64_at(row, 1)?)))?;
        Ok(found.unwrap_or_default())
    }
}

impl CatalogWriter<'_> {
    /// States that this side leaves a payload out by choice, and why.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn leave_out(&mut self, sha256: &Sha256, why: &str) -> Result<(), CatalogError> {
        self.execute_change(
            "leave a payload out",
            "UPDATE payload SET left_out = ?2, change = ?3
             WHERE sha256 = ?1 AND left_out IS NOT ?2",
            params![sha256.as_bytes(), why, self.mark()],
        )?;
        Ok(())
    }

    /// Takes [`CatalogWriter::leave_out`] back: the payload is carried, or missing. As long as it is
    /// missing no snapshot waits for it: a bundle would not bring it again by itself.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn carry_again(&mut self, sha256: &Sha256) -> Result<(), CatalogError> {
        self.execute_change(
            "carry a payload again",
            "UPDATE payload SET left_out = CASE WHEN present THEN NULL ELSE 'wanted again' END,
                change = ?2
             WHERE sha256 = ?1 AND left_out IS NOT NULL AND (present OR left_out <> 'wanted again')",
            params![sha256.as_bytes(), self.mark()],
        )?;
        Ok(())
    }

    /// Adds or replaces a payload row; true if that changed anything. `present` is never removed
    /// by this (see [`CatalogWriter::payload_lost`]), chunk digests are not replaced by none. The
    /// row counts as unsealed again when what a snapshot says of it has changed.
    ///
    /// # Errors
    /// [`CatalogError::UnfitDocument`] when the bytes that are present have another size or SHA-1.
    pub fn store_payload(&mut self, row: &PayloadRow) -> Result<bool, CatalogError> {
        let old = self.payload(&row.sha256)?;
        let mut new = row.clone();
        if let Some(old) = &old {
            merge(old, &mut new)?;
            if new == *old {
                return Ok(false);
            }
        }
        let in_snapshot =
            |row: &PayloadRow| (row.sha1, row.size, row.chunks.clone(), row.not_carried.clone());
        let still_sealed = old.is_some_and(|old| in_snapshot(&old) == in_snapshot(&new));
        let chunks: Vec<u8> = new.chunks.iter().flat_map(|c| *c.as_bytes()).collect();
        let change = self.touch();
        self.execute(
            "write a payload",
            "INSERT INTO payload (sha256, sha1, size, chunks, present, not_carried, change)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (sha256) DO UPDATE SET
                sha1 = ?2, size = ?3, chunks = ?4, present = ?5, not_carried = ?6, change = ?7,
                left_out = CASE WHEN ?5 AND NOT present THEN NULL ELSE left_out END,
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
    pub fn payload_lost(&mut self, sha256: &Sha256) -> Result<(), CatalogError> {
        self.execute_change(
            "mark a payload as lost",
            "UPDATE payload SET present = 0, change = ?2 WHERE sha256 = ?1 AND present = 1",
            params![sha256.as_bytes(), self.mark()],
        )?;
        Ok(())
    }
}

/// Lets a new row keep what the old one has and it has not.
fn merge(old: &PayloadRow, new: &mut PayloadRow) -> Result<(), CatalogError> {
    if old.present && (old.size, old.sha1) != (new.size, new.sha1) {
        return Err(CatalogError::UnfitDocument {
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
    Ok(())
}
