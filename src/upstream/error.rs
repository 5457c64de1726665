//! What may go wrong with a source.

use std::path::PathBuf;

use super::wsus::error::UpstreamError;
use crate::{catalog::CatalogError, content::ContentError, file_error::FileError};

/// Why a text names no source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It is an address on the network, but of no use.
    #[error(transparent)]
    Address(#[from] UpstreamError),
    /// There is nothing.
    #[error("there is no file or folder {path}")]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is nothing, but it may be the name of a server.
    #[error(
        "there is no file or folder {path}; the address of a server begins with https:// or http://: {address}"
    )]
    NoScheme {
        /// Where it was looked for.
        path: PathBuf,
        /// What may be meant.
        address: String,
    },
    /// It is a file of a kind that is known, but not read.
    #[error("{path} {what}")]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// What it is, and what to give instead.
        what: &'static str,
    },
    /// It is a file of another kind.
    #[error(
        "{path} is neither a wsusutil package (.cab) nor a folder; put single files into a folder"
    )]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be looked at.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why a synchronization failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The source could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A package is incomplete or was changed.
    #[error(
        "the package {path} is damaged or incomplete: {what}. Nothing was taken from it; copy it again, or export it again"
    )]
    Damaged {
        /// The package.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The upstream server could not be synchronized from.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The store of payloads failed.
    #[error(transparent)]
    Content(#[from] ContentError),
}
