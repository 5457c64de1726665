//! A finished bundle: divided anew, with parity files, restored with them.

use std::path::{Path, PathBuf};

use super::{Result, context::Context, progress::TransferPhases};
use crate::transfer;
pub use crate::transfer::{DamagedVolume, ParityReport, RepackReport, RepairReport};

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

/// Makes parity files for a finished bundle: each makes good one volume that is lost or damaged. Without
/// `out`, beside the first volume.
///
/// # Errors
/// When a volume is damaged, missing or of another bundle, or the disk fails.
pub fn add_parity(
    context: &Context<'_>,
    bundles: &[PathBuf],
    out: Option<&Path>,
    parity: u32,
) -> Result<ParityReport> {
    let first = bundles.first().map(PathBuf::as_path).unwrap_or(Path::new("."));
    let beside = if first.is_dir() { Some(first) } else { first.parent() };
    let beside = beside.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let phases = TransferPhases::new(context.observer());
    Ok(transfer::add_parity(bundles, out.unwrap_or(beside), parity, &phases)?)
}

/// Restores the volumes of a bundle that are damaged or missing with the help of its parity files. Changes
/// nothing that is there.
///
/// # Errors
/// When there is no parity file, too much is lost, or the disk fails.
pub fn repair(context: &Context<'_>, bundles: &[PathBuf], out: &Path) -> Result<RepairReport> {
    let phases = TransferPhases::new(context.observer());
    let report = transfer::repair(bundles, out, &phases)?;
    drop(phases);
    for warning in &report.warnings {
        context.observer().warn(warning);
    }
    Ok(report)
}
