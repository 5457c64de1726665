//! Pieces of SQL that several statements need, and columns as our types.

use bundle_format::digest::Sha256;
use rusqlite::{Row, types::Type};

use crate::{
    sqlite::{bad_column, update_at},
    update::{UpdateIdentity, UpdateType},
};

/// A condition: the revision `r` is the newest of its update, withdrawn ones left out.
pub(super) const IS_NEWEST: &str = "r.withdrawn = 0 AND NOT EXISTS (
    SELECT 1 FROM revision n WHERE n.update_id = r.update_id AND n.withdrawn = 0
    AND n.revision_number > r.revision_number)";

/// A condition: no snapshot has the revision `r`, because its document contradicts a payload. A newer
/// revision that is offered ends that.
pub(super) const IS_LEFT_OUT: &str = "(r.left_out IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM revision n WHERE n.update_id = r.update_id AND n.withdrawn = 0
    AND n.revision_number > r.revision_number))";

/// A condition: the revision `r` has the update id `?1` and the revision number `?2`.
pub(super) const HAS_IDENTITY: &str = "r.update_id = ?1 AND r.revision_number = ?2";

/// A condition: the payload is named, by its SHA-1, by a document that was published on this
/// isolated side. `table` is the payload table or its alias.
pub(super) fn is_named_locally(table: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM file f JOIN revision r USING (revision_id)
         WHERE r.local AND f.sha1 = {table}.sha1)"
    )
}

/// An update's id and, in the next column, its revision number.
pub(super) fn identity_at(row: &Row<'_>, column: usize) -> rusqlite::Result<UpdateIdentity> {
    Ok(UpdateIdentity { id: update_at(row, column)?, revision: row.get(column + 1)? })
}

/// Digests of chunks, one after another.
pub(super) fn chunks_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Sha256>> {
    let (chunks, rest) = row.get_ref(column)?.as_blob()?.as_chunks::<{ Sha256::LEN }>();
    if !rest.is_empty() {
        return Err(bad_column(column, Type::Blob, "digests of chunks were cut short"));
    }
    Ok(chunks.iter().copied().map(Sha256::from_bytes).collect())
}

/// The types of what can be installed, as the database names them.
pub(super) fn installable_types() -> [&'static str; 2] {
    [UpdateType::Software, UpdateType::Driver].map(update_type_name)
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
