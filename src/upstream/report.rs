//! Options, progress and report of a synchronization.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::wsus::options::UpstreamOptions;
use crate::{
    catalog::{Contradiction, Numbering},
    update::{DocumentLimits, UpdateId, UpdateIdentity},
};

/// How to synchronize.
#[derive(Debug, Clone)]
pub struct SyncOptions {
    /// Bounds on each document.
    pub limits: DocumentLimits,
    /// Who numbers new revisions.
    pub numbering: Numbering,
    /// When new revisions arrive.
    pub now: Timestamp,
    /// What to ask an upstream server for, and how to reach it.
    pub upstream: UpstreamOptions,
}

impl SyncOptions {
    /// The defaults of the connected side.
    pub fn new(now: Timestamp) -> Self {
        Self {
            limits: DocumentLimits::default(),
            numbering: Numbering::Assign,
            now,
            upstream: UpstreamOptions::default(),
        }
    }
}

/// What a synchronization is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncProgress<'a> {
    /// So many documents have been read, of so many if that is known.
    Documents {
        /// Read so far.
        done: u64,
        /// There are, if known.
        total: Option<u64>,
    },
    /// A payload is being taken in.
    Payload {
        /// Its file name.
        name: &'a str,
        /// In bytes.
        size: u64,
    },
    /// So many more bytes of payloads have been read.
    Bytes(u64),
}

/// What a synchronization did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SyncReport {
    /// Anything in the stores is different from before.
    pub changed: bool,
    /// Documents that the source holds and that could be read.
    pub documents: u64,
    /// Revisions that were not in the catalogue.
    pub new_revisions: u64,
    /// Revisions that were there with the same bytes.
    pub known: u64,
    /// Revisions that were there with other bytes, as other servers write them; the first bytes stay.
    pub other_bytes: u64,
    /// Payloads taken in.
    pub payloads_added: u64,
    /// Their bytes.
    pub payload_bytes: u64,
    /// Files of the source that have the size of a payload that is here already; they are not
    /// hashed again.
    pub payloads_known: u64,
    /// Keys of encrypted files taken in.
    pub keys: u64,
    /// Driver sets that are new, changed or gone.
    pub driver_sets: u64,
    /// What prerequisites name and no source has given; what needs it cannot be offered.
    pub unresolved: Vec<Unresolved>,
    /// What is good to know, for people.
    pub notes: Vec<String>,
    /// Revisions that are here, but that no snapshot gets, because their documents contradict payloads.
    pub left_out: Vec<Contradiction>,
    /// What could not be taken in. The rest is in.
    pub problems: Vec<Problem>,
}

impl SyncReport {
    /// Notes something that could not be taken in.
    pub(super) fn problem(&mut self, at: impl ToString, what: impl ToString) {
        self.problems.push(Problem { at: at.to_string(), what: what.to_string() });
    }
}

/// An update that is named by a prerequisite, but not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Unresolved {
    /// The update.
    pub update: UpdateId,
    /// A revision that cannot be offered without it.
    pub needed_by: UpdateIdentity,
}

/// Something that could not be taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Which file or update.
    #[serde(rename = "where")]
    pub at: String,
    /// What is wrong with it.
    pub what: String,
}

/// How a file is named in the report: its path below the folder.
pub(super) fn name_below(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
