//! Bundle ↔ stores. Connected side: [`keys_init`], [`seal`], [`export`]. Isolated side:
//! [`trust_add`], [`verify`], [`import`]. Both: [`check`].
//!
//! The order of writes keeps one invariant: whatever the catalogue names is on the disk, whole and
//! synced. Files are written under temporary names, synced and renamed; then one transaction makes
//! them count; the trust state follows it. Whatever a killed run leaves behind is either complete
//! under its final name, or in `incoming/`, which the next import empties.
//!
//! | file | writes |
//! |---|---|
//! | `keys.rs` | `keys/` |
//! | `seal.rs`, `compact.rs`, `spool.rs` | `segments/`, `snapshots/`, the catalogue's snapshot tables |
//! | `export.rs`, `layout.rs` | volumes |
//! | `trust.rs` | `trust/state`, `trust/lock` |
//! | `volumes.rs`, `pump.rs` | nothing: reading volumes and hashing |
//! | `verify.rs` | nothing |
//! | `prune.rs` | nothing: it removes from `segments/`, `snapshots/` and `content/` |
//! | `intake/`, `named.rs` | `incoming/`, then `segments/`, `content/` and `parts/` |
//! | `switch.rs`, `import/` | the catalogue, `snapshots/`, and the fleet through `policy/` |

mod check;
mod compact;
mod error;
mod export;
mod freshness;
mod import;
mod intake;
mod keys;
mod kill;
mod layout;
mod named;
mod policy;
mod progress;
mod prune;
mod pump;
mod seal;
mod side;
mod seed;
mod spool;
mod stored_head;
mod switch;
mod trust;
mod verify;
mod volumes;

pub use check::{CheckReport, check};
pub use error::{Fault, TransferError};
pub use export::{ExportOptions, ExportReport, export};
pub use import::{ImportOptions, ImportReport, PartsReport, PendingReport, VolumeReport, import};
pub use keys::{KeyFiles, KeysOptions, KeysReport, Rotate, keys_init, keys_rotate};
pub use policy::{
    LocalDecision, PolicyChange, PolicyChangeKind, PolicyChoice, PolicyDecided, PolicyOverview,
    PolicySummary, PolicyWas, policy_accept, policy_diff, policy_reject, policy_release,
    policy_show,
};
pub use progress::Progress;
pub use prune::{PruneOptions, PruneReport, prune};
pub use seal::{SealOptions, SealOutcome, countersign, inspect_for_signing, seal};
pub use seed::{SeedReport, seed};
pub use switch::{Changes, Missing};
pub use trust::{RootSummary, TrustAdded, inspect_root, trust_add};
pub use verify::{VerifiedVolume, VerifyAgainst, VerifyOptions, VerifyReport, verify};
