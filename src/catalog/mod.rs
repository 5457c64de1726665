//! The catalogue: `catalog.sqlite`. Update revisions with their original documents, relationships,
//! files, payload states, snapshots and generations. Written by sync, publish and intake only.
//!
//! Blocking and durable: WAL, `synchronous=FULL` on commit. Knows neither the protocol nor the
//! other stores.
//!
//! [`Catalog`] reads, [`CatalogWriter`] changes; the writer is also a reader of what it has changed.
//! The files are named after the tables:
//!
//! | file | holds |
//! |---|---|
//! | `reader.rs`, `writer.rs` | opening, the write transaction, running statements |
//! | `sql.rs` | pieces of SQL that several statements need, and columns as our types |
//! | `meta.rs` | the table `meta`: change counter, mirror id, notes |
//! | `revisions.rs`, `insert.rs`, `numbering.rs` | revisions: found, added, numbered |
//! | `withdrawal.rs` | revisions that the mirror no longer offers |
//! | `documents.rs` | the original documents |
//! | `relationships.rs`, `graph.rs` | prerequisites, bundled and superseded updates; all at once |
//! | `files.rs`, `payloads.rs` | what documents name; which bytes are here |
//! | `languages.rs` | which languages payloads are for, and which the mirror carries |
//! | `categories.rs`, `category_names.rs` | products and classifications; their names |
//! | `changes.rs` | what changed since, for downstream servers |
//! | `keys.rs`, `driver_sets.rs` | what belongs to revisions and stands in no document |
//! | `snapshots/` | snapshots, segments, sites; sealing, switching, seeding |
//! | `counts.rs`, `audit.rs` | how much there is; what contradicts what |

mod audit;
mod categories;
mod category_names;
mod changes;
mod counts;
mod documents;
mod driver_sets;
mod error;
mod files;
mod graph;
mod insert;
mod keys;
mod languages;
mod meta;
mod numbering;
mod payloads;
mod reader;
mod relationships;
mod revisions;
mod schema;
mod snapshots;
mod sql;
mod withdrawal;
mod writer;

pub use audit::Contradiction;
pub use categories::NamedCategory;
pub use category_names::{named, near, same_title, title_distance};
pub use changes::{CategoryQuery, RevisionQuery};
pub use counts::CatalogCounts;
pub use error::CatalogError;
pub use files::FileRow;
pub use graph::GraphNode;
pub use insert::AddOutcome;
pub use numbering::{FIRST_LOCAL_REVISION_ID, Numbering};
pub use payloads::{NamedFile, PayloadRow, PayloadState};
pub use reader::Catalog;
pub use revisions::{RevisionFilter, RevisionSummary};
pub use snapshots::snapshot::{SnapshotRow, SnapshotState};
pub use writer::CatalogWriter;
