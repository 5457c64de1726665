//! What an import says.

use std::path::PathBuf;

use bundle_format::{digest::Sha256, needs::MissingPayload, trust::Freshness};
use serde::Serialize;

use crate::transfer::{
    isolated::switch::{Changes, MissingObjects},
    policy::change::PolicyChange,
    volume::segment_diff::UpdateChanges,
};

/// What an import did.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImportReport {
    /// Only tried.
    pub dry_run: bool,
    /// What was read.
    pub volumes: Vec<VolumeReport>,
    /// The snapshot that was served before.
    pub before: Option<u64>,
    /// The snapshot that is served now (with `dry_run`: would be).
    pub in_force: Option<u64>,
    /// What the switch changed, if there was one.
    pub switched: Option<Changes>,
    /// Objects that are new here.
    pub new_objects: u64,
    /// Their bytes.
    pub new_bytes: u64,
    /// Objects that were here already.
    pub held_objects: u64,
    /// Objects on the volumes that nothing here asks for.
    pub skipped_objects: u64,
    /// Newer snapshots that are not complete yet: exactly what each lacks.
    pub pending: Vec<PendingReport>,
    /// The payloads that these lack, by file and update.
    pub missing_files: Vec<MissingPayload>,
    /// Snapshots between the one that was served and those that are not complete that were never brought
    /// here, first to last.
    pub never_brought: Vec<(u64, u64)>,
    /// What the switch changed, by title, if there was one.
    pub updates: Option<UpdateChanges>,
    /// Payloads of which only parts are here: other volumes bring the rest.
    pub parts: Vec<PartsReport>,
    /// What the policy changed in the fleet, or would.
    pub policy: Vec<PolicyChange>,
    /// The policy waits for a person: none of it has taken effect.
    pub policy_held: bool,
    /// Which key lost or gained its role by a newer root, as sentences.
    pub key_changes: Vec<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// One volume that was read.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct VolumeReport {
    /// The file.
    pub path: PathBuf,
    /// Its snapshot.
    pub snapshot: u64,
    /// Against what was accepted before.
    pub freshness: Freshness,
    /// Key ids that signed, by role.
    pub signers: Vec<(String, Vec<String>)>,
    /// The same for people: what each key is for, and its name.
    pub signed_by: Vec<String>,
}

/// A newer snapshot that lacks something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PendingReport {
    /// Its number.
    pub snapshot: u64,
    /// What it lacks.
    #[serde(flatten)]
    pub missing: MissingObjects,
}

/// A payload of which parts are here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PartsReport {
    /// Which.
    pub payload: Sha256,
    /// Bytes of it that are here.
    pub here: u64,
    /// Bytes of the whole.
    pub size: u64,
}

impl ImportReport {
    /// Whether nothing is missing (otherwise exit code 4).
    pub fn is_complete(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether nothing was new: no object, no snapshot, no decision.
    pub fn is_unchanged(&self) -> bool {
        self.new_objects == 0 && self.switched.is_none() && self.policy.is_empty()
    }
}
