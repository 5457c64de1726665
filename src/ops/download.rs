//! Download the files that updates need.

use serde::Serialize;

use super::{
    Result,
    context::Context,
    progress::{Observer, Unit},
    seal::warn_of_left_out,
};
use crate::{
    catalog::Catalog,
    content::ContentStore,
    data_dir::DataDir,
    fleet::Fleet,
    transfer,
    upstream::{self, DownloadForecast, DownloadOptions, DownloadProgress, DownloadReport},
};

/// What an isolated side does instead.
const NO_DOWNLOAD: &str = "its files come in bundles (`tidegate import`)";

/// What a download would take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct DownloadPlan {
    /// How much, and whether it fits.
    pub forecast: DownloadForecast,
    /// Whether a part of what is asked for cannot be had.
    #[serde(skip)]
    pub has_problems: bool,
}

impl DownloadPlan {
    /// Whether a download would bring everything.
    pub fn is_complete(&self) -> bool {
        self.forecast.fits && !self.has_problems
    }
}

/// Looks what a download would take. Downloads nothing.
///
/// # Errors
/// When this is an isolated side, the options contradict what is here, or a store fails.
pub fn plan(context: &Context<'_>, options: &DownloadOptions) -> Result<DownloadPlan> {
    let (data, _) = context.connected_side(NO_DOWNLOAD)?;
    let (catalog, fleet) = context.catalog_and_fleet()?;
    let content = ContentStore::for_reading(&data.content());
    let report = upstream::forecast(&catalog, &fleet, &content, options)?;
    warn_about(context.observer(), &report);
    let has_problems = !report.problems.is_empty();
    Ok(DownloadPlan { forecast: report.forecast, has_problems })
}

/// Downloads what is needed and not here. What could not be had is named; the rest is in.
///
/// # Errors
/// When this is an isolated side, it does not fit, a store fails or the disk becomes full; what had
/// arrived is kept.
pub fn download(context: &Context<'_>, options: &DownloadOptions) -> Result<DownloadReport> {
    let (data, _) = context.connected_side(NO_DOWNLOAD)?;
    let mut catalog = Catalog::open(&data.catalog())?;
    download_into(context, &data, &mut catalog, options)
}

/// The same with a catalogue that is open already.
pub(super) fn download_into(
    context: &Context<'_>,
    data: &DataDir,
    catalog: &mut Catalog,
    options: &DownloadOptions,
) -> Result<DownloadReport> {
    let mut fleet = Fleet::open(&data.fleet())?;
    transfer::restore_needed(catalog, &fleet)?;
    let content = ContentStore::open(&data.content())?;
    content.sweep()?;
    let observer = context.observer();
    let (mut begun, mut waiting) = (false, false);
    let report =
        upstream::download(
            catalog,
            &mut fleet,
            &content,
            options,
            &mut |progress| match progress {
                DownloadProgress::Planned(forecast) => {
                    observer.download_planned(forecast, options.rate);
                }
                DownloadProgress::Bytes { done, total, .. } => {
                    waiting = false;
                    if !std::mem::replace(&mut begun, true) {
                        observer.phase("files", Unit::Bytes, Some(total));
                    }
                    observer.position(done, Some(total));
                }
                DownloadProgress::Waiting(wait) => {
                    if !std::mem::replace(&mut waiting, true) {
                        observer.window_closed(wait);
                    }
                }
            },
        );
    observer.end();
    let report = report?;
    warn_about(observer, &report);
    // What has come may show that a document is wrong.
    let mut writer = catalog.write()?;
    let left_out = writer.leave_out_contradicting()?;
    writer.commit()?;
    warn_of_left_out(context, &left_out);
    Ok(report)
}

/// Tells what went wrong, one by one.
fn warn_about(observer: &dyn Observer, report: &DownloadReport) {
    for rejected in &report.rejected {
        observer.warn(&format!(
            "{} ({}): {} gave something else and it was thrown away: {} {} instead of {}",
            rejected.file,
            rejected.sha1,
            rejected.location,
            rejected.what,
            rejected.found,
            rejected.expected,
        ));
    }
    for problem in report.warnings.iter().chain(&report.problems) {
        observer.warn(&format!("{}: {}", problem.at, problem.what));
    }
    if report.not_told > 0 {
        observer.warn(&format!("and {} more", report.not_told));
    }
}
