//! What sealing asks for: what the last snapshot does not carry as it is now.

use bundle_format::{
    index::SegmentRef,
    segment::{PayloadRecord, Record, RevisionRecord},
};
use rusqlite::{Row, params};
use uuid::Uuid;

use super::{PRESENT, snapshot::SnapshotRow};
use crate::{
    catalog::{documents::document_at, error::CatalogError, sql::chunks_at, writer::CatalogWriter},
    sqlite::{int, sha1_at, sha256_at, u64_at, uuid_at},
};

/// How a payload row should be sealed now; NULL for one that was never here and is not left out by
/// choice.
const SEAL_AS: &str = "CASE WHEN nullif(left_out, 'wanted again') IS NOT NULL THEN left_out \
     WHEN present THEN 'present' WHEN not_carried IS NOT NULL THEN not_carried \
     WHEN sealed_as IS NOT NULL THEN 'the mirror has lost its bytes' END";

/// A condition: documents name a payload, and all of them are withdrawn.
const IS_WITHDRAWN_PAYLOAD: &str = "(EXISTS (SELECT 1 FROM file f WHERE f.sha1 = payload.sha1)
     AND NOT EXISTS (SELECT 1 FROM file f JOIN revision r USING (revision_id)
                     WHERE f.sha1 = payload.sha1 AND NOT r.withdrawn))";

/// A condition: the last snapshot does not carry a payload row as it is now. What was withdrawn
/// before any snapshot had it does not get into one.
fn is_unsealed_payload() -> String {
    format!(
        "((sealed IS NULL AND NOT {IS_WITHDRAWN_PAYLOAD})
          OR (sealed IS NOT NULL AND {SEAL_AS} IS NOT sealed_as)) AND {SEAL_AS} IS NOT NULL"
    )
}

/// A condition: no snapshot carries a revision of the mirror.
const IS_UNSEALED: &str = "NOT local AND NOT withdrawn AND sealed IS NULL";

/// A condition: a snapshot carries a revision of the mirror, and none its withdrawal.
const IS_WITHDRAWAL_UNSEALED: &str =
    "NOT local AND withdrawn AND sealed IS NOT NULL AND withdrawal_sealed IS NULL";

/// A revision that is to be sealed, or its withdrawal.
struct UnsealedRevision {
    revision_id: i32,
    update_id: Uuid,
    revision_number: u32,
    withdrawn: bool,
    /// `None` if it is damaged, or withdrawn.
    xml: Option<Vec<u8>>,
}

fn unsealed_revision(row: &Row<'_>) -> rusqlite::Result<UnsealedRevision> {
    let withdrawn = row.get(3)?;
    Ok(UnsealedRevision {
        revision_id: row.get(0)?,
        update_id: uuid_at(row, 1)?,
        revision_number: row.get(2)?,
        withdrawn,
        xml: if withdrawn { None } else { document_at(row, 4)? },
    })
}

fn unsealed_payload(row: &Row<'_>) -> rusqlite::Result<PayloadRecord> {
    let seal_as: String = row.get(4)?;
    let carried = seal_as == PRESENT;
    Ok(PayloadRecord {
        sha256: sha256_at(row, 0)?,
        sha1: sha1_at(row, 1)?,
        size: u64_at(row, 2)?,
        chunks: if carried { chunks_at(row, 3)? } else { Vec::new() },
        not_carried: (!carried).then_some(seal_as),
    })
}

impl CatalogWriter<'_> {
    /// Calls `each` with a record for every revision that the last snapshot does not carry as it is
    /// now, in the order of revision IDs: new ones, withdrawn ones, and those that came back. What
    /// was published on an isolated side is never among them. One document in memory at a time.
    ///
    /// # Errors
    /// When SQLite fails, or `each` does.
    pub fn unsealed_revisions<E: From<CatalogError>>(
        &self,
        mut each: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT r.revision_id, r.update_id, r.revision_number, r.withdrawn,
                    CASE WHEN r.withdrawn THEN NULL ELSE d.zstd END,
                    r.document_size, r.document_sha256
             FROM revision r LEFT JOIN document d USING (revision_id)
             WHERE ({IS_UNSEALED}) OR ({IS_WITHDRAWAL_UNSEALED}) ORDER BY r.revision_id"
        );
        self.try_for_each_row("list the revisions to seal", &sql, unsealed_revision, |row| {
            let UnsealedRevision { revision_id, update_id, revision_number, .. } = row;
            if row.withdrawn {
                return each(Record::Withdrawal { update_id, revision_number });
            }
            // A signature must not make rotten bytes the truth.
            let xml = row.xml.ok_or_else(|| {
                self.damaged(format!(
                    "the document of revision id {revision_id} does not unpack to what was stored; restore the database from a backup"
                ))
            })?;
            each(Record::Revision(RevisionRecord { update_id, revision_number, revision_id, xml }))
        })
    }

    /// Calls `each` with every payload record that the last snapshot does not carry as it is now,
    /// ascending by name.
    ///
    /// # Errors
    /// When SQLite fails, or `each` does.
    pub fn unsealed_payloads<E: From<CatalogError>>(
        &self,
        each: impl FnMut(PayloadRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT sha256, sha1, size, chunks, {SEAL_AS} FROM payload WHERE {} ORDER BY sha256",
            is_unsealed_payload()
        );
        self.try_for_each_row("list the payloads to seal", &sql, unsealed_payload, each)
    }

    /// Adds a snapshot that was sealed here, and notes that it carries everything that
    /// [`CatalogWriter::unsealed_revisions`], [`CatalogWriter::unsealed_payloads`],
    /// [`CatalogWriter::unsealed_keys`] and [`CatalogWriter::unsealed_driver_sets`] gave in this
    /// transaction.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn seal_snapshot(
        &mut self,
        row: &SnapshotRow,
        segments: &[SegmentRef],
    ) -> Result<(), CatalogError> {
        self.store_snapshot(row, segments)?;
        let number = int(row.number);
        for sql in [
            &format!("UPDATE revision SET sealed = ?1 WHERE {IS_UNSEALED}"),
            &format!("UPDATE revision SET withdrawal_sealed = ?1 WHERE {IS_WITHDRAWAL_UNSEALED}"),
            &format!(
                "UPDATE payload SET sealed = ?1, sealed_as = {SEAL_AS} WHERE {}",
                is_unsealed_payload()
            ),
            "UPDATE decryption_key SET sealed = ?1 WHERE sealed IS NULL",
            "UPDATE driver_set SET sealed = ?1 WHERE sealed IS NULL",
        ] {
            self.execute("note what is sealed", sql, params![number])?;
        }
        Ok(())
    }
}
