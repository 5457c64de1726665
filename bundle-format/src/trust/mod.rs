//! Trust: a standard TUF repository in the head of every volume.
//!
//! | file | what it owns |
//! |---|---|
//! | `head.rs` | which files a head holds, in which order |
//! | `root.rs`, `words.rs` | roots, and their fingerprints to compare by voice |
//! | `sign.rs` | the connected side: sealing and countersigning |
//! | `check.rs`, `load.rs` | the isolated side: checking a head, with the TUF client |
//! | `state.rs` | the trust state: newest root and rollback counters in one record |
//! | `document.rs` | the one form of each metadata file |
//! | `error.rs` | whose fault it is, and what to do about it |

mod check;
mod document;
mod error;
mod head;
mod load;
mod root;
mod sign;
mod state;
#[cfg(test)]
mod tests;
mod words;

pub use check::{
    Expectation, Freshness, SealSummary, VerifiedHead, check_head, inspect_for_signing,
};
pub(crate) use error::DAMAGED;
pub use error::TrustError;
pub(crate) use head::Part;
pub use head::{Head, INDEX_TARGET, POLICY_ROLE, POLICY_TARGET};
pub use root::{Fingerprint, RootSpec, make_root};
pub use sign::{Seal, countersign, seal};
pub use state::TrustState;
