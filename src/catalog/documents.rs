//! The original documents, byte for byte.

use std::io::Read;

use bundle_format::digest::Sha256;
use rusqlite::{Row, params};

use super::{error::CatalogError, reader::Catalog, writer::CatalogWriter};
use crate::{
    sqlite::{int, sha256_at, u64_at},
    update::RevisionId,
};

impl Catalog {
    /// The original document of a revision, byte for byte.
    ///
    /// # Errors
    /// When SQLite fails or the stored bytes are damaged.
    pub fn document(&self, id: RevisionId) -> Result<Option<Vec<u8>>, CatalogError> {
        let found = self.row(
            "read a document",
            "SELECT d.zstd, r.document_size, r.document_sha256
             FROM document d JOIN revision r USING (revision_id) WHERE revision_id = ?1",
            [id.0],
            |row| document_at(row, 0),
        )?;
        let Some(unpacked) = found else { return Ok(None) };
        let Some(xml) = unpacked else {
            return Err(self.damaged(format!(
                "the document of revision id {id} does not unpack to what was stored; restore the database from a backup or import a full bundle into a new data folder"
            )));
        };
        Ok(Some(xml))
    }

    /// Bytes of the document of a revision.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn document_size(&self, id: RevisionId) -> Result<Option<u64>, CatalogError> {
        let sql = "SELECT document_size FROM revision WHERE revision_id = ?1";
        self.row("look up a document", sql, [id.0], |row| u64_at(row, 0))
    }
}

impl CatalogWriter<'_> {
    pub(super) fn insert_document(
        &mut self,
        id: RevisionId,
        xml: &[u8],
    ) -> Result<(), CatalogError> {
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
        Ok(())
    }
}

/// Unpacks a document: its compressed bytes and, in the next columns, size and SHA-256 that it must
/// have. `None` if it has not. Never unpacks more than the size that is on record.
pub(super) fn document_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Vec<u8>>> {
    let zstd = row.get_ref(column)?.as_blob_or_null()?.unwrap_or_default();
    let size = int(u64_at(row, column + 1)?).unsigned_abs();
    let sha256 = sha256_at(row, column + 2)?;
    let mut xml = Vec::new();
    let unpacked = zstd::Decoder::with_buffer(zstd)
        .and_then(|decoder| decoder.take(size + 1).read_to_end(&mut xml));
    Ok((unpacked.is_ok() && Sha256::hash(&xml) == sha256).then_some(xml))
}
