//! The connected side: keys, snapshots, bundles. Knows nothing of the isolated side, which packs with it
//! what it passes on.
//!
//! | file | what it owns | writes |
//! |---|---|---|
//! | `keys/` | key files, roots, rotation | `keys/` |
//! | `seal` | a snapshot, made and signed | `snapshots/`, the catalogue's snapshot tables |
//! | `seal_options` | how it is made, and what came of it | nothing |
//! | `new_segments` | what has changed since the last snapshot | `segments/` |
//! | `sealed_policy` | the policy that was sealed last | a note in the catalogue |
//! | `signing` | the keys sign a snapshot | nothing |
//! | `countersign` | a second person signs it | `snapshots/`, volumes |
//! | `to_sign` | what that person is shown first | nothing |
//! | `compact` | small segments become one | `segments/` |
//! | `export` | the volumes of a bundle | the medium |
//! | `selection` | what an export packs | nothing |
//! | `receipts` | what sites have acknowledged | `receipts/` |
//! | `relay` | what an isolated side passes on to another site | nothing |

mod compact;
pub(super) mod countersign;
pub(super) mod export;
pub(super) mod keys;
mod new_segments;
pub(super) mod receipts;
mod relay;
pub(super) mod seal;
pub(super) mod seal_options;
pub(super) mod sealed_policy;
pub(super) mod selection;
mod signing;
pub(super) mod to_sign;
