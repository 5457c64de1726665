//! Payloads as files named by their SHA-256: `content/ab/abcdef…`. Written to a temporary name in
//! the same file system, hashed while writing, synced, renamed. Blocking and durable.
//!
//! | file | holds |
//! |---|---|
//! | `store.rs` | payloads that are complete: found, read, listed |
//! | `incoming.rs` | payloads that are written under a temporary name, in `content/tmp/` |
//! | `partial.rs` | payloads that arrive in pieces and survive a kill, in `content/partial/` |
//! | `files.rs` | reading, hashing, locking and protecting files |
//!
//! Which payload an agent means by a SHA-1 is the catalogue's knowledge, not ours.

mod error;
mod files;
mod incoming;
mod partial;
mod store;

pub use error::ContentError;
pub use files::hash_file;
pub use incoming::Incoming;
pub use partial::{ExpectedPayload, Partial, Partials};
pub use store::{ContentStore, REPORT_RESERVE};
