//! Bundle ↔ stores. Connected side: [`keys_init`], [`seal`], [`export`]. Isolated side:
//! [`trust_add`], [`verify`], [`import`]. Both: [`check`].
//!
//! The order of writes keeps one invariant: whatever the catalogue names is on the disk, whole and
//! synced. Files are written under temporary names, synced and renamed; then one transaction makes
//! them count; the trust state follows it. Whatever a killed run leaves behind is either complete
//! under its final name, or in `incoming/`, which the next import empties.
//!
//! | folder | what lives there | knows |
//! |---|---|---|
//! | `upkeep/` | check, prune, rebuild | all below |
//! | `connected/` | keys, seal, export | `policy/`, `volume/`, `store/` |
//! | `isolated/` | import: intake and switch | `policy/`, `volume/`, `store/` |
//! | `policy/` | decisions ↔ the policy of a bundle | `volume/`, `store/` |
//! | `volume/` | reading and verifying volumes | `store/` |
//! | `store/` | trust state, segments, signed beginnings of snapshots | the files below |
//! | `error`, `progress`, `kill` | errors, progress, points at which tests kill the program | nothing |

mod connected;
mod error;
mod isolated;
mod kill;
mod policy;
mod progress;
mod store;
mod upkeep;
mod volume;

pub use connected::countersign::{
    countersign, countersign_volumes, inspect_for_signing, inspect_volumes_for_signing,
};
pub use connected::export::{ExportOptions, ExportReport, export};
pub use connected::keys::{
    elsewhere::{MadeKey, RootToSign, inspect_root_to_sign, make_key_file, sign_root_file},
    files::KeyFiles,
    first::{BroughtKeys, KeysOptions, keys_init},
    list::{KeysOverview, ListedKey, WaitingRoot, keys_list},
    next_root::{KeysReport, keys_take_root},
    rotation::{KeyRotation, keys_rotate},
};
pub use connected::medium::LARGEST_ON_FAT;
pub use connected::seal::seal;
pub use connected::seal_options::{SealOptions, SealOutcome, SealReason};
pub use connected::selection::ExportSelection;
pub use connected::to_sign::{
    DecisionToSign, DecisionToSignKind, ListToSign, SnapshotToSign, UpdateToSign,
};
pub use error::{Blame, TransferError};
pub use isolated::import::{
    finish::{finish_import, unfinished_import},
    import,
    options::ImportOptions,
    report::{ImportReport, PartsReport, PendingReport, VolumeReport},
};
pub use isolated::needs::needs;
pub use isolated::switch::{Changes, MissingObjects};
pub use policy::{
    change::{PolicyChange, PolicyChangeKind, PriorApproval},
    choice::PolicyChoice,
    decide::{PolicyDecision, policy_accept, policy_reject, policy_release},
    overview::{LocalDecision, LocalDecisionKind, PolicyOverview, PolicySummary, policy_show},
    preview::policy_diff,
    unneeded::{UnneededReason, restore_needed},
};
pub use progress::Progress;
pub use store::trust::{
    TrustAdded, TrustOverview, TrustReplaced, inspect_root, preview_replace, trust_add,
    trust_replace, trust_show,
};
pub use upkeep::check::{CheckReport, check};
pub use upkeep::consistency::store_problems;
pub use upkeep::prune::{PruneOptions, PruneReport, UnneededPayload, prune};
pub use upkeep::seed::{SeedReport, seed};
pub use volume::verify::{VerifiedVolume, VerifyAgainst, VerifyOptions, VerifyReport, verify};
