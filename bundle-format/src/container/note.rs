//! `VOLUME.json` and the names of objects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{VolumeError, layout::MEMBER_MAX};
use crate::{
    digest::{CHUNK_SIZE, Sha256},
    index::{Index, check_version, is_site},
    limits::BundleLimits,
    trust::DAMAGED,
};

/// `VOLUME.json`: a help for people, unsigned, never trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VolumeNote {
    /// See [`crate::index::FORMAT_VERSION`].
    pub format_version: u32,
    /// Same for all volumes of one export. Derived from what the volumes hold, so that the same
    /// snapshot and options give the same volumes.
    pub set: Uuid,
    /// This volume's number, from 1.
    pub volume: u32,
    /// How many there are.
    pub of: u32,
    /// The site that this export was made for.
    pub site: String,
    /// The snapshot's number.
    pub snapshot: u64,
    /// The objects on this volume, in order.
    pub objects: Vec<ObjectEntry>,
}

/// An object, or a part of one, as a member of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectEntry {
    /// The object's name.
    pub sha256: Sha256,
    /// Where in the object this part begins; `None` for a whole object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// Bytes in this member.
    pub size: u64,
}

/// The largest part that ends at a chunk border, and so the largest piece of an object that is too
/// large for one member.
pub const PART_MAX: u64 = MEMBER_MAX / CHUNK_SIZE * CHUNK_SIZE;

impl VolumeNote {
    /// Whether this note, which nobody signed, says what the signed index says.
    ///
    /// # Errors
    /// [`VolumeError::Refused`] when it is the note of another snapshot or site.
    pub fn check_against(&self, index: &Index) -> Result<(), VolumeError> {
        if self.snapshot == index.snapshot && index.sites.contains(&self.site) {
            return Ok(());
        }
        Err(VolumeError::Refused {
            at: 0,
            what: format!(
                "VOLUME.json speaks of snapshot {} for {:?}, the signed index of {} for {:?}: {}",
                self.snapshot,
                self.site,
                index.snapshot,
                index.sites.join(", "),
                DAMAGED
            ),
        })
    }

    /// Its bytes on the volume.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let mut bytes =
            serde_json::to_vec_pretty(self).map_err(|e| format!("it cannot be written ({e})"))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Parses it; it must be as we would have written it. The error is a plain clause.
    pub(super) fn from_bytes(bytes: &[u8], limits: &BundleLimits) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Preamble {
            format_version: u32,
        }
        // The version first and alone: in a newer format the rest may look otherwise.
        let version: Preamble = serde_json::from_slice(bytes).map_err(unreadable)?;
        check_version("volume", version.format_version).map_err(|e| e.to_string())?;
        let note: Self = serde_json::from_slice(bytes).map_err(unreadable)?;
        note.check(limits)?;
        if note.to_bytes()? != bytes {
            return Err("it is not in the one form that a volume may hold".to_owned());
        }
        Ok(note)
    }

    /// The rules that hold for writing and reading alike.
    pub(super) fn check(&self, limits: &BundleLimits) -> Result<(), String> {
        if !(1..=self.of).contains(&self.volume) {
            return Err(format!("it is number {} of {}", self.volume, self.of));
        }
        if !is_site(&self.site) {
            return Err(format!("{:?} cannot be the id of a site", self.site));
        }
        // Where each object's parts must go on; `None` after a whole object.
        let mut ends: BTreeMap<Sha256, Option<u64>> = BTreeMap::new();
        for object in &self.objects {
            let name = object.name();
            let end = object.offset.unwrap_or(0).saturating_add(object.size);
            if object.size > MEMBER_MAX || end > limits.payload_bytes {
                return Err(format!("{name} has {} bytes, over the limit", object.size));
            }
            let before = ends.insert(object.sha256, object.offset.map(|_| end));
            match (object.offset, before) {
                (None, None) => {}
                (None, Some(_)) | (Some(_), Some(None)) => {
                    return Err(format!("it lists the object {} twice", object.sha256));
                }
                (Some(offset), _) if !offset.is_multiple_of(CHUNK_SIZE) || object.size == 0 => {
                    return Err(format!("{name} is no part that begins at a chunk border"));
                }
                (Some(offset), Some(Some(end))) if offset < end => {
                    return Err(format!("{name} overlaps the part before it"));
                }
                (Some(_), _) => {}
            }
        }
        Ok(())
    }
}

/// Where it cannot be read; what the library says is for nobody.
fn unreadable(error: serde_json::Error) -> String {
    format!("it cannot be read (line {}, column {}): {DAMAGED}", error.line(), error.column())
}

impl ObjectEntry {
    /// Its name on the volume: `objects/<sha256>` or `objects/<sha256>.<offset>`.
    pub fn name(&self) -> String {
        match self.offset {
            None => format!("objects/{}", self.sha256),
            Some(offset) => format!("objects/{}.{offset}", self.sha256),
        }
    }
}
