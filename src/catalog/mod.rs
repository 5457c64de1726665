//! The catalogue: `catalog.sqlite`. Update revisions with their original documents, relationships,
//! files, payload states, snapshots and generations. Written by sync, publish and intake only.
//!
//! Blocking and durable: WAL, `synchronous=FULL` on commit. Knows neither the protocol nor the
//! other stores.

mod anchors;
mod categories;
mod category_tree;
mod columns;
mod error;
mod held;
mod insert;
mod keys;
mod needed;
mod nodes;
mod notes;
mod read;
mod rows;
mod schema;
mod snapshots;
mod write;

pub use anchors::{CategoryQuery, NamedFile, RevisionQuery};
pub use categories::{NamedCategory, named, near};
pub use error::CatalogError;
pub use needed::NeededFile;
pub use read::Catalog;
pub use rows::*;
pub use snapshots::{Contradiction, SnapshotRow, SnapshotState};
pub use write::{AddOutcome, CatalogWriter, Numbering};
