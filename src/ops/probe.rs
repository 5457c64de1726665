//! Ask a WSUS as a Windows Update Agent would, and judge its answers.

use serde::Serialize;

use super::{
    Result,
    error::OpsError,
    progress::{Observer, Unit},
    wording::count,
};
use crate::agent::{Probe, ProbeError, ProbeEvent};
pub use crate::agent::{ProbeOptions, ProbeReport};

/// What a probe found, also if it could not go on.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct ProbeOutcome {
    /// What was found.
    pub report: ProbeReport,
    /// Why it could not go on.
    #[serde(skip)]
    pub failure: Option<ProbeError>,
}

/// Asks the server at `url` as an agent would, and judges every answer.
///
/// # Errors
/// When the address is none, or the probe cannot begin.
pub fn probe(url: &str, options: ProbeOptions, observer: &dyn Observer) -> Result<ProbeOutcome> {
    let mut probe = Probe::new(url, options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(OpsError::Runtime)?;
    let mut begun = false;
    let ended = runtime.block_on(probe.run(&mut |event| match event {
        ProbeEvent::Round { number, new, .. } => {
            tracing::info!("round {number} brought {}", count(new as u64, "revision"));
        }
        ProbeEvent::Downloading { done, size, .. } => {
            if !std::mem::replace(&mut begun, true) {
                observer.phase("downloading", Unit::Bytes, Some(size));
            }
            observer.position(done, Some(size));
        }
        _ => {}
    }));
    observer.end();
    Ok(ProbeOutcome { report: probe.report(), failure: ended.err() })
}
