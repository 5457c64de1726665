//! The file of needs.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{NEEDS_BYTES, NeedsError, NeedsRequest, ObjectPrefix, code};
use crate::{
    digest::Sha256,
    index::{MAX_SNAPSHOT, SegmentKind, is_site},
};

/// The version of the file that this code writes and reads.
const VERSION: u32 = 1;

/// What a site lacks, by name for people and by digest for the connected side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Needs {
    /// 1.
    pub format_version: u32,
    /// The mirror that the site follows.
    pub mirror_id: Uuid,
    /// The site.
    pub site: String,
    /// The snapshot that lacks the objects, or the one in force; 0 before the first one.
    pub snapshot: u64,
    /// Parts of the catalogue.
    pub segments: Vec<MissingSegment>,
    /// Files of updates.
    pub payloads: Vec<MissingPayload>,
}

/// A segment that is not at the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MissingSegment {
    /// Its name.
    pub sha256: Sha256,
    /// What it holds.
    pub kind: SegmentKind,
    /// In bytes.
    pub size: u64,
}

/// A payload that is not at the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MissingPayload {
    /// Its name.
    pub sha256: Sha256,
    /// In bytes.
    pub size: u64,
    /// What updates call it; absent when their part of the catalogue is not at the site either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The titles of the updates that need it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub updates: Vec<String>,
}

impl Needs {
    /// Needs of a site that lacks nothing yet.
    pub fn new(mirror_id: Uuid, site: String, snapshot: u64) -> Self {
        let (segments, payloads) = (Vec::new(), Vec::new());
        Self { format_version: VERSION, mirror_id, site, snapshot, segments, payloads }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`NeedsError`] when version, limits or shape are not ours.
    pub fn from_json(bytes: &[u8]) -> Result<Self, NeedsError> {
        let malformed = |what: &str| NeedsError::Malformed { what: what.to_owned() };
        if bytes.len() as u64 > NEEDS_BYTES {
            return Err(malformed("it is larger than needs can be"));
        }
        let broken = |e: serde_json::Error| match e.classify() {
            serde_json::error::Category::Eof => malformed("it ends in the middle"),
            _ => NeedsError::Malformed { what: format!("line {} was changed", e.line()) },
        };
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(broken)?;
        let version = value.get("format-version").and_then(serde_json::Value::as_u64);
        let version = version.ok_or_else(|| malformed("it has no format version"))?;
        if version != u64::from(VERSION) {
            return Err(NeedsError::Version { version, known: VERSION });
        }
        let needs: Self = serde_json::from_slice(bytes).map_err(broken)?;
        if !is_site(&needs.site) {
            return Err(malformed("the name of its site cannot be one"));
        }
        if needs.snapshot > MAX_SNAPSHOT {
            return Err(malformed("the number of its snapshot is out of range"));
        }
        Ok(needs)
    }

    /// The file: JSON, indented by two spaces.
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// The rows of the short form.
    pub fn to_code(&self) -> Vec<String> {
        code::write(self)
    }

    /// Bytes of all that is missing.
    pub fn bytes(&self) -> u64 {
        let segments = self.segments.iter().map(|segment| segment.size);
        segments
            .chain(self.payloads.iter().map(|payload| payload.size))
            .fold(0, u64::saturating_add)
    }

    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.payloads.is_empty()
    }

    pub(super) fn request(&self) -> NeedsRequest {
        let mut mirror = [0; 4];
        mirror.iter_mut().zip(self.mirror_id.as_bytes()).for_each(|(to, from)| *to = *from);
        NeedsRequest {
            site: self.site.clone(),
            mirror,
            snapshot: self.snapshot,
            segments: self.segments.iter().map(|s| ObjectPrefix::whole(s.sha256)).collect(),
            payloads: self.payloads.iter().map(|p| ObjectPrefix::whole(p.sha256)).collect(),
        }
    }
}
