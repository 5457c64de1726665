//! The view: all that an answer to an agent needs, immutable, loaded from one state of the stores
//! and swapped as a whole after an import or an approval. Answering needs no SQL.
//!
//! | file | what it owns |
//! |---|---|
//! | `serving_view` | the view, and how it answers |
//! | `load` | loading it from the stores |
//! | `query` | options, questions and answers |
//! | `generation` | what comes from the catalogue: graph, files, categories, packs |
//! | `missing_payloads` | payloads whose bytes are gone |
//! | `deployments` | what is deployed to one set of target groups, with ids and change marks |
//! | `anchor` | what the cookie of a computer remembers |
//!
//! Approving makes a new view over the same generation; only an import or a sync makes a new
//! generation.

mod anchor;
pub(super) mod deployments;
pub(super) mod error;
pub(super) mod generation;
mod load;
mod missing_payloads;
pub(super) mod query;
pub(super) mod serving_view;

pub use deployments::{Deployment, Offer, decision, decisions};
pub use error::ViewError;
pub use generation::{ViewFile, scope_revision};
pub use missing_payloads::ExistingPayloads;
pub use query::{SyncAnswer, SyncQuery, ViewOptions};
pub use serving_view::View;
