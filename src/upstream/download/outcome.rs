//! How a request for a file, and the work on a file, may end.

use std::{collections::BTreeSet, time::Duration};

use bundle_format::digest::PayloadDigests;
use serde::Serialize;

use crate::content::{ContentError, Partial};

/// How a request ended.
#[derive(Debug)]
pub(super) enum ReceiveOutcome {
    /// All bytes are here; whether they are the right ones is not known yet.
    Complete,
    /// It may be better the next time.
    Passing {
        why: String,
        /// The server names a time.
        after: Option<Duration>,
        /// The host did not answer.
        unreachable: bool,
    },
    /// It is not there, and will not be.
    Gone {
        why: String,
        /// The server says that it does not have it.
        absent: bool,
    },
    /// It is another file: it has this size.
    OtherSize(String),
    /// What is here does not fit what the location has: start from the beginning, at once.
    Again,
}

impl ReceiveOutcome {
    /// The file will not come from there. `absent`: the server says that it does not have it.
    pub(super) fn gone(why: impl Into<String>, absent: bool) -> Self {
        Self::Gone { why: why.into(), absent }
    }

    /// The file may come the next time.
    pub(super) fn passing(why: impl Into<String>) -> Self {
        Self::Passing { why: why.into(), after: None, unreachable: false }
    }
}

/// Why a file is left as it is for now.
#[derive(Debug)]
pub(super) enum FetchStop {
    /// The window has closed, or the user has interrupted the download.
    Asked,
    /// The disk failed or is full.
    Disk(ContentError),
    /// A thread of this program has ended.
    Lost,
}

impl From<ContentError> for FetchStop {
    fn from(error: ContentError) -> Self {
        Self::Disk(error)
    }
}

/// Something that a location gave and that was thrown away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RejectedContent {
    /// The file's name in its document.
    pub file: String,
    /// How others name it.
    pub sha1: String,
    /// Who gave it.
    pub location: String,
    /// What was wrong: `size`, `SHA-1` or `SHA-256`.
    pub what: &'static str,
    /// What the document says.
    pub expected: String,
    /// What came.
    pub found: String,
}

/// What became of a file.
#[derive(Default)]
pub(super) struct FetchOutcome {
    /// With its digests, if the right bytes are here.
    pub(super) got: Option<(Partial, PayloadDigests)>,
    pub(super) rejected: Vec<RejectedContent>,
    /// Why the others did not give it.
    pub(super) failures: Vec<String>,
    /// Upstream servers that named the file and do not have it.
    pub(super) absent: BTreeSet<usize>,
}
