//! The connected side: keys, snapshots, bundles. Knows nothing of the isolated side, which packs with it
//! what it passes on.
//!
//! | file | what it owns | writes |
//! |---|---|---|
//! | `keys` | key files, roots, rotation | `keys/` |
//! | `seal` | a snapshot, made and signed | `snapshots/`, the catalogue's snapshot tables |
//! | `seal_options` | how it is made, and what came of it | nothing |
//! | `new_segments` | what has changed since the last snapshot | `segments/` |
//! | `sealed_policy` | the policy that was sealed last | a note in the catalogue |
//! | `signing` | the keys sign a snapshot | nothing |
//! | `countersign` | a second person signs it | `snapshots/` |
//! | `compact` | small segments become one | `segments/` |
//! | `export`, `write_volumes` | the volumes of a bundle | the medium |
//! | `selection` | what an export packs | nothing |
//! | `relay` | what an isolated side passes on to another site | nothing |
//! | `layout` | which object goes on which volume | nothing |
//! | `medium` | what the file system of a medium can take | nothing |

mod compact;
pub(super) mod countersign;
pub(super) mod export;
pub(super) mod keys;
mod layout;
pub(super) mod medium;
mod new_segments;
mod relay;
pub(super) mod seal;
pub(super) mod seal_options;
pub(super) mod sealed_policy;
pub(super) mod selection;
mod signing;
mod write_volumes;
