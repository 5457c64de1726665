//! How a mirror is sealed, and what came of it.

use bundle_format::digest::Sha256;
use serde::Serialize;

use crate::catalog::Contradiction;

/// How to seal.
#[derive(Debug, Clone)]
pub struct SealOptions {
    /// Opens the key files.
    pub passphrase: Option<String>,
    /// A site to add to those that may import.
    pub add_site: Option<String>,
    /// Signatures are good for so many days. Drives travel for weeks, isolated clocks are wrong.
    pub days: i64,
    /// Seal also if the last snapshot, or the keys, are dated later than this one: their date is wrong.
    pub clock_is_right: bool,
    /// Seal also if the fleet is older than at the last seal: there is no newer one.
    pub older_fleet: bool,
    /// Unpacked bytes after which another segment is begun.
    pub segment_bytes: u64,
    /// Segments of one kind above which the newest are merged.
    pub most_segments: usize,
}

impl Default for SealOptions {
    fn default() -> Self {
        Self {
            passphrase: None,
            add_site: None,
            days: 730,
            clock_is_right: false,
            older_fleet: false,
            segment_bytes: 512 * 1024 * 1024,
            most_segments: 64,
        }
    }
}

/// Why a new snapshot is sealed. It serializes as a phrase for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum SealReason {
    /// Revisions, withdrawals, payloads, keys or driver sets differ.
    #[serde(rename = "the catalogue or its payloads changed")]
    CatalogueChanged,
    /// Another site may import.
    #[serde(rename = "a site was added")]
    SiteAdded,
    /// The policy differs.
    #[serde(rename = "approvals, declines or groups changed")]
    PolicyChanged,
    /// It is the first one.
    #[serde(rename = "there was no snapshot yet")]
    FirstSnapshot,
    /// The last one was signed under other roots.
    #[serde(rename = "the root changed")]
    RootChanged,
    /// The signatures of the last one end in less than 90 days.
    #[serde(rename = "the signatures expire soon")]
    ExpiresSoon,
}

/// What sealing did.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SealOutcome {
    /// The newest snapshot now.
    pub snapshot: u64,
    /// Whether it is new; false when nothing had changed.
    pub new: bool,
    /// Why it is new.
    #[serde(rename = "because")]
    pub reasons: Vec<SealReason>,
    /// SHA-256 of the compressed index.
    pub index: Sha256,
    /// New revision records.
    pub revisions: u64,
    /// New withdrawals.
    pub withdrawals: u64,
    /// New or changed payload records.
    pub payloads: u64,
    /// New or changed keys of encrypted files.
    pub keys: u64,
    /// New, changed or removed driver sets.
    pub driver_sets: u64,
    /// New segments, compacted ones included.
    pub new_segments: u64,
    /// All segments.
    pub segments: u64,
    /// Sites that may import.
    pub sites: Vec<String>,
    /// Timestamp signatures there are, and how many are needed.
    pub signatures: (u64, u64),
    /// Revisions that the snapshot does not have, because their documents contradict payloads.
    pub left_out: Vec<Contradiction>,
}

impl SealOutcome {
    /// Whether the snapshot has all that the mirror offers.
    pub fn is_complete(&self) -> bool {
        self.left_out.is_empty()
    }
}
