//! The connected side: keys, snapshots, bundles. Knows nothing of the isolated side.
//!
//! | file | what it owns | writes |
//! |---|---|---|
//! | `keys` | key files, roots, rotation | `keys/` |
//! | `seal` | a snapshot, made and signed | `segments/`, `snapshots/`, the catalogue's snapshot tables |
//! | `compact` | small segments become one | through `seal` |
//! | `export` | the volumes of a bundle | the medium |
//! | `layout` | which object goes on which volume | nothing |

pub(super) mod compact;
pub(super) mod export;
pub(super) mod keys;
pub(super) mod layout;
pub(super) mod seal;
