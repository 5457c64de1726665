//! Import: intake and switch of one or more volumes, all or nothing.
//!
//! Each phase hands its result on to the next.
//!
//! | file | what it owns | gives |
//! |---|---|---|
//! | `checked` | every head is checked and compared with the site | `CheckedVolumes` |
//! | `taken` | the free space is proven; every volume is read once; what is new goes to `incoming/` | `TakenVolumes` |
//! | `commit` | one transaction: rows of what came, the newest complete snapshot; files move to their places before it is committed | `Committed` |
//! | `settled` | the trust state follows, then the policy | `Settled` |
//! | `summary` | the report of all phases | `ImportReport` |
//! | `names` | titles and files for it | |
//! | `candidates` | which snapshots may be switched to | |
//! | `site_state` | what the site has before the import | |
//! | `finish` | first of all: an earlier import that ended after the switch | `Settled` |
//! | `context`, `options`, `report` | what all phases need, and the words for it | |
//!
//! Until files move to their places nothing that counts has been touched. From there on each step
//! can be done again.

mod candidates;
mod checked;
mod commit;
mod context;
pub(in crate::transfer) mod finish;
mod names;
pub(in crate::transfer) mod options;
pub(in crate::transfer) mod report;
mod settled;
mod site_state;
mod summary;
mod taken;

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use bundle_format::{
    container::VolumeReader,
    trust::{Expectation, TrustState},
};

use super::intake::stage::{self, Stage};
use crate::{
    data_dir::DataDir,
    transfer::{
        error::TransferError,
        progress::Progress,
        store::{side, trust},
        volume::{
            pipe::{self, KeptVolumes, Pipe},
            read::find_volumes,
        },
    },
};
use checked::{CheckedVolumes, check_volumes};
use commit::commit;
use context::ImportContext;
use finish::finish_before;
use options::ImportOptions;
use report::ImportReport;
use settled::apply_trust_and_policy;
use summary::{served_before, summarize};
use taken::take_in;

/// Takes bundles in. Killed anywhere, it finishes when it is run again.
///
/// # Errors
/// [`Blame::Refused`](crate::transfer::Blame) for everything that is the bundles' fault; nothing is
/// changed then, but that a newer root of the same mirror is trusted from now on.
pub fn import(
    data: &DataDir,
    bundles: &[PathBuf],
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<ImportReport, TransferError> {
    let site = side::require_isolated(data)?;
    // Before the lock, so that a site that trusts nothing is left as it is; and again under it.
    trust::load_state(data)?;
    let received = receive(data, site, bundles, options, progress)?;
    let bundles = received.as_ref().map_or(bundles, |received| &received.bundles);
    let _lock = trust::lock(data)?;
    let trust = trust::load_state(data)?;
    let context = ImportContext { data, site, options, trust: &trust, progress };
    let finished = finish_before(&context)?;
    let paths = find_volumes(bundles)?;
    // A newer root counts from now on, whatever becomes of the volume that it came with.
    let before = trust::load_state(data)?;
    let trust = newest_root(&context, before.clone(), &paths)?;
    let key_changes = trust::changes_of_root(&data.trust_state(), &before, &trust)?;
    let context = ImportContext { trust: &trust, ..context };
    let checked = check_volumes(&context, paths)?;
    let stage = Stage::new(data, options.dry_run)?;
    let imported = run_phases(&context, checked, stage);
    let cleared = stage::clear_incoming(&data.incoming());
    let mut report = imported?;
    report.key_changes.splice(0..0, key_changes);
    if let Some(received) = &received {
        received.name_in(&mut report);
    }
    report.add_finished(finished);
    cleared?;
    Ok(report)
}

/// Whether this is a side that could take something in.
///
/// # Errors
/// When it is none, or nothing is trusted yet.
pub fn ready_to_import(data: &DataDir) -> Result<(), TransferError> {
    side::require_isolated(data)?;
    trust::load_state(data).map(drop)
}

/// The bundles, with what came through a pipe in the place of the standard input.
struct Received {
    bundles: Vec<PathBuf>,
    kept: KeptVolumes,
}

impl Received {
    /// The files that were kept are gone soon: they are called by where they came from.
    fn name_in(&self, report: &mut ImportReport) {
        for volume in &mut report.volumes {
            let number = (1..).zip(&self.kept.paths).find(|(_, path)| **path == volume.path);
            if let Some((number, _)) = number {
                volume.path = pipe::name_of(number);
            }
        }
    }
}

/// Takes in what a pipe brings before others have to wait for this import.
fn receive(
    data: &DataDir,
    site: &str,
    bundles: &[PathBuf],
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<Option<Received>, TransferError> {
    pipe::clear(data)?;
    let is_pipe = |bundle: &&PathBuf| bundle.as_path() == Path::new(pipe::STANDARD_INPUT);
    if !bundles.iter().any(|bundle| is_pipe(&bundle)) {
        return Ok(None);
    }
    let state = trust::load_state(data)?;
    let (now, refuse_expired) = (options.now, options.refuse_expired);
    let expect = Expectation { site: Some(site), now, refuse_expired };
    let input = Pipe::standard_input();
    let kept = pipe::keep(data, input, &state, &expect, &options.limits, progress)?;
    let mut bundles: Vec<PathBuf> =
        bundles.iter().filter(|bundle| !is_pipe(bundle)).cloned().collect();
    bundles.extend(kept.paths.iter().cloned());
    Ok(Some(Received { bundles, kept }))
}

/// What is trusted with the newest root of these volumes, stored at once: whoever keeps one disc back,
/// damages one or adds a foreign one must not keep a stolen key alive.
fn newest_root(
    context: &ImportContext<'_>,
    trusted: TrustState,
    paths: &[PathBuf],
) -> Result<TrustState, TransferError> {
    let mut newest = trusted.clone();
    for path in paths {
        // A volume that does not open, and roots of another mirror, are refused by the checks.
        if let Ok(file) = File::open(path)
            && let Ok(seen) =
                newest.with_newest_root(&VolumeReader::roots(file, &context.options.limits))
        {
            newest = seen;
        }
    }
    if newest != trusted && !context.options.dry_run {
        trust::store_state(context.data, &newest)?;
    }
    Ok(newest)
}

/// The phases that fill and empty the stage, which goes at the end.
fn run_phases(
    context: &ImportContext<'_>,
    checked: CheckedVolumes,
    stage: Stage,
) -> Result<ImportReport, TransferError> {
    let served = served_before(context, checked.site.in_force);
    let taken = take_in(context, checked, stage)?;
    let mut committed = commit(context, taken)?;
    let settled = apply_trust_and_policy(context, &mut committed)?;
    Ok(summarize(context, served.as_ref(), committed, settled))
}
