//! Snapshots, segments, sites and what was packed for them: what sealing, export, intake and switch
//! keep in the catalogue.
//!
//! | file | for |
//! |---|---|
//! | `rows.rs` | everybody: snapshots, their segments, notes |
//! | `seal.rs` | sealing: what the last snapshot does not carry |
//! | `pack.rs` | export: sites and what was packed for them |
//! | `switch.rs` | intake and switch: what a snapshot names and what is absent |
//! | `extras.rs` | both: keys and driver sets |
//! | `seeded.rs` | seeding: a site's catalogue becomes the mirror's |
//! | `audit.rs` | check: what contradicts what |

pub(super) mod audit;
pub(super) mod extras;
pub(super) mod pack;
pub(super) mod rows;
pub(super) mod seal;
pub(super) mod seeded;
pub(super) mod switch;

use std::path::PathBuf;

use rusqlite::Connection;

use super::error::CatalogError;

type Result<T> = std::result::Result<T, CatalogError>;

/// What a payload is sealed as when its bytes are here.
const PRESENT: &str = "present";

fn failed(
    connection: &Connection,
    doing: &'static str,
) -> impl FnOnce(rusqlite::Error) -> CatalogError + use<> {
    let path = PathBuf::from(connection.path().unwrap_or_default());
    move |source| CatalogError::Sqlite { doing, path, source }
}

fn damaged(connection: &Connection, what: String) -> CatalogError {
    CatalogError::Damaged { path: connection.path().unwrap_or_default().into(), what }
}
