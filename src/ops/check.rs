//! Hash everything again and compare with the catalogue.

use super::{Result, context::Context, progress::TransferPhases};
pub use crate::transfer::CheckReport;
use crate::{error_chain::chain, journal::Journal, transfer};

/// Hashes everything again and compares. `put_aside`: damaged files are moved away, so that they
/// count as missing and can be brought again.
///
/// # Errors
/// When another run is at work, or a store fails. What is wrong with files is in the report.
pub fn check(context: &Context<'_>, put_aside: bool) -> Result<CheckReport> {
    let data = context.data_dir()?;
    let phases = TransferPhases::new(context.observer());
    let mut report = transfer::check(&data, context.now(), put_aside, &phases)?;
    if let Err(error) = Journal::new(data.journal()).verify() {
        report.problems.push(chain(&error));
    }
    Ok(report)
}
