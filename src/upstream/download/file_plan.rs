//! A file to be downloaded.

use crate::content::ExpectedPayload;

/// A file to be downloaded, as its documents describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlannedFile {
    pub(super) expected: ExpectedPayload,
    pub(super) name: String,
}
