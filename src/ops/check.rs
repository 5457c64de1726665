//! Hash everything again and compare with the catalogue.

use jiff::SignedDuration;
use serde::Serialize;

use super::{
    Result,
    age::{SnapshotAge, snapshot_age},
    context::Context,
    progress::TransferPhases,
};
pub use crate::transfer::CheckReport;
use crate::{catalog::Catalog, error_chain::chain, journal::Journal, transfer};

/// What was found, and how old the newest snapshot is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckOutcome {
    /// What was found.
    #[serde(flatten)]
    pub report: CheckReport,
    /// The age of the newest snapshot, if there is one.
    pub age: Option<SnapshotAge>,
    /// The newest snapshot is older than it may be.
    pub too_old: bool,
}

impl CheckOutcome {
    /// Whether the newest snapshot is as new as it must be (otherwise exit code 4).
    pub fn is_complete(&self) -> bool {
        !self.too_old
    }
}

/// How to check.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckRequest {
    /// Damaged files are moved away, so that they count as missing and can be brought again.
    pub put_aside: bool,
    /// The newest snapshot must not be older.
    pub max_age: Option<SignedDuration>,
}

/// Hashes everything again and compares.
///
/// # Errors
/// When another run is at work, or a store fails. What is wrong with files is in the report.
pub fn check(context: &Context<'_>, request: CheckRequest) -> Result<CheckOutcome> {
    let data = context.data_dir()?;
    let phases = TransferPhases::new(context.observer());
    let mut report = transfer::check(&data, context.now(), request.put_aside, &phases)?;
    drop(phases);
    if let Err(error) = Journal::new(data.journal()).verify() {
        report.problems.push(chain(&error));
    }
    // Why a catalogue cannot be read is in the report.
    let catalog = data.catalog();
    let catalog = if catalog.exists() { Catalog::open_to_look(&catalog).ok() } else { None };
    let age = catalog.and_then(|catalog| snapshot_age(&data, &catalog, context.now()).ok());
    let age = age.flatten();
    let too_old = age
        .as_ref()
        .zip(request.max_age)
        .is_some_and(|(age, max_age)| context.now().duration_since(age.created) > max_age);
    Ok(CheckOutcome { report, age, too_old })
}
