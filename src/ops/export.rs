//! Pack what a site lacks into a bundle.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use bundle_format::needs::{NEEDS_BYTES, NeedsRequest};
use jiff::Timestamp;
use serde_json::json;

use super::{
    Result,
    context::Context,
    error::OpsError,
    progress::TransferPhases,
    seal::{self, with_waiting},
    waiting::WaitingOutcome,
    wording::{count, listed},
};
pub use crate::transfer::{ExportOptions, ExportReport, ExportSelection, LARGEST_ON_FAT};
use crate::{
    catalog::Catalog,
    data_dir::{self, DataDir, Side},
    file_error::Doing as _,
    journal::EntryKind,
    transfer::{self, TransferError},
};

/// Names that differ in no more letters are most likely meant to be one.
const SLIP: usize = 2;

/// For whom to pack, and how.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// The isolated network; the needs name it themselves.
    pub site: Option<String>,
    /// The site may be a new one, although its name is nearly that of another.
    pub new_site: bool,
    /// Folder for the volumes.
    pub out: PathBuf,
    /// When a new snapshot shall say to be sealed; now if not given.
    pub created: Option<Timestamp>,
    /// How much, in which portions, and how to seal.
    pub options: ExportOptions,
}

/// Packs what a site lacks into a bundle; seals first if the mirror has changed, but for the needs of a
/// site.
///
/// # Errors
/// When the name of the site is not usable, this is an isolated side, keys do not open, another run
/// is at work, or a store or the disk fails.
pub fn export(
    context: &Context<'_>,
    request: &ExportRequest,
) -> Result<WaitingOutcome<ExportReport>> {
    let out = &request.out;
    let made = !out.exists();
    let outcome = export_with(context, request, |data, site, created, phases| {
        transfer::export(data, site, out, created, &request.options, phases)
    })?;
    if made {
        context.observer().warn(&format!(
            "{} was not there and was made: if it should be on a medium, look whether that is mounted",
            out.display()
        ));
    }
    warn_of_earlier_volumes(context, out, &outcome.done.volumes);
    Ok(outcome)
}

/// As [`export`], with one volume, which is written to a pipe; the folder of the request does not count.
///
/// # Errors
/// As [`export`], and when nobody reads the pipe to its end.
pub fn export_to_pipe(
    context: &Context<'_>,
    request: &ExportRequest,
    pipe: &mut dyn Write,
) -> Result<WaitingOutcome<ExportReport>> {
    export_with(context, request, |data, site, created, phases| {
        transfer::export_to_pipe(data, site, pipe, created, &request.options, phases)
    })
}

fn export_with(
    context: &Context<'_>,
    request: &ExportRequest,
    pack: impl FnOnce(
        &DataDir,
        &str,
        Timestamp,
        &TransferPhases<'_>,
    ) -> std::result::Result<ExportReport, TransferError>,
) -> Result<WaitingOutcome<ExportReport>> {
    let data = context.data_dir()?;
    let site = site_of(request)?;
    announce_site(context, &data, site, request.new_site)?;
    let created = seal::date(context, request.created);
    let phases = TransferPhases::new(context.observer());
    let report = pack(&data, site, created, &phases);
    drop(phases);
    let report = journaled(context, site, report.map_err(OpsError::from))?;
    if let Some(sealed) = &report.sealed {
        seal::warn_of_left_out(context, &sealed.left_out);
    }
    for unanswered in &report.unanswered {
        context.observer().warn(&format!("not packed: {unanswered}"));
    }
    with_waiting(context, &data, report)
}

