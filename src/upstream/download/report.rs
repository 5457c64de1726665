//! Options, progress and report of a download.

use std::time::Duration;

use serde::Serialize;

use super::{
    download_forecast::DownloadForecast, locations::ContentBase, outcome::RejectedContent,
    selection::FileSelection, window::Window,
};
use crate::upstream::{client::ConnectionOptions, report::Problem};

/// How to download.
#[derive(Debug, Clone)]
pub struct DownloadOptions {
    /// Which files.
    pub which: FileSelection,
    /// Further places, tried first.
    pub locations: Vec<ContentBase>,
    /// Files at a time.
    pub parallel: usize,
    /// Bytes per second, over all connections.
    pub rate: Option<u64>,
    /// When it is allowed.
    pub window: Option<Window>,
    /// Outside the window, end instead of waiting.
    pub once: bool,
    /// Leave files whose documents name no SHA-256.
    pub require_sha256: bool,
    /// Bytes that stay free on the file system.
    pub reserve: u64,
    /// A connection that stalls for so long is given up.
    pub idle_limit: Duration,
    /// How often each place is tried without getting on.
    pub attempts: u32,
    /// Before the second attempt; doubles each time.
    pub first_pause: Duration,
    /// Roots and proxy.
    pub connection: ConnectionOptions,
}

impl DownloadOptions {
    /// The defaults.
    pub fn new(which: FileSelection) -> Self {
        Self {
            which,
            locations: Vec::new(),
            parallel: 4,
            rate: None,
            window: None,
            once: false,
            require_sha256: false,
            reserve: 1 << 30,
            idle_limit: Duration::from_secs(60),
            attempts: 5,
            first_pause: Duration::from_secs(1),
            connection: ConnectionOptions::default(),
        }
    }
}

/// What a download is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownloadProgress<'a> {
    /// This is going to be done.
    Planned(&'a DownloadForecast),
    /// So much is done.
    Bytes {
        /// That have come.
        done: u64,
        /// That have to come, as far as is known now.
        total: u64,
        /// Files that are here now.
        files: u64,
    },
    /// The time window is closed for so long.
    Waiting(Duration),
}

/// Why a download ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// The user has interrupted it.
    Interrupted,
    /// The time window is closed.
    WindowClosed,
}

/// What a download did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DownloadReport {
    /// What was to be done.
    pub forecast: DownloadForecast,
    /// Files that are here now and were not before.
    pub fetched: u64,
    /// Their bytes.
    pub fetched_bytes: u64,
    /// Bytes that have come, those that were thrown away included.
    pub received_bytes: u64,
    /// Of the files, those whose documents name no SHA-256: only size and SHA-1 were compared.
    pub sha1_only: u64,
    /// Files that are not here, although they were to be.
    pub missing: u64,
    /// Files that upstream servers named and do not have; the servers were asked to fetch them.
    pub asked_upstream: u64,
    /// What was thrown away because it was not what the documents promise.
    pub rejected: Vec<RejectedContent>,
    /// What could not be had.
    pub problems: Vec<Problem>,
    /// What deserves attention.
    pub warnings: Vec<Problem>,
    /// Problems, warnings and rejections that are counted only.
    pub not_told: u64,
    /// Why it ended before its end.
    pub stopped: Option<StopReason>,
}

impl DownloadReport {
    /// Whether all that was to be done is done.
    pub fn is_complete(&self) -> bool {
        self.missing == 0 && self.problems.is_empty() && self.stopped.is_none()
    }
}
