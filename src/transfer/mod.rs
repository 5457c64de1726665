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
//! | `upkeep/` | check, prune, rebuild, backup | all below |
//! | `connected/` | keys, seal, export | `policy/`, `volume/`, `store/` |
//! | `isolated/` | import: intake and switch | `policy/`, `volume/`, `store/` |
//! | `policy/` | decisions ↔ the policy of a bundle | `volume/`, `store/` |
//! | `volume/` | reading, verifying and writing volumes | `store/` |
//! | `store/` | trust state, segments, signed beginnings of snapshots | the files below |
//! | `error`, `progress`, `kill`, `new_folder` | errors, progress, points at which tests kill the program, a folder that is there whole or not at all | nothing |

mod connected;
mod error;
mod isolated;
mod kill;
mod new_folder;
mod policy;
mod progress;
mod store;
mod upkeep;
mod volume;

pub use connected::countersign::{
    countersign, countersign_volumes, inspect_for_signing, inspect_volumes_for_signing,
};
pub use connected::export::{ExportOptions, ExportReport, export, export_to_pipe};
pub use connected::keys::{
    elsewhere::{MadeKey, RootToSign, inspect_root_to_sign, make_key_file, sign_root_file},
    files::KeyFiles,
    first::{BroughtKeys, KeysOptions, keys_init},
    list::{KeysOverview, ListedKey, WaitingRoot, keys_list},
    next_root::{KeysReport, keys_take_root},
    rotation::{KeyRotation, keys_rotate},
};
pub use connected::receipts::{
    AcknowledgedSnapshot, KeyCheck, ReceiptAdded, acknowledged, add_receipt, inspect_receipt,
};
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
    ready_to_import,
    report::{ImportReport, PartsReport, PendingReport, VolumeReport},
};
pub use isolated::needs::needs;
pub use isolated::receipt::make_receipt;
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
pub use upkeep::backup::{BackupOptions, BackupReport, backup};
pub use upkeep::check::{CheckReport, check};
pub use upkeep::consistency::store_problems;
pub use upkeep::prune::{PruneOptions, PruneReport, UnneededPayload, prune};
pub use upkeep::restore::{RestoreReport, restore};
pub use upkeep::seed::{SeedReport, seed};
pub use upkeep::snapshot_diff::{DecisionChange, SnapshotDiff, snapshot_diff};
pub use upkeep::snapshots::{SnapshotEntry, list_snapshots};
pub use volume::inspect::{
    InspectReport, InspectedApproval, InspectedFile, InspectedPolicy, InspectedUpdate, inspect,
};
pub use volume::medium::LARGEST_ON_FAT;
pub use volume::parity::{ParityReport, add_parity};
pub use volume::read::{is_cut_off, is_volume_name};
pub use volume::repack::{RepackReport, repack};
pub use volume::repair::{DamagedVolume, RepairReport, repair};
pub use volume::segment_diff::UpdateChanges;
pub use volume::transcript::{CheckRecord, CheckVerdict, Transcript};
pub use volume::update_summary::UpdateSummary;
pub use volume::verify::{VerifyAgainst, VerifyOptions, verify, verify_with_transcript};
pub use volume::verify_report::{
    LackingObjects, RefusedVolume, VerifiedVolume, VerifyReport, VolumeSet,
};
