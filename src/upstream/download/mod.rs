//! Downloading payloads: what is needed, from wherever it may be had.
//!
//! | file | what |
//! |---|---|
//! | `selection`, `plan`, `file_plan`, `download_forecast` | which files, and whether they fit |
//! | `locations` | where each can be fetched from |
//! | `download_run`, `batch` | several files at a time, within the window; what has arrived goes into the stores |
//! | `fetch` | one file, from the first location that gives the right bytes |
//! | `fetcher`, `outcome` | what all files share, and how the work on one may end |
//! | `receive` | one request |
//! | `pace`, `window` | how fast, and when |
//! | `upstream_requests` | telling upstream servers which files they do not have |
//! | `report`, `problems`, `error` | what is asked for, reported, and may fail |
//!
//! Every payload is compared with the digests in its document while it arrives. Encrypted payloads
//! are stored as they come: their digests are of what comes.

pub(super) mod batch;
pub(crate) mod download_forecast;
pub(crate) mod download_run;
pub(super) mod error;
pub(super) mod fetch;
pub(super) mod fetcher;
pub(crate) mod file_plan;
pub(super) mod locations;
pub(super) mod outcome;
pub(super) mod pace;
pub(super) mod plan;
pub(super) mod problems;
pub(super) mod receive;
pub(super) mod report;
pub(super) mod selection;
pub(super) mod upstream_requests;
pub(super) mod window;

use std::{collections::BTreeMap, sync::Arc};

use bundle_format::digest::{Sha1, Sha256};

use crate::{
    catalog::{Catalog, PayloadState},
    content::ContentStore,
    fleet::Fleet,
};
use download_run::DownloadRun;
use error::DownloadError;
use locations::Locations;
use plan::DownloadPlan;
use problems::Problems;
use report::{DownloadOptions, DownloadProgress, DownloadReport};

/// What a download would take. Downloads nothing.
///
/// # Errors
/// When a store fails, or another fails.
pub fn forecast(
    catalog: &Catalog,
    fleet: &Fleet,
    content: &ContentStore,
    options: &DownloadOptions,
) -> Result<DownloadReport, DownloadError> {
    let mut problems = Problems::default();
    let locations = Locations::new(catalog, &options.locations, &options.connection)?;
    let mut plan =
        DownloadPlan::make(&options.which, options.require_sha256, catalog, fleet, &mut problems)?;
    plan.count(content, options.reserve, &|f| locations.has_place(catalog, f), &mut problems)?;
    let mut report = DownloadReport { forecast: plan.forecast, ..DownloadReport::default() };
    problems.into_report(&mut report);
    Ok(report)
}

/// Downloads what is needed and not here. What could not be had is named in the report; the rest is
/// in. Interrupted anywhere, the next run goes on.
///
/// # Errors
/// When it does not fit, a store fails or the disk becomes full; what had arrived is kept.
pub fn download(
    catalog: &mut Catalog,
    fleet: &mut Fleet,
    content: &ContentStore,
    options: &DownloadOptions,
    progress: &mut dyn FnMut(DownloadProgress<'_>),
) -> Result<DownloadReport, DownloadError> {
    let mut problems = Problems::default();
    let partials = content.partials()?;
    partials.sweep(&mut |of| is_missing(catalog, of))?;
    let locations = Locations::new(catalog, &options.locations, &options.connection)?;
    let mut plan =
        DownloadPlan::make(&options.which, options.require_sha256, catalog, fleet, &mut problems)?;
    plan.count(content, options.reserve, &|f| locations.has_place(catalog, f), &mut problems)?;
    let forecast = plan.forecast;
    progress(DownloadProgress::Planned(&forecast));
    if !forecast.fits {
        return Err(DownloadError::NoRoom {
            need: forecast.fetch_bytes,
            largest: forecast.largest,
            reserve: forecast.reserve,
            free: forecast.free,
        });
    }
    let mut report = DownloadReport { forecast, ..DownloadReport::default() };
    if !plan.files.is_empty() {
        let work = DownloadRun {
            catalog,
            content,
            options,
            locations,
            problems: &mut problems,
            report: &mut report,
            absent: BTreeMap::new(),
        };
        work.run(plan.files, Arc::new(partials), progress)?;
    }
    for wanted in fleet.missing_files()? {
        let file = catalog.file_by_sha1(&wanted.sha1)?;
        if file.is_some_and(|file| file.state == PayloadState::Present) {
            fleet.forget_missing_file(&wanted.sha1)?;
        }
    }
    problems.into_report(&mut report);
    Ok(report)
}

/// Whether a document names a file whose bytes are not here: then its partial is kept, even if the
/// policy does not ask for it today.
fn is_missing(catalog: &Catalog, of: Result<Sha256, Sha1>) -> Result<bool, DownloadError> {
    let file = match of {
        Ok(sha256) => catalog.file_by_sha256(&sha256)?,
        Err(sha1) => catalog.file_by_sha1(&sha1)?,
    };
    Ok(file.is_some_and(|file| file.state != PayloadState::Present))
}
