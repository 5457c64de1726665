//! Trust: a standard TUF repository in the head of every volume.
//!
//! | file | what it owns |
//! |---|---|
//! | `head.rs` | which files a head holds, in which order |
//! | `root.rs`, `root_spec.rs` | roots, and what they are made of |
//! | `fingerprint.rs`, `words.rs` | the fingerprint of a root, to compare by voice |
//! | `roles.rs` | who holds which role in a root, and what another root changes about it |
//! | `root_record.rs` | since when each root is trusted at a site |
//! | `root_signatures.rs` | signatures on a root, one by one |
//! | `sign.rs` | the connected side: sealing and countersigning |
//! | `check.rs`, `load.rs` | the isolated side: checking a head, with the TUF client |
//! | `scratch.rs` | the folder that the TUF client works in |
//! | `shape.rs` | our own rules for the metadata, beyond TUF's |
//! | `signers.rs` | whose signatures hold |
//! | `countersigner.rs` | what a countersigner is shown |
//! | `state.rs` | the trust state: newest root and rollback counters in one record |
//! | `document.rs` | the one form of each metadata file |
//! | `error.rs` | whose fault it is, and what to do about it |

mod check;
mod countersigner;
mod document;
mod error;
mod fingerprint;
mod head;
mod load;
mod roles;
mod root;
mod root_record;
mod root_signatures;
mod root_spec;
mod scratch;
mod shape;
mod sign;
mod signers;
mod state;
#[cfg(test)]
mod tests;
mod words;

pub use check::{Expectation, Freshness, VerifiedHead, check_head};
pub use countersigner::{SealSummary, inspect_for_signing};
pub(crate) use error::DAMAGED;
pub use error::TrustError;
pub use fingerprint::Fingerprint;
pub(crate) use head::Part;
pub use head::{Head, INDEX_TARGET, POLICY_ROLE, POLICY_TARGET};
pub use roles::{RoleKey, RootRoles};
pub use root::make_root;
pub use root_record::{RootOrigin, RootRecord};
pub use root_signatures::{RootSignatures, gather_signatures, sign_root};
pub use root_spec::RootSpec;
pub use sign::{Seal, countersign, seal};
pub use state::TrustState;
pub(crate) use words::spoken;
