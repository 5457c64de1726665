//! Why a download failed as a whole.

use std::io;

use crate::{
    catalog::CatalogError, content::ContentError, file_error::FileError, fleet::FleetError,
    upstream::wsus::error::UpstreamError,
};

/// Why a download failed. What had arrived before is kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// A place that was named is none.
    #[error("payloads cannot be taken from {location}: {why}")]
    Location {
        /// As given.
        location: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The list of wanted files cannot be read.
    #[error(transparent)]
    List(#[from] FileError),
    /// It does not fit.
    #[error(
        "{need} bytes have to come (the largest file has {largest}) and {reserve} have to stay free, but the file system of the content has only {free} free bytes: free space, choose less, or lower --reserve. Nothing was downloaded"
    )]
    NoRoom {
        /// Bytes that have to come.
        need: u64,
        /// Bytes of the largest file.
        largest: u64,
        /// Bytes that have to stay free.
        reserve: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The disk failed or became full. Files that were complete are kept, and so is the beginning of
    /// the others.
    #[error("the download stopped after {fetched} files")]
    Disk {
        /// Files that are here now.
        fetched: u64,
        /// What failed.
        #[source]
        source: ContentError,
    },
    /// Others need the space that is left.
    #[error(
        "only {free} bytes are free on the file system of the content; the download stopped after {fetched} files, so that others can go on. Free space and run it again: it goes on where it was"
    )]
    Low {
        /// Bytes that are free.
        free: u64,
        /// Files that are here now.
        fetched: u64,
    },
    /// A thread ended without a result.
    #[error("a part of the download ended without a result; run it again: it goes on where it was")]
    Lost,
    /// The asynchronous machinery could not be started.
    #[error("cannot start the network machinery")]
    Runtime(#[source] io::Error),
    /// A connection cannot be prepared.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The fleet database failed.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The store of payloads failed.
    #[error(transparent)]
    Content(#[from] ContentError),
}
