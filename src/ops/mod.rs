//! The use cases: everything that the program can do, one file each.
//!
//! The command line, and whatever else serves an administrator, calls these functions and shows what
//! they return. An operation opens the stores that it needs, does its work and returns an outcome
//! that serializes to the JSON of the program. Where an outcome can be complete or partial, it has
//! `is_complete`. Operations print nothing and read no flags; on the way they tell an [`Observer`]
//! how far they are. All of them block.
//!
//! | file | operations |
//! |---|---|
//! | `context.rs`, `progress.rs`, `error.rs`, `wording.rs` | data folder and limits; phases, notes and warnings; what may go wrong; counted nouns |
//! | `init.rs` | make a data folder, also from a bundle of a lost mirror |
//! | `sync.rs`, `replica.rs`, `rollup.rs` | synchronize, with all that follows; decisions from the upstream; the report to it |
//! | `choices.rs` | what can be synchronized |
//! | `download.rs` | the files that updates need |
//! | `publish.rs` | an update of an installer |
//! | `updates.rs` | list and show updates |
//! | `approve.rs`, `decline.rs`, `rules.rs` | decisions of an administrator, and of rules |
//! | `withdraw.rs` | connected: take updates out of the mirror |
//! | `policy.rs` | decisions that came with a bundle, and local ones against them |
//! | `groups.rs`, `computers.rs` | target groups and computers |
//! | `servers.rs`, `hierarchy.rs` | downstream servers, and how they stand |
//! | `keys.rs`, `seal.rs`, `sign.rs`, `export.rs` | connected: from the mirror to a bundle |
//! | `bundle.rs` | a finished bundle, divided anew |
//! | `trust.rs`, `verify.rs`, `inspect.rs`, `import.rs` | isolated: from a bundle into the stores |
//! | `trust.rs`, `verify.rs`, `import.rs`, `watch.rs` | isolated: from a bundle into the stores, or from all that appear in a folder |
//! | `backup.rs`, `restore.rs` | a copy of a data folder, and a new one from it |
//! | `needs.rs` | isolated: what is missing, for the connected side |
//! | `serve.rs`, `probe.rs` | be a WSUS, or an agent of one |
//! | `snapshots.rs`, `age.rs` | snapshots that were here, how two differ; how old the newest is |
//! | `waiting.rs` | what is approved and not offered, and why |
//! | `receipt.rs` | a site says what it serves; the connected side records it |
//! | `journal.rs` | what crossed and what was decided here |
//! | `status.rs`, `check.rs`, `can_sync/`, `prune.rs` | how this side stands, and keeping it in order |

pub mod age;
pub mod approve;
pub mod backup;
pub mod bundle;
pub mod can_sync;
pub mod check;
#[cfg(feature = "upstream")]
pub mod choices;
pub mod computers;
mod context;
pub mod decline;
#[cfg(feature = "upstream")]
pub mod download;
mod error;
pub mod export;
pub mod groups;
pub mod hierarchy;
pub mod import;
pub mod init;
pub mod inspect;
pub mod journal;
pub mod keys;
pub mod needs;
pub mod policy;
#[cfg(feature = "probe")]
pub mod probe;
mod progress;
pub mod prune;
pub mod publish;
pub mod receipt;
pub mod removal;
#[cfg(feature = "upstream")]
mod replica;
pub mod restore;
#[cfg(feature = "upstream")]
mod rollup;
pub mod rules;
pub mod seal;
pub mod serve;
pub mod servers;
pub mod sign;
pub mod snapshots;
pub mod status;
#[cfg(feature = "upstream")]
pub mod sync;
pub mod trust;
pub mod updates;
pub mod verify;
pub mod waiting;
pub mod watch;
pub mod withdraw;
mod wording;

pub use context::Context;
pub use error::{Concern, OpsError};
pub use progress::{Observer, Unit};
pub use wording::count;

/// What an operation returns.
pub type Result<T> = std::result::Result<T, OpsError>;
