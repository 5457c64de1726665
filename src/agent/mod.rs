//! A protocol-true stand-in for a Windows Update Agent.
//!
//! [`Probe`] speaks as a Windows 11 agent does: handshake, rounds of SyncUpdates, extended metadata,
//! payload in shuffled ranges over several connections, events ([MS-WUSP]). On the way it judges
//! every answer and lists what a real agent would stumble over. It evaluates applicability rules
//! against a simulated machine, a [`Profile`], installs nothing, and remembers between runs what a
//! real agent remembers.
//!
//! It is written apart from the server on purpose: it has its own writer of requests, its own reader
//! of answers and its own applicability, so that both can be wrong only independently. Of the rest of
//! the program it uses the decompression of answers alone.
//!
//! | file | what |
//! |---|---|
//! | `client_version`, `operation`, `requests/` | what an agent says |
//! | `http` | how it says it; answers within limits |
//! | `tree`, `schema`, `judge`, `answers/`, `action`, `fragments` | reading and judging what comes back |
//! | `rulebook`, `severity`, `findings` | the rules, and what broke them |
//! | `profile`, `rules/`, `applicability` | the machine, and what applies to it |
//! | `session`, `handshake`, `scan`, `offers`, `content`, `delivery` | a run, from handshake to report |
//! | `calls`, `fault` | calls, and how an agent recovers from faults |
//! | `state` | what is remembered |

mod action;
mod answers;
mod applicability;
mod calls;
mod client_version;
mod content;
mod delivery;
mod error;
mod fault;
mod findings;
mod fragments;
mod handshake;
mod http;
mod judge;
mod offers;
mod operation;
mod options;
mod profile;
mod report;
mod requests;
mod rulebook;
mod rules;
mod scan;
mod schema;
mod session;
mod severity;
mod state;
mod tree;

pub use error::ProbeError;
pub use findings::Finding;
pub use options::{ProbeLimits, ProbeOptions};
pub use profile::{Device, Driver, OsVersion, Profile, RegistryValue, SimulatedFile};
pub use report::{OfferedUpdate, ProbeEvent, ProbeReport, Timings};
pub use severity::Severity;
pub use tree::XmlError;

use session::Session;

/// A stand-in for one agent.
#[derive(Debug)]
pub struct Probe {
    session: Session,
}

impl Probe {
    /// A stand-in that will ask the server at `url`, such as `http://host:8530`. Reads the state file
    /// if there is one.
    ///
    /// # Errors
    ///
    /// The address is none, no HTTP client can be made, or the state file cannot be read.
    pub fn new(url: &str, options: ProbeOptions) -> Result<Self, ProbeError> {
        Ok(Self { session: Session::new(url, options)? })
    }

    /// Makes one scan, and whatever the options ask for after it. What is remembered is kept in this
    /// value and in the state file, so that a second run is an agent's second scan.
    ///
    /// # Errors
    ///
    /// The server cannot be reached, or answers so that no agent could go on. What was found until
    /// then is in [`Self::report`].
    pub async fn run(
        &mut self,
        progress: &mut (dyn FnMut(ProbeEvent) + Send),
    ) -> Result<ProbeReport, ProbeError> {
        let outcome = self.session.run(progress).await;
        let saved = self.session.save();
        outcome.and(saved)?;
        Ok(self.report())
    }

    /// What is known by now; after a failed run, up to the failure.
    #[must_use]
    pub fn report(&self) -> ProbeReport {
        self.session.report()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many stand-ins run on one runtime for load.
    #[test]
    fn a_run_can_be_spawned() {
        fn is_send<T: Send>(_: T) {}
        let mut probe = Probe::new("http://127.0.0.1:9", ProbeOptions::default()).unwrap();
        is_send(probe.run(&mut |_| {}));
    }

    #[test]
    fn an_address_is_asked_for() {
        for url in ["", "host", "ftp://host", "http://"] {
            let error = Probe::new(url, ProbeOptions::default()).unwrap_err();
            assert!(matches!(error, ProbeError::Address { .. }), "{url}: {error}");
        }
    }
}
