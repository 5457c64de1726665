//! Check every byte of a bundle.

use std::{collections::BTreeSet, path::PathBuf};

use super::{Result, context::Context, error::OpsError, progress::TransferPhases};
use crate::transfer::{self, TransferError, VerifyAgainst, VerifyOptions};
pub use crate::transfer::{LackingObjects, RefusedVolume, VerifiedVolume, VerifyReport, VolumeSet};

/// What to check, and against what.
#[derive(Debug, Clone)]
pub struct VerifyRequest {
    /// Volumes, or folders of them.
    pub bundles: Vec<PathBuf>,
    /// The root file to check against; if not given, what the data folder trusts.
    pub root: Option<PathBuf>,
    /// Refuse expired signatures instead of warning.
    pub refuse_expired: bool,
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
    let report = request.with_trust(context, |against, options| {
        transfer::verify(&request.bundles, against, options, &phases)
    })?;
    drop(phases);
    request.warn(context, &report);
    Ok(report)
}

/// The error by which volumes of a report were refused or could not be read, if some were.
pub fn refusal(report: &VerifyReport) -> Option<OpsError> {
    report.refusal().map(OpsError::from)
}
