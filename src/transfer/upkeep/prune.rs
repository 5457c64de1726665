//! Removing what nothing here asks for any more: segments of past snapshots and, only when asked,
//! payloads that the catalogue no longer names. The signed heads of past snapshots stay for good: they
//! are small, and show what was signed when.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use bundle_format::digest::Sha256;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::snapshots::snapshots_in_use;
use crate::{
    catalog::{Catalog, NamedFile},
    content::ContentStore,
    data_dir::DataDir,
    file_error::Doing as _,
    fleet::Fleet,
    transfer::{
        connected::receipts,
        error::TransferError,
        policy::unneeded::{Unneeded, UnneededReason},
        store::trust,
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// Newer payloads stay: a sync or publish may be about to name them in the catalogue.
const NEW: SignedDuration = SignedDuration::from_hours(24);

/// How to prune.
#[derive(Debug, Clone)]
pub struct PruneOptions {
    /// Say what would go, and remove nothing.
    pub dry_run: bool,
    /// Payloads without a row in the catalogue, too; and those that nobody needs are looked for.
    pub payloads: bool,
    /// Those that nobody needs are removed, too: an explicit act.
    pub unneeded: bool,
    /// The clock.
    pub now: Timestamp,
}

/// What was removed, or would be.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PruneReport {
    /// Only tried.
    pub dry_run: bool,
    /// Segments that no snapshot that is kept names, with their sizes.
    pub segments: Vec<(Sha256, u64)>,
    /// Payloads that the catalogue does not name, with their sizes.
    pub payloads: Vec<(Sha256, u64)>,
    /// Payloads that the catalogue names and nobody needs.
    pub unneeded: Vec<UnneededPayload>,
    /// Their bytes.
    pub unneeded_bytes: u64,
    /// On a connected side with payloads of superseded updates: the sites that it packs for. They may have
    /// approved these themselves, which this side does not know.
    pub sites: Vec<String>,
    /// Those were removed, or would be; if not, they are only shown.
    pub frees_unneeded: bool,
    /// Bytes of everything that was removed, or would be.
    pub bytes: u64,
}

/// A payload that nobody needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct UnneededPayload {
    /// Its name.
    pub sha256: Sha256,
    /// In bytes.
    pub size: u64,
    /// Why nobody needs it.
    pub reason: UnneededReason,
    /// What names it: the newest.
    pub named: Option<NamedFile>,
}

impl PruneReport {
    /// Whether there is nothing to remove.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.payloads.is_empty() && self.unneeded.is_empty()
    }
}

/// Removes what belongs to past snapshots only. What is served, what is pending, what was sealed last and
/// what a site has acknowledged last stays, and so do the signatures of every snapshot.
///
/// # Errors
/// When another run is at work, or a store fails; run it again then.
pub fn prune(data: &DataDir, options: &PruneOptions) -> Result<PruneReport> {
    let mut report = PruneReport { dry_run: options.dry_run, ..PruneReport::default() };
    if !data.catalog().exists() {
        return Ok(report);
    }
    let looks = options.dry_run;
    let _lock = if looks { trust::lock_to_look(data)? } else { Some(trust::lock(data)?) };
    let mut catalog = match looks {
        true => Catalog::open_to_look(&data.catalog())?,
        false => Catalog::open(&data.catalog())?,
    };
    let segments = needed_by_snapshots(data, &catalog)?;
    for (sha256, path) in list_segments(&data.segments())? {
        if !segments.contains(&sha256) {
            let size = remove_file(&path, options.dry_run)?;
            report.segments.push((sha256, size));
        }
    }
    if options.payloads {
        prune_payloads(data, &catalog, options, &mut report)?;
        prune_unneeded(data, &mut catalog, options, &mut report)?;
    }
    report.bytes = report.segments.iter().chain(&report.payloads).map(|(_, size)| size).sum();
    if report.frees_unneeded {
        report.bytes = report.bytes.saturating_add(report.unneeded_bytes);
    }
    Ok(report)
}

