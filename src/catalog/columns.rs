//! How rows of the database become [`super::rows`].

use bundle_format::digest::Sha256;
use rusqlite::{Row, types::Type};

use super::rows::{PayloadRow, RevisionSummary};
use crate::{
    sqlite::{bad_column, moment_at, sha1_at, sha256_at, u64_at, update_at},
    update::{RevisionId, UpdateIdentity, UpdateType},
};

/// Reads revisions, as `r`, for [`summary`].
pub(super) const SUMMARY: &str = "
    SELECT r.revision_id, r.update_id, r.revision_number, r.update_type, r.title, r.severity,
           r.explicitly_deployable, r.expired, r.withdrawn, r.category_type, r.eula_id, r.created,
           r.arrived, r.local,
           (SELECT group_concat(kb, ' ' ORDER BY kb) FROM kb WHERE kb.revision_id = r.revision_id)
    FROM revision r";

/// A row of [`SUMMARY`].
pub(super) fn summary(row: &Row<'_>) -> rusqlite::Result<RevisionSummary> {
    let kb = row.get_ref(14)?.as_str_or_null()?.unwrap_or_default();
    Ok(RevisionSummary {
        revision_id: RevisionId(row.get(0)?),
        identity: identity_at(row, 1)?,
        update_type: update_type_at(row, 3)?,
        title: row.get(4)?,
        severity: row.get(5)?,
        explicitly_deployable: row.get(6)?,
        expired: row.get(7)?,
        withdrawn: row.get(8)?,
        category_type: row.get(9)?,
        eula_id: row.get(10)?,
        created: row.get(11)?,
        arrived: moment_at(row, 12)?,
        local: row.get(13)?,
        kb: kb.split(' ').filter(|kb| !kb.is_empty()).map(str::to_owned).collect(),
    })
}

/// Reads payloads for [`payload_row`].
pub(super) const PAYLOAD: &str =
    "SELECT sha256, sha1, size, chunks, present, not_carried FROM payload";

/// A row of [`PAYLOAD`].
pub(super) fn payload_row(row: &Row<'_>) -> rusqlite::Result<PayloadRow> {
    let (chunks, rest) = row.get_ref(3)?.as_blob()?.as_chunks::<{ Sha256::LEN }>();
    if !rest.is_empty() {
        return Err(bad_column(3, Type::Blob, "digests of chunks were cut short"));
    }
    Ok(PayloadRow {
        sha256: sha256_at(row, 0)?,
        sha1: sha1_at(row, 1)?,
        size: u64_at(row, 2)?,
        chunks: chunks.iter().copied().map(Sha256::from_bytes).collect(),
        present: row.get(4)?,
        not_carried: row.get(5)?,
    })
}

/// An update's id and, in the next column, its revision number.
pub(super) fn identity_at(row: &Row<'_>, column: usize) -> rusqlite::Result<UpdateIdentity> {
    Ok(UpdateIdentity { id: update_at(row, column)?, revision: row.get(column + 1)? })
}

pub(super) fn update_type_name(update_type: UpdateType) -> &'static str {
    match update_type {
        UpdateType::Software => "software",
        UpdateType::Driver => "driver",
        UpdateType::Category => "category",
        UpdateType::Detectoid => "detectoid",
    }
}

pub(super) fn update_type_at(row: &Row<'_>, column: usize) -> rusqlite::Result<UpdateType> {
    match row.get_ref(column)?.as_str()? {
        "software" => Ok(UpdateType::Software),
        "driver" => Ok(UpdateType::Driver),
        "category" => Ok(UpdateType::Category),
        "detectoid" => Ok(UpdateType::Detectoid),
        other => Err(bad_column(column, Type::Text, format!("{other:?} is no update type"))),
    }
}
