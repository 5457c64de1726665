//! Check every byte of a bundle.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use super::{Result, context::Context, error::OpsError, progress::TransferPhases};
pub use crate::transfer::{LackingObjects, RefusedVolume, VerifiedVolume, VerifyReport, VolumeSet};
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

impl VerifyRequest {
    /// Acts with what to check against.
    pub(super) fn with_trust<T>(
        &self,
        context: &Context<'_>,
        act: impl FnOnce(VerifyAgainst<'_>, &VerifyOptions) -> std::result::Result<T, TransferError>,
    ) -> Result<T> {
        let options = self.options(context);
        Ok(match &self.root {
            Some(root) => act(VerifyAgainst::Root(root), &options)?,
            None => act(VerifyAgainst::Data(&context.data_dir()?), &options)?,
        })
    }

    fn options(&self, context: &Context<'_>) -> VerifyOptions {
        VerifyOptions {
            refuse_expired: self.refuse_expired,
            documents: context.limits(),
            ..VerifyOptions::new(context.now())
        }
    }

    /// Says what a person should know of the volumes, each once.
    pub(super) fn warn(&self, context: &Context<'_>, report: &VerifyReport) {
        let warnings = report.volumes.iter().flat_map(|volume| &volume.warnings);
        for warning in warnings.collect::<BTreeSet<_>>() {
            context.observer().warn(warning);
        }
    }
}

/// Checks every byte of a bundle. Needs only the trusted root, changes nothing. Volumes that are refused
/// beside good ones are in the report; see [`refusal`].
///
/// # Errors
/// When nothing is trusted, or the only volume cannot be read or is refused.
pub fn verify(context: &Context<'_>, request: &VerifyRequest) -> Result<VerifyReport> {
    let phases = TransferPhases::new(context.observer());
    let mut transcript = Transcript::new(context.now(), request.refuse_expired);
    let report = request.with_trust(context, |against, options| match request.transcript {
        None => transfer::verify(&request.bundles, against, options, &phases),
        Some(_) => {
            let (bundles, made) = (&request.bundles, &mut transcript);
            transfer::verify_with_transcript(bundles, against, options, &phases, made)
        }
    });
    let written = request.transcript.as_ref().map_or(Ok(()), |out| write(&transcript, out));
    // Why the bundle is refused matters more than why that could not be written.
    let report = report.and_then(|report| written.map(|()| report))?;
    drop(phases);
    request.warn(context, &report);
    Ok(report)
}

/// The error by which volumes of a report were refused or could not be read, if some were.
pub fn refusal(report: &VerifyReport) -> Option<OpsError> {
    report.refusal().map(OpsError::from)
}

fn write(transcript: &Transcript, out: &Path) -> Result<()> {
    let json = serde_json::to_vec_pretty(transcript).map_err(io::Error::from);
    let written = json.and_then(|json| durable::write_in_place(out, &json));
    Ok(written.doing("write the transcript to", out).map_err(TransferError::from)?)
}
