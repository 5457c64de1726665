//! Check every byte of a bundle.

use std::path::PathBuf;

use bundle_format::limits::BundleLimits;

use super::{Result, context::Context, progress::TransferPhases};
use crate::transfer::{self, VerifyAgainst, VerifyOptions};
pub use crate::transfer::{VerifiedVolume, VerifyReport};

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
    let report = transfer::verify(&request.bundles, against, &options, &phases)?;
    drop(phases);
    for warning in report.volumes.iter().flat_map(|volume| &volume.warnings) {
        context.observer().warn(warning);
    }
    Ok(report)
}
