//! Who decided: an administrator, or the policy part of a bundle.

use rusqlite::{Row, types::Type};
use serde::{Deserialize, Serialize};

use crate::sqlite::bad_column;

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// An administrator of this store.
    Local,
    /// The policy part of a bundle.
    Policy,
}

pub(super) fn origin_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Origin> {
    match row.get_ref(column)?.as_str()? {
        "local" => Ok(Origin::Local),
        "policy" => Ok(Origin::Policy),
        other => Err(bad_column(column, Type::Text, format!("{other:?} is no origin"))),
    }
}

pub(super) fn origin_name(origin: Origin) -> &'static str {
    match origin {
        Origin::Local => "local",
        Origin::Policy => "policy",
    }
}
