//! Import: intake and switch of one or more volumes, all or nothing.
//!
//! 1. every head is checked, and the free space is proven;
//! 2. every volume is read once; what is new is hashed while it is copied to `incoming/`;
//! 3. in one transaction: rows of what came, and the newest snapshot that is complete;
//! 4. files move to their places, the transaction is committed, the trust state follows, then the
//!    policy.
//!
//! Until step 4 nothing that counts has been touched. From there on each step can be done again.

mod candidates;
mod commit;
mod finish;
pub(in crate::transfer) mod report;
pub(crate) mod site_state;

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use bundle_format::{
    digest::Sha256,
    index::SegmentKind,
    limits::BundleLimits,
    trust::{Expectation, TrustState},
};
use jiff::Timestamp;

use super::intake::{self, Stage};
use crate::{
    catalog::Catalog,
    data_dir::DataDir,
    file_error::Doing as _,
    transfer::{
        error::TransferError,
        progress::Progress,
        store::{side, trust},
        volume::read::{self, Volume},
    },
    update,
};
use report::ImportReport;
use site_state::SiteState;

type Result<T> = std::result::Result<T, TransferError>;

/// How to import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Check everything and say what would change, but change nothing.
    pub dry_run: bool,
    /// Refuse expired signatures instead of warning.
    pub refuse_expired: bool,
    /// Let the policy wait for a person, if it would change anything.
    pub hold_policy: bool,
    /// The clock.
    pub now: Timestamp,
    /// Bounds on what is read.
    pub limits: BundleLimits,
    /// Bounds on update documents.
    pub documents: update::DocumentLimits,
}

impl ImportOptions {
    /// The usual ones.
    pub fn new(now: Timestamp) -> Self {
        Self {
            dry_run: false,
            refuse_expired: false,
            hold_policy: false,
            now,
            limits: BundleLimits::default(),
            documents: update::DocumentLimits::default(),
        }
    }
}

/// Takes bundles in. Killed anywhere, it finishes when it is run again.
///
/// # Errors
/// [`super::Fault::Refused`] for everything that is the bundles' fault; nothing is changed then.
pub fn import(
    data: &DataDir,
    bundles: &[PathBuf],
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<ImportReport> {
    let site = side::isolated(data)?;
    // Before the lock, so that a site that trusts nothing is left as it is; and again under it.
    trust::load_state(data)?;
    let _lock = trust::lock(data)?;
    let state = trust::load_state(data)?;
    let expect =
        Expectation { site: Some(site), now: options.now, refuse_expired: options.refuse_expired };
    let mut volumes = Vec::new();
    for path in read::find(bundles)? {
        volumes.push(read::open(&path, &state, &expect, &options.limits)?);
    }
    volumes.sort_by_key(|v| (v.verified.index.snapshot, v.note.set, v.note.volume));
    let path = data.catalog();
    let mut catalog = if path.exists() { Some(Catalog::open(&path)?) } else { None };
    let known = SiteState::read(catalog.as_ref(), state.snapshot())?;
    known.admit(&volumes, catalog.as_ref())?;

    let mut stage = Stage::new(data, options.dry_run)?;
    let imported = (|| {
        let (served, asked_for) = (&known.served, &known.asked_for);
        stage.prove_space(&volumes, catalog.as_ref(), served, asked_for, data)?;
        let total = volumes.iter().flat_map(|v| &v.note.objects).map(|object| object.size).sum();
        progress.phase("reading and checking", Some(total));
        for volume in &mut volumes {
            let freshness = volume.verified.freshness;
            let mut sink =
                stage.sink(catalog.as_ref(), freshness, &known.asked_for, &options.limits);
            volume.walk(&mut sink, progress)?;
        }
        let joined = stage.join()?;
        known.refuse_bygone(&volumes, &stage)?;
        let run = Run { data, options, state: &state, known: &known, volumes: &volumes, progress };
        run.settle(&mut stage, &mut catalog, joined)
    })();
    drop(stage);
    let cleared = intake::clear(&data.incoming());
    let report = imported?;
    cleared?;
    Ok(report)
}

/// The second half of an import: everything has been read.
struct Run<'a> {
    data: &'a DataDir,
    options: &'a ImportOptions,
    state: &'a TrustState,
    known: &'a SiteState,
    volumes: &'a [Volume],
    progress: &'a dyn Progress,
}

impl Run<'_> {
    fn settle(
        &self,
        stage: &mut Stage,
        catalog: &mut Option<Catalog>,
        warnings: Vec<String>,
    ) -> Result<ImportReport> {
        let mut report = self.report(stage);
        report.warnings.extend(warnings);
        let candidates = self.candidates(&mut report)?;
        let dry = self.options.dry_run;
        let fresh = catalog.is_none() && !dry;
        let mut taken = None;
        if !stage.is_empty() || !candidates.is_empty() {
            self.progress.phase("switching", None);
            if catalog.is_none() {
                // A dry run must not leave a catalogue behind.
                let path =
                    if dry { stage.folder().join("catalog.sqlite") } else { self.data.catalog() };
                *catalog = Some(Catalog::open(&path)?);
            }
            let attempt = match catalog.as_mut() {
                Some(catalog) => self.transaction(stage, catalog, &candidates, &mut report),
                None => Ok(None),
            };
            taken = match attempt {
                Ok(taken) => taken,
                Err(e) => {
                    if fresh {
                        // What is refused leaves nothing behind.
                        drop(catalog.take());
                        remove(&self.data.catalog())?;
                    }
                    return Err(e);
                }
            };
        }
        if dry {
            if let Some(taken) = taken {
                self.dry_policy(stage, taken, &mut report)?;
            }
            report.note_parts(stage);
            return Ok(report);
        }
        report.note_parts(stage);
        if let Some(catalog) = catalog.as_mut() {
            self.finish(catalog, taken, &mut report)?;
            sweep_parts(stage, catalog, &report)?;
        }
        Ok(report)
    }
}

/// Parts stay as long as a pending snapshot, or the one that is served, lacks their payload.
fn sweep_parts(stage: &Stage, catalog: &Catalog, report: &ImportReport) -> Result<()> {
    let missing = || report.pending.iter().map(|pending| &pending.missing);
    let lacking: HashSet<&Sha256> =
        missing().flat_map(|missing| &missing.payloads).map(|(sha256, _)| sha256).collect();
    // Without its tables nobody knows what a snapshot names.
    let unknown = missing()
        .flat_map(|missing| &missing.segments)
        .any(|segment| segment.kind == SegmentKind::Payloads);
    stage.sweep_parts(&mut |sha256| {
        let row = catalog.payload(sha256)?;
        Ok(lacking.contains(sha256)
            || row.map_or(unknown, |row| !row.present && (unknown || row.not_carried.is_none())))
    })
}

/// Removes a catalogue that nothing was written to.
fn remove(catalog: &Path) -> Result<()> {
    for end in ["", "-wal", "-shm"] {
        let mut path = catalog.as_os_str().to_owned();
        path.push(end);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(e).doing("remove the empty catalogue", Path::new(&path))?;
            }
            _ => {}
        }
    }
    Ok(())
}
