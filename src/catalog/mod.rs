//! The catalogue: `catalog.sqlite`. Update revisions with their original documents, relationships,
//! files, payload states, snapshots and generations. Written by sync, publish and intake only.
//!
//! Blocking and durable: WAL, `synchronous=FULL` on commit. Knows neither the protocol nor the
//! other stores.

mod categories;
mod category_tree;
mod changes;
mod closure;
mod columns;
mod error;
mod files;
mod graph;
mod insert;
mod keys;
mod notes;
mod read;
mod rows;
mod schema;
mod snapshots;
mod write;

pub use categories::{NamedCategory, named, near};
pub use changes::{CategoryQuery, NamedFile, RevisionQuery};
pub use error::CatalogError;
pub use files::NeededFile;
pub use read::Catalog;
pub use rows::{
    CatalogCounts, FIRST_LOCAL_REVISION_ID, GraphFile, GraphNode, PayloadRow, PayloadState,
    RevisionFilter, RevisionSummary,
};
pub use snapshots::{
    audit::Contradiction,
    rows::{SnapshotRow, SnapshotState},
};
pub use write::{AddOutcome, CatalogWriter, Numbering};
