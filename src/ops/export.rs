//! Pack what a site lacks into a bundle.

use std::path::PathBuf;

use jiff::Timestamp;

use super::{
    Result,
    context::Context,
    error::OpsError,
    progress::TransferPhases,
    seal::{self, with_waiting},
    waiting::WaitingOutcome,
};
pub use crate::transfer::{ExportOptions, ExportReport, LARGEST_ON_FAT};
use crate::{data_dir, transfer};

/// For whom to pack, and how.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// The isolated network.
    pub site: String,
    /// Folder for the volumes.
    pub out: PathBuf,
    /// When a new snapshot shall say to be sealed; now if not given.
    pub created: Option<Timestamp>,
    /// How much, in which portions, and how to seal.
    pub options: ExportOptions,
}

/// Packs what a site lacks into a bundle; seals first if the mirror has changed.
///
/// # Errors
/// When the name of the site is not usable, this is an isolated side, keys do not open, another run
/// is at work, or a store or the disk fails.
pub fn export(
    context: &Context<'_>,
    request: &ExportRequest,
) -> Result<WaitingOutcome<ExportReport>> {
    let data = context.data_dir()?;
    let ExportRequest { site, out, created, options } = request;
    data_dir::check_site(site).map_err(|error| OpsError::usage(error.to_string()))?;
    let created = seal::date(context, *created);
    let phases = TransferPhases::new(context.observer());
    let report = transfer::export(&data, site, out, created, options, &phases)?;
    seal::warn_of_left_out(context, &report.sealed.left_out);
    with_waiting(context, &data, report)
}
