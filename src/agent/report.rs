//! What a probe found out.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use super::{findings::Finding, severity::Severity};

/// The result of a probe.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ProbeReport {
    /// Server that was asked.
    pub server: String,
    /// `SusClientId` of the stand-in.
    pub computer_id: String,
    /// Calls of SyncUpdates, the driver pass included.
    pub rounds: u32,
    /// All SOAP calls.
    pub calls: u64,
    /// Bytes of SOAP answers as they came over the wire.
    pub answer_bytes: u64,
    /// Revisions that arrived in this scan.
    pub updates_received: usize,
    /// Revisions that the agent now knows, from this scan and those before.
    pub updates_seen: usize,
    /// Revisions that the server took back in this scan.
    pub withdrawn: usize,
    /// Applicable, not installed updates, approved or not: what event 156 says.
    pub needed: Vec<Uuid>,
    /// What an agent would install or remove now.
    pub offered: Vec<OfferedUpdate>,
    /// Files fetched, each once.
    pub downloaded_files: usize,
    /// Bytes fetched.
    pub downloaded_bytes: u64,
    /// Every file that was fetched had the size and digests that its update states.
    pub digests_ok: bool,
    /// Updates that the stand-in now counts as installed because of this run.
    pub installed: Vec<Uuid>,
    /// Events that the server took.
    pub reported: usize,
    /// What a real agent would stumble over.
    pub findings: Vec<Finding>,
    /// Applicability rules that could not be evaluated and counted as false, and how often.
    pub unknown_rules: BTreeMap<String, u64>,
    /// How long the parts took, in milliseconds.
    pub timings: Timings,
}

/// An update that an agent would act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct OfferedUpdate {
    /// Update id.
    pub id: Uuid,
    /// Revision number.
    pub revision: i32,
    /// Title, in the language of the machine or in English.
    pub title: String,
    /// Knowledge base article.
    pub kb: Option<String>,
    /// What it was approved for: `Install`, `OptionalInstall` or `Uninstall`.
    pub action: String,
    /// Files that the agent needs for it, those of bundled updates included.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Why it could not be downloaded, if that was tried and failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Timings {
    /// Handshake, software pass and driver pass.
    pub scan: u64,
    /// Extended metadata.
    pub describe: u64,
    /// Content.
    pub download: u64,
    /// Everything.
    pub total: u64,
}

impl ProbeReport {
    /// Findings of a severity.
    pub fn with_severity(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.severity == severity)
    }

    /// A real agent would have got through without trouble.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.with_severity(Severity::Error).next().is_none()
            && self.offered.iter().all(|update| update.failure.is_none())
    }
}

/// What happens while a probe runs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ProbeEvent {
    /// An operation is called.
    Call {
        /// Its name.
        operation: &'static str,
    },
    /// An answer of SyncUpdates has been taken in.
    Round {
        /// Number, from 1.
        number: u32,
        /// Revisions that it brought.
        new: usize,
        /// More of the same remain.
        truncated: bool,
    },
    /// An update is applicable and approved.
    Offered {
        /// Title.
        title: String,
        /// Bytes to fetch.
        bytes: u64,
    },
    /// A piece of a file has arrived.
    Downloading {
        /// File name as in the metadata.
        file: String,
        /// Bytes of the file that are there.
        done: u64,
        /// Bytes of the file.
        size: u64,
    },
    /// A file is complete.
    Downloaded {
        /// File name as in the metadata.
        file: String,
        /// Size and digests are right.
        ok: bool,
    },
    /// The server took events.
    Reported {
        /// Their numbers.
        events: Vec<u16>,
    },
    /// Something is wrong.
    Finding(Finding),
}

/// Who wants to follow a run.
pub(crate) type ProbeProgress<'a> = &'a mut (dyn FnMut(ProbeEvent) + Send);
