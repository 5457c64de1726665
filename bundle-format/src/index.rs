//! The snapshot index: what a mirror is, as a list of segments. The TUF target of every bundle.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::digest::Sha256;

/// The format version that this code writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

/// The signed statement of what a mirror is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Index {
    /// See [`FORMAT_VERSION`]; an unknown one is refused.
    pub format_version: u32,
    /// Names of features that a reader must know; an unknown one is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub critical: Vec<String>,
    /// The mirror, the numbering authority of its revision IDs.
    pub mirror_id: Uuid,
    /// Number of the snapshot, which is also the version of its TUF metadata.
    pub snapshot: u64,
    /// When it was sealed; given, so that sealing is reproducible.
    pub created: Timestamp,
    /// Ids of the isolated networks that may import it.
    pub sites: Vec<String>,
    /// In order; a later record wins over an earlier one of the same key.
    pub segments: Vec<SegmentRef>,
}

/// What a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SegmentKind {
    /// Revisions and withdrawals.
    Catalogue,
    /// Payload tables.
    Payloads,
}

/// A segment as the index names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SegmentRef {
    /// What it holds.
    pub kind: SegmentKind,
    /// Of the compressed bytes: the object's name.
    pub sha256: Sha256,
    /// Compressed, in bytes.
    pub size: u64,
    /// Unpacked, in bytes.
    pub unpacked_size: u64,
    /// Number of records.
    pub records: u64,
}