/// The segments that the snapshots that matter name.
fn needed_by_snapshots(data: &DataDir, catalog: &Catalog) -> Result<BTreeSet<Sha256>> {
    let mut numbers: BTreeSet<u64> =
        snapshots_in_use(catalog)?.iter().map(|snapshot| snapshot.number).collect();
    // An export of what came after them reads what they name.
    for site in catalog.sites()? {
        numbers.extend(receipts::acknowledged(data, &site)?.map(|found| found.snapshot));
    }
    let mut segments = BTreeSet::new();
    for number in numbers {
        segments.extend(catalog.segments_of(number)?.iter().map(|s| s.sha256));
    }
    Ok(segments)
}

fn prune_payloads(
    data: &DataDir,
    catalog: &Catalog,
    options: &PruneOptions,
    report: &mut PruneReport,
) -> Result<()> {
    let content = ContentStore::for_reading(&data.content());
    let mut found = Vec::new();
    content.list(&mut |sha256, size| found.push((sha256, size)))?;
    let left_out: BTreeSet<Sha256> = catalog.left_out()?.into_iter().map(|one| one.0).collect();
    for (sha256, size) in found {
        let path = content.path(&sha256);
        let row = catalog.payload(&sha256)?;
        // What was left out and is still here: a killed run did not come to it, and no other fetches it.
        let is_left_out =
            row.as_ref().is_some_and(|row| !row.present) && left_out.contains(&sha256);
        if is_left_out || (row.is_none() && is_old(&path, options.now)?) {
            remove_file(&path, options.dry_run)?;
            report.payloads.push((sha256, size));
        }
    }
    Ok(())
}

/// Finds the payloads that nobody needs, and removes them if that is asked for: first they count as
/// left out, then their bytes go, so that nobody is promised what is not there.
fn prune_unneeded(
    data: &DataDir,
    catalog: &mut Catalog,
    options: &PruneOptions,
    report: &mut PruneReport,
) -> Result<()> {
    let content = ContentStore::for_reading(&data.content());
    // Without a fleet nothing was decided; looking must not make one.
    if !data.fleet().exists() {
        return Ok(());
    }
    let found = Unneeded::find(catalog, &Fleet::open_to_look(&data.fleet())?)?;
    catalog.payloads(&mut |row| {
        if let Some(reason) = found.reason(&row.sha1).filter(|_| row.present) {
            let (sha256, size) = (row.sha256, row.size);
            report.unneeded.push(UnneededPayload { sha256, size, reason, named: None });
        }
    })?;
    for payload in &mut report.unneeded {
        payload.named = catalog.names_of_payload(&payload.sha256)?.into_iter().next();
    }
    report.unneeded.sort_by_key(|payload| (payload.reason, payload.sha256));
    if report.unneeded.iter().any(|payload| payload.reason == UnneededReason::Superseded) {
        report.sites = catalog.sites()?;
    }
    report.unneeded_bytes = report.unneeded.iter().map(|payload| payload.size).sum();
    report.frees_unneeded = options.unneeded && !report.unneeded.is_empty();
    if !report.frees_unneeded || options.dry_run {
        return Ok(());
    }
    let mut writer = catalog.write()?;
    for payload in &report.unneeded {
        writer.leave_out(&payload.sha256, payload.reason.statement())?;
        writer.payload_lost(&payload.sha256)?;
    }
    writer.commit()?;
    for payload in &report.unneeded {
        remove_file(&content.path(&payload.sha256), false)?;
    }
    Ok(())
}

fn is_old(path: &Path, now: Timestamp) -> Result<bool> {
    let modified =
        fs::metadata(path).and_then(|metadata| metadata.modified()).doing("look at", path)?;
    Ok(Timestamp::try_from(modified).is_ok_and(|modified| now.duration_since(modified) > NEW))
}

/// Removes a file, unless this is a dry run; gives its size.
fn remove_file(path: &Path, dry_run: bool) -> Result<u64> {
    let size = fs::metadata(path).doing("look at", path)?.len();
    if !dry_run {
        fs::remove_file(path).doing("remove", path)?;
    }
    Ok(size)
}

/// The segments in a folder, sorted by name; nothing if it is not there.
fn list_segments(folder: &Path) -> Result<Vec<(Sha256, PathBuf)>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => Err(e).doing("list", folder)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.doing("list", folder)?;
        if let Some(name) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}
