//! What a vector is: SPEC.md, "Test vectors".

#![allow(unreachable_pub, reason = "a module of a test binary")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One vector.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Vector {
    /// One sentence.
    pub about: String,
    /// A volume in this folder, compressed with zstd.
    pub volume: String,
    /// Edits of the unpacked volume, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// The pinned root.
    pub root: String,
    /// Volumes that were accepted before, in order; as `volume`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Volumes that were seen after those, and are not whole: only their roots count. As `volume`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
    pub site: String,
    pub clock: Timestamp,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refuse_expired: bool,
    pub expect: Expected,
}

/// A change of bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edit {
    /// Writes bytes over those at a position.
    Replace { at: usize, hex: String },
    /// Puts bytes in before a position.
    Insert { at: usize, hex: String },
    /// Takes out the bytes from one position up to another.
    Remove { from: usize, to: usize },
    /// Copies the bytes from one position up to another, and puts them in before a third.
    Copy { from: usize, to: usize, at: usize },
    /// Cuts everything off from a position on.
    Cut { at: usize },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// With this freshness and this many warnings.
    Accepted { freshness: String, warnings: usize },
    /// By which layer. `says` is part of our message and binds nobody else.
    Refused { by: String, says: String },
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

pub fn volume(name: &str) -> Vec<u8> {
    let packed = fs::read(folder().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    zstd::decode_all(&packed[..]).unwrap()
}

pub fn edited(mut bytes: Vec<u8>, edits: &[Edit]) -> Vec<u8> {
    for edit in edits {
        match edit {
            Edit::Replace { at, hex } => {
                let new = hex::decode(hex).unwrap();
                assert_ne!(bytes[*at..at + new.len()], new, "an edit must change something");
                bytes[*at..at + new.len()].copy_from_slice(&new);
            }
            Edit::Insert { at, hex } => drop(bytes.splice(at..at, hex::decode(hex).unwrap())),
            Edit::Remove { from, to } => drop(bytes.drain(from..to)),
            Edit::Copy { from, to, at } => {
                let copy = bytes[*from..*to].to_vec();
                bytes.splice(at..at, copy);
            }
            Edit::Cut { at } => bytes.truncate(*at),
        }
    }
    bytes
}
