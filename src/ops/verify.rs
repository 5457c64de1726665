//! Check every byte of a bundle.

use std::{
    io,
    path::{Path, PathBuf},
};

use bundle_format::limits::BundleLimits;

use super::{Result, context::Context, error::OpsError, progress::TransferPhases};
pub use crate::transfer::{VerifiedVolume, VerifyReport};
use crate::{
    durable,
    file_error::Doing as _,
    transfer::{self, Transcript, TransferError, VerifyAgainst, VerifyOptions},
};

/// What to check, and against what.
#[derive(Debug, Clone)]
pub struct VerifyRequest {
    /// Volumes, or folders of them.
    pub bundles: Vec<PathBuf>,
    /// The root file to check against; if not given, what the data folder trusts.
    pub root: Option<PathBuf>,
    /// Refuse expired signatures instead of warning.
    pub refuse_expired: bool,
    /// Write every check that was made to this file, also of a volume that is refused.
    pub transcript: Option<PathBuf>,
}

/// Checks every byte of a bundle. Needs only the trusted root, changes nothing.
///
/// # Errors
/// When a volume cannot be read or is refused, or nothing is trusted.
pub fn verify(context: &Context<'_>, request: &VerifyRequest) -> Result<VerifyReport> {
    let options = VerifyOptions {
        now: context.now(),
        refuse_expired: request.refuse_expired,
        limits: BundleLimits::default(),
    };
    let data;
    let against = match &request.root {
        Some(root) => VerifyAgainst::Root(root),
        None => {
            data = context.data_dir()?;
            VerifyAgainst::Data(&data)
        }
    };
    let phases = TransferPhases::new(context.observer());
    let report = match &request.transcript {
        None => {
            transfer::verify(&request.bundles, against, &options, &phases).map_err(OpsError::from)
        }
        Some(out) => {
            let mut transcript = Transcript::new(options.now, options.refuse_expired);
            let (bundles, made) = (&request.bundles, &mut transcript);
            let report =
                transfer::verify_with_transcript(bundles, against, &options, &phases, made);
            // Why the bundle is refused matters more than why that could not be written.
            let written = write(&transcript, out);
            report.map_err(OpsError::from).and_then(|report| written.map(|()| report))
        }
    }?;
    drop(phases);
    for warning in report.volumes.iter().flat_map(|volume| &volume.warnings) {
        context.observer().warn(warning);
    }
    Ok(report)
}

fn write(transcript: &Transcript, out: &Path) -> Result<()> {
    let json = serde_json::to_vec_pretty(transcript).map_err(io::Error::from);
    let written = json.and_then(|json| durable::write_in_place(out, &json));
    Ok(written.doing("write the transcript to", out).map_err(TransferError::from)?)
}
