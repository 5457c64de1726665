//! What sealing asks for: what the last snapshot does not carry as it is now.

use bundle_format::{
    digest::Sha256,
    index::SegmentRef,
    segment::{PayloadRecord, Record, RevisionRecord},
};
use rusqlite::{Row, params, types::Type};

use super::{PRESENT, Result, damaged, failed, rows::SnapshotRow};
use crate::{
    catalog::{error::CatalogError, write::CatalogWriter},
    sqlite::{bad_column, int, sha1_at, sha256_at, u64_at, uuid_at},
};

/// How a payload row should be sealed now; NULL for one that was never here and is not left out by
/// choice.
const SEAL_AS: &str = "CASE WHEN present THEN 'present' WHEN not_carried IS NOT NULL THEN not_carried \
     WHEN sealed_as IS NOT NULL THEN 'the mirror has lost its bytes' END";

impl CatalogWriter<'_> {
    /// Calls `each` with a record for every revision that the last snapshot does not carry as it is
    /// now, in the order of revision IDs: new ones, withdrawn ones, and those that came back. What
    /// was published on an isolated side is never among them. One document in memory at a time.
    ///
    /// # Errors
    /// When SQLite fails, or `each` does.
    pub fn unsealed_revisions<E: From<CatalogError>>(
        &self,
        mut each: impl FnMut(Record) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let doing = "list the revisions to seal";
        let connection = &*self.tx;
        let mut statement = connection
            .prepare(
                "SELECT r.revision_id, r.update_id, r.revision_number, r.withdrawn,
                 CASE WHEN r.withdrawn THEN NULL ELSE d.zstd END, r.document_sha256
                 FROM revision r LEFT JOIN document d USING (revision_id)
                 WHERE NOT r.local AND ((NOT r.withdrawn AND r.sealed IS NULL)
                 OR (r.withdrawn AND r.sealed IS NOT NULL AND r.withdrawal_sealed IS NULL))
                 ORDER BY r.revision_id",
            )
            .map_err(failed(connection, doing))?;
        let mut rows = statement.query([]).map_err(failed(connection, doing))?;
        while let Some(row) = rows.next().map_err(failed(connection, doing))? {
            let fields =
                (|| Ok((row.get(0)?, uuid_at(row, 1)?, row.get(2)?, row.get::<_, bool>(3)?)))();
            let (revision_id, update_id, revision_number, withdrawn): (i32, _, _, _) =
                fields.map_err(failed(connection, doing))?;
            if withdrawn {
                each(Record::Withdrawal { update_id, revision_number })?;
                continue;
            }
            let zstd = row.get_ref(4).map_err(failed(connection, doing))?;
            let sha256 = sha256_at(row, 5).map_err(failed(connection, doing))?;
            // A signature must not make rotten bytes the truth.
            let xml = zstd
                .as_blob()
                .ok()
                .and_then(|zstd| zstd::decode_all(zstd).ok())
                .filter(|xml| Sha256::hash(xml) == sha256)
                .ok_or_else(|| {
                    damaged(
                        connection,
                        format!(
                            "the document of revision id {revision_id} does not unpack to what was stored; restore the database from a backup"
                        ),
                    )
                })?;
            each(Record::Revision(RevisionRecord {
                update_id,
                revision_number,
                revision_id,
                xml,
            }))?;
        }
        Ok(())
    }

    /// Calls `each` with every payload record that the last snapshot does not carry as it is now,
    /// ascending by name.
    ///
    /// # Errors
    /// When SQLite fails, or `each` does.
    pub fn unsealed_payloads<E: From<CatalogError>>(
        &self,
        mut each: impl FnMut(PayloadRecord) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let doing = "list the payloads to seal";
        let connection = &*self.tx;
        let mut statement = connection
            .prepare(&format!(
                "SELECT sha256, sha1, size, chunks, {SEAL_AS} FROM payload
                 WHERE (sealed IS NULL OR {SEAL_AS} IS NOT sealed_as) AND {SEAL_AS} IS NOT NULL ORDER BY sha256"
            ))
            .map_err(failed(connection, doing))?;
        let mut rows = statement.query([]).map_err(failed(connection, doing))?;
        while let Some(row) = rows.next().map_err(failed(connection, doing))? {
            let record = (|| {
                let seal_as: String = row.get(4)?;
                let carried = seal_as == PRESENT;
                Ok(PayloadRecord {
                    sha256: sha256_at(row, 0)?,
                    sha1: sha1_at(row, 1)?,
                    size: u64_at(row, 2)?,
                    chunks: if carried { chunks_at(row, 3)? } else { Vec::new() },
                    not_carried: (!carried).then_some(seal_as),
                })
            })();
            each(record.map_err(failed(connection, doing))?)?;
        }
        Ok(())
    }

    /// Keeps a snapshot that was sealed here, and notes that it carries everything that
    /// [`CatalogWriter::unsealed_revisions`] and [`CatalogWriter::unsealed_payloads`] gave in this transaction.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn seal_snapshot(&mut self, row: &SnapshotRow, segments: &[SegmentRef]) -> Result<()> {
        self.put_snapshot(row, segments)?;
        let number = int(row.number);
        let doing = "note what is sealed";
        self.execute(
            doing,
            "UPDATE revision SET sealed = ?1
             WHERE NOT local AND NOT withdrawn AND sealed IS NULL",
            params![number],
        )?;
        self.execute(
            doing,
            "UPDATE revision SET withdrawal_sealed = ?1
             WHERE NOT local AND withdrawn AND sealed IS NOT NULL AND withdrawal_sealed IS NULL",
            params![number],
        )?;
        self.execute(
            doing,
            &format!(
                "UPDATE payload SET sealed = ?1, sealed_as = {SEAL_AS}
                 WHERE (sealed IS NULL OR {SEAL_AS} IS NOT sealed_as) AND {SEAL_AS} IS NOT NULL"
            ),
            params![number],
        )?;
        self.seal_extras(row.number)
    }
}

fn chunks_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Sha256>> {
    let (digests, rest) = row.get_ref(column)?.as_blob()?.as_chunks::<{ Sha256::LEN }>();
    if !rest.is_empty() {
        return Err(bad_column(column, Type::Blob, "chunk digests of an odd length"));
    }
    Ok(digests.iter().copied().map(Sha256::from_bytes).collect())
}