/// Enters what was packed, and the snapshot that was sealed for it.
fn journaled(
    context: &Context<'_>,
    site: &str,
    report: Result<ExportReport>,
) -> Result<ExportReport> {
    if let Some(sealed) = report.as_ref().ok().and_then(|report| report.sealed.clone()) {
        context.journaled(EntryKind::Seal, "seal", Ok(sealed), seal::entry)?;
    }
    context.journaled(EntryKind::Export, &format!("export for {site}"), report, |report| {
        let size = |path: &PathBuf| fs::metadata(path).map(|file| file.len()).ok();
        let volumes = report.volumes.iter().zip(&report.checksums).map(|(path, checksums)| {
            json!({ "path": path, "size": size(path), "sha256sums": checksums })
        });
        let ExportReport { snapshot, set, segments, payloads, .. } = report;
        let details = json!({
            "site": site,
            "snapshot": snapshot,
            "set": set,
            "segments": segments,
            "payloads": payloads,
            "volumes": listed(volumes),
        });
        let volumes = count(report.volumes.len() as u64, "volume");
        Some((format!("snapshot {snapshot} was packed for {site} into {volumes}"), details))
    })
}

/// Reads what a site needs: the file, or the short code in a file; `-` is the standard input.
///
/// # Errors
/// When it cannot be read, or is not what `tidegate needs` writes.
pub fn read_needs(path: &Path) -> Result<NeedsRequest> {
    let from_stdin = path == Path::new("-");
    let opened: io::Result<Box<dyn Read>> = match from_stdin {
        true => Ok(Box::new(io::stdin())),
        false => File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
    };
    let named = if from_stdin { Path::new("the standard input") } else { path };
    let mut bytes = Vec::new();
    opened
        .and_then(|from| from.take(NEEDS_BYTES + 1).read_to_end(&mut bytes))
        .doing("read the needs from", named)
        .map_err(TransferError::from)?;
    NeedsRequest::parse(&bytes).map_err(|error| OpsError::unfit(error.to_string()))
}

/// The site that is given, or that asks.
fn site_of(request: &ExportRequest) -> Result<&str> {
    let asking = match &request.options.selection {
        ExportSelection::Needs(needs) => Some(needs.site.as_str()),
        _ => None,
    };
    let given = request.site.as_deref();
    if let (Some(asking), Some(given)) = (asking, given)
        && asking != given
    {
        return Err(OpsError::usage(format!(
            "these needs are of the site {asking}, not of {given}"
        )));
    }
    let site = asking.or(given).ok_or_else(|| OpsError::usage("no site is named".to_owned()))?;
    data_dir::check_site(site).map_err(|error| OpsError::usage(error.to_string()))?;
    Ok(site)
}

/// Says that a site is new. A name that is nearly that of another is most likely a slip of the pen.
fn announce_site(context: &Context<'_>, data: &DataDir, site: &str, new_site: bool) -> Result<()> {
    let sites = match data.side() {
        Side::Connected { .. } => Catalog::open(&data.catalog())?.sites()?,
        Side::Isolated { .. } => return Ok(()),
    };
    if sites.is_empty() || sites.iter().any(|other| other == site) {
        return Ok(());
    }
    let near = sites.iter().find(|other| strsim::damerau_levenshtein(other, site) <= SLIP);
    if let Some(near) = near.filter(|_| !new_site) {
        return Err(OpsError::usage(format!(
            "there is no site {site} yet, but {near}: if {site} is another one, say so with --new-site"
        )));
    }
    context.observer().warn(&format!("{site} is a new site (until now: {})", sites.join(", ")));
    Ok(())
}

/// Names volumes that were in the folder before, so that nobody carries them by mistake.
fn warn_of_earlier_volumes(context: &Context<'_>, out: &Path, written: &[PathBuf]) {
    let names = fs::read_dir(out).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut earlier: Vec<String> = names
        .filter(|path| !written.contains(path))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .filter(|name| name.starts_with("tidegate-") && name.ends_with(".tar"))
        .collect();
    earlier.sort();
    let Some(first) = earlier.first() else { return };
    let more = match earlier.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    context.observer().warn(&format!(
        "{} also holds {first}{more} of earlier exports; an import takes in what it is given, in any order",
        out.display()
    ));
}
