//! Trust: a standard TUF repository in the head of every volume.

use std::{collections::BTreeMap, num::NonZeroU64};

use bytes::Bytes;
use jiff::Timestamp;

use crate::{digest::Sha256, index::Index, keys::SigningKey, limits::Limits, policy::Policy};

/// The head of a volume: file names as on the volume (`metadata/…`, `targets/…`) and their bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// By name.
    pub files: BTreeMap<String, Bytes>,
}

/// Who may sign what; becomes a root.
pub struct RootSpec<'a> {
    /// Root keys (secret, because they sign) and how many of them a root needs.
    pub root: (&'a [&'a SigningKey], u64),
    /// Signs targets and snapshot.
    pub content: &'a SigningKey,
    /// Sign the timestamp, and how many of them it needs: the countersignature.
    pub timestamp: (&'a [&'a SigningKey], u64),
    /// When the root expires.
    pub expires: Timestamp,
}

/// What is wrong with a head, sorted by whose fault it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The bundle must not be trusted: exit code 3.
    #[error("refused: {what}")]
    Refused {
        /// What is wrong and what to do about it.
        what: String,
        /// What the TUF client said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Our own trust state is damaged: exit code 3, nothing is accepted before it is repaired.
    #[error("the trust state is damaged: {what}")]
    State {
        /// What is wrong and what to do about it.
        what: String,
    },
    /// This machine failed: exit code 1.
    #[error("cannot check the signatures: {what}")]
    Machine {
        /// What failed.
        what: String,
        /// Why.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

/// Makes and signs a root. `version` 1 starts a chain; a later one is signed by the keys of the
/// root before it too, which the caller passes in `also`.
///
/// # Errors
/// When two keys of a role are the same, or a threshold cannot be met.
pub fn make_root(
    spec: &RootSpec<'_>,
    version: NonZeroU64,
    also: &[&SigningKey],
) -> Result<Vec<u8>, TrustError> {
    let _ = (spec, version, also);
    unimplemented!()
}

/// Fingerprint of a root, to compare by voice: of its canonical signed part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(pub Sha256);

impl Fingerprint {
    /// Of a root file.
    ///
    /// # Errors
    /// When it is no root.
    pub fn of_root(root: &[u8]) -> Result<Self, TrustError> {
        let _ = root;
        unimplemented!()
    }

    /// As words.
    pub fn words(&self) -> String {
        unimplemented!()
    }

    /// Whether `text` (words or hexadecimal, in any case and spacing) is this fingerprint.
    pub fn matches(&self, text: &str) -> bool {
        let _ = text;
        unimplemented!()
    }
}

/// What is sealed, and with what.
pub struct Seal<'a> {
    /// All root files from 1.
    pub roots: &'a [Vec<u8>],
    /// The index; its snapshot number is the version of targets, snapshot and timestamp.
    pub index: &'a Index,
    /// The policy and the version of its role (never falls), always present once made.
    pub policy: (&'a Policy, NonZeroU64),
    /// Signs targets and snapshot.
    pub content: &'a SigningKey,
    /// Sign the timestamp; fewer than the threshold leave it to be countersigned.
    pub timestamp: &'a [&'a SigningKey],
    /// Signs the policy role, which targets delegates to it.
    pub policy_key: &'a SigningKey,
    /// When targets, snapshot, timestamp and policy expire.
    pub expires: Timestamp,
}

/// Makes and signs the head of a snapshot. The same input gives the same bytes.
///
/// # Errors
/// When the roots do not parse or a key is not one that they name.
pub fn seal(seal: &Seal<'_>) -> Result<Head, TrustError> {
    let _ = seal;
    unimplemented!()
}

/// What the countersigner sees before signing.
#[derive(Debug, Clone)]
pub struct SealSummary {
    /// The index that the signatures cover.
    pub index: Index,
    /// Valid timestamp signatures now, and how many are needed.
    pub signatures: (u64, u64),
}

/// Checks a head that lacks timestamp signatures, for a countersigner.
///
/// # Errors
/// When anything but the number of timestamp signatures is wrong.
pub fn inspect_for_signing(head: &Head, limits: &Limits) -> Result<SealSummary, TrustError> {
    let _ = (head, limits);
    unimplemented!()
}

/// Adds a signature to the timestamp in its fixed slot.
///
/// # Errors
/// When the key is not one of the role's, or has signed already.
pub fn countersign(head: &mut Head, key: &SigningKey) -> Result<(), TrustError> {
    let _ = (head, key);
    unimplemented!()
}

/// What the isolated side trusts: newest root, rollback counters, mirror. One record with a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustState {
    // private: newest root, the accepted timestamp/snapshot/targets/policy files, the mirror id
}

impl TrustState {
    /// Starts from a root that was compared by its fingerprint.
    ///
    /// # Errors
    /// When it is no valid root.
    pub fn pin(root: &[u8]) -> Result<Self, TrustError> {
        let _ = root;
        unimplemented!()
    }

    /// Reads the record.
    ///
    /// # Errors
    /// [`TrustError::State`] when its digest or shape is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TrustError> {
        let _ = bytes;
        unimplemented!()
    }

    /// The record, with its digest.
    pub fn to_bytes(&self) -> Vec<u8> {
        unimplemented!()
    }

    /// The newest root.
    pub fn root(&self) -> &[u8] {
        unimplemented!()
    }

    /// Number of the newest snapshot accepted, if any.
    pub fn snapshot(&self) -> Option<u64> {
        unimplemented!()
    }
}

/// What a bundle is checked against.
#[derive(Debug, Clone)]
pub struct Expect<'a> {
    /// The site that imports; `None` for a bare `verify`, which then names the sites instead.
    pub site: Option<&'a str>,
    /// The clock.
    pub now: Timestamp,
    /// Refuse expired signatures instead of warning.
    pub refuse_expired: bool,
}

/// How a snapshot stands to the newest accepted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Newer, or the first.
    Newer,
    /// The same.
    Same,
    /// Older: validly signed, but it may only fill gaps and never be switched to.
    Older,
}

/// A head whose signatures hold. Only this yields an index.
#[derive(Debug, Clone)]
pub struct VerifiedHead {
    /// The signed index.
    pub index: Index,
    /// SHA-256 of the compressed index, as targets names it.
    pub index_digest: Sha256,
    /// The signed policy.
    pub policy: Policy,
    /// Against the trust state.
    pub freshness: Freshness,
    /// The state to keep, if and when the snapshot takes effect. Unchanged for `Older`.
    pub next_state: TrustState,
    /// Plain sentences, for example of what has expired.
    pub warnings: Vec<String>,
    /// Key ids that signed, by role, for the record.
    pub signers: Vec<(String, Vec<String>)>,
}

/// Checks a volume's head: signatures from the newest stored root on, rollback, site, mirror,
/// format version. Touches neither `state` nor the disk. Blocks; not for a thread that drives a
/// tokio runtime.
///
/// # Errors
/// [`TrustError::Refused`] for everything that is the bundle's fault.
pub fn check_head(
    state: &TrustState,
    head: &Head,
    expect: &Expect<'_>,
    limits: &Limits,
) -> Result<VerifiedHead, TrustError> {
    let _ = (state, head, expect, limits);
    unimplemented!()
}
