//! Snapshots, segments, sites and what was packed for them: what sealing, export, intake and switch
//! keep in the catalogue.
//!
//! | file | for |
//! |---|---|
//! | `snapshot.rs` | everybody: snapshots and their segments |
//! | `seal.rs` | sealing: what the last snapshot does not carry |
//! | `sites.rs` | export: sites and what was packed for them |
//! | `named_objects.rs` | switch: what a snapshot does not name is removed |
//! | `policy_note.rs` | switch: which snapshot's policy the fleet has |
//! | `seed.rs` | seeding: a site's catalogue becomes the mirror's |

mod named_objects;
mod policy_note;
mod seal;
mod seed;
mod sites;
pub(super) mod snapshot;

/// What a payload is sealed as when its bytes are here.
const PRESENT: &str = "present";
