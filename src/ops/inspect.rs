//! Look at what is on volumes.

use super::{Result, context::Context, progress::TransferPhases, verify::VerifyRequest};
use crate::transfer;
pub use crate::transfer::{
    InspectReport, InspectedApproval, InspectedFile, InspectedPolicy, InspectedUpdate,
    UpdateSummary,
};

/// Looks at what is on volumes. Needs only the trusted root, writes nothing.
///
/// # Errors
/// As [`verify`](super::verify::verify).
pub fn inspect(context: &Context<'_>, request: &VerifyRequest) -> Result<InspectReport> {
    let phases = TransferPhases::new(context.observer());
    let report = request.with_trust(context, |against, options| {
        transfer::inspect(&request.bundles, against, options, &phases)
    })?;
    drop(phases);
    request.warn(context, &report.verified);
    Ok(report)
}
