//! What a probe shall do.

use std::{path::PathBuf, time::Duration};

use uuid::Uuid;

use super::profile::Profile;

/// How to probe. The default is a harmless scan: nothing is downloaded, nothing counts as
/// installed, but the server learns of the computer and its state.
#[derive(Debug, Clone)]
pub struct ProbeOptions {
    /// `SusClientId` of the computer. By default the one of the state file, else a new one.
    pub computer_id: Option<Uuid>,
    /// Name of the computer.
    pub computer_name: String,
    /// Target group that the computer asks for (client-side targeting).
    pub target_group: Option<String>,
    /// Where to remember cookie, cache and installations, so that the next probe goes on as a real
    /// agent does.
    pub state_file: Option<PathBuf>,
    /// Download the files of what is offered, and check them.
    pub download: bool,
    /// Where downloaded files are kept; by default they are deleted when checked.
    pub keep: Option<PathBuf>,
    /// Pretend to install what was downloaded.
    pub install: bool,
    /// Report events.
    pub report: bool,
    /// Make the driver pass.
    pub drivers: bool,
    /// Scan only for updates of these categories.
    pub categories: Vec<Uuid>,
    /// The machine to be.
    pub profile: Profile,
    /// Evaluate no rules: every non-leaf counts as installed and every leaf as applicable. For load,
    /// and to see all that a server has.
    pub assume_all: bool,
    /// Connections for content. Agents use up to 7.
    pub connections: usize,
    /// Seed of the order in which pieces of files are asked for; random when absent.
    pub seed: Option<u64>,
    /// A PEM file of the only roots that are trusted; else those of the system.
    pub roots: Option<PathBuf>,
    /// What to bear from the server.
    pub limits: ProbeLimits,
}

/// What the stand-in bears from a server that it does not trust.
#[derive(Debug, Clone)]
pub struct ProbeLimits {
    /// Bytes of an answer, after decompression.
    pub answer: usize,
    /// Elements of an answer.
    pub elements: usize,
    /// Bytes of one file of content.
    pub file: u64,
    /// Revisions that are remembered.
    pub revisions: usize,
    /// SyncUpdates calls in one scan; agents stop after 200.
    pub trips: u32,
    /// For a connection to come about.
    pub connect: Duration,
    /// For the next byte to arrive.
    pub read: Duration,
    /// For one SOAP call as a whole.
    pub call: Duration,
}

impl Default for ProbeLimits {
    fn default() -> Self {
        Self {
            answer: 256 << 20,
            elements: 2_000_000,
            file: 64 << 30,
            revisions: 1_000_000,
            trips: 200,
            connect: Duration::from_secs(10),
            read: Duration::from_secs(60),
            call: Duration::from_secs(600),
        }
    }
}

impl Default for ProbeOptions {
    fn default() -> Self {
        Self {
            computer_id: None,
            computer_name: "tidegate-probe".into(),
            target_group: None,
            state_file: None,
            download: false,
            keep: None,
            install: false,
            report: true,
            drivers: true,
            categories: Vec::new(),
            profile: Profile::default(),
            assume_all: false,
            connections: 7,
            seed: None,
            roots: None,
            limits: ProbeLimits::default(),
        }
    }
}
