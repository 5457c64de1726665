//! What a download will take.

use serde::Serialize;

/// What a download will take. Bytes are of whole files unless said otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DownloadForecast {
    /// Revisions whose files are needed.
    pub revisions: u64,
    /// Different files that they need.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of the files, here already.
    pub here: u64,
    /// Their bytes.
    pub here_bytes: u64,
    /// Of the files, not carried by choice of the mirror: its languages, what was declined.
    pub not_carried: u64,
    /// Express files that are left out: agents can do without them, and no server that this mirror
    /// synchronizes from keeps them. Not counted among the files.
    pub express: u64,
    /// Of the files, to be downloaded.
    pub fetch: u64,
    /// Bytes that have to come.
    pub fetch_bytes: u64,
    /// Bytes of these files that an earlier run has brought; not in `fetch-bytes`.
    pub resumed_bytes: u64,
    /// Of the files to be downloaded, those whose documents name no SHA-256.
    pub sha1_only: u64,
    /// Of the files to be downloaded, those that no known place has.
    pub nowhere: u64,
    /// Bytes of the largest file to be downloaded.
    pub largest: u64,
    /// Bundled revisions that the catalogue does not have; their files are not known.
    pub absent_revisions: u64,
    /// Free bytes on the file system of the content.
    pub free: u64,
    /// Bytes that have to stay free.
    pub reserve: u64,
    /// Whether there is room.
    pub fits: bool,
}
