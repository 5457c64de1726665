//! A finished bundle, divided anew.

use std::path::PathBuf;

use super::{Result, context::Context, progress::TransferPhases};
use crate::transfer;
pub use crate::transfer::RepackReport;

/// What to divide, and how.
#[derive(Debug, Clone)]
pub struct RepackRequest {
    /// All volumes of one bundle, or folders of them.
    pub bundles: Vec<PathBuf>,
    /// Folder for the new volumes.
    pub out: PathBuf,
    /// No volume larger than so many bytes; one volume if it is not given.
    pub volume_size: Option<u64>,
}

/// Packs a finished bundle into volumes of another size. Needs no key and no data folder, and leaves the
/// old volumes as they are.
///
/// # Errors
/// When a volume is damaged, missing or of another bundle, or the disk fails.
pub fn repack(context: &Context<'_>, request: &RepackRequest) -> Result<RepackReport> {
    let RepackRequest { bundles, out, volume_size } = request;
    let phases = TransferPhases::new(context.observer());
    Ok(transfer::repack(bundles, out, *volume_size, context.now(), &phases)?)
}
