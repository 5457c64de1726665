//! Rebuilding a connected side that was lost, from a full bundle of its own: the same revisions with
//! the same numbers, so that sites and agents go on as if nothing had happened.
//!
//! The bundle is imported like by one of its sites, into a folder beside the new one; then that
//! becomes the connected side, and moves to its place.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bundle_format::trust::Expectation;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    catalog::Catalog,
    data_dir::{DataDir, DataDirError, Side},
    file_error::Doing as _,
    fleet::Fleet,
    transfer::{
        connected::sealed_policy::note_sealed_policy,
        error::TransferError,
        isolated::import::{import, options::ImportOptions},
        new_folder::{NewFolder, refuse_used},
        policy::gather::gather,
        progress::Progress,
        store::trust::{self, trust_add},
        volume::read,
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// The beginning of the name that the new data folder has until it is whole.
const NEW: &str = ".tidegate-seed-";

/// What a rebuilt connected side has.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SeedReport {
    /// The mirror that it goes on as.
    pub mirror_id: Uuid,
    /// The snapshot that it goes on after.
    pub snapshot: u64,
    /// Revisions, with their numbers.
    pub revisions: u64,
    /// Payloads whose bytes came with the bundle.
    pub payloads: u64,
    /// The sites that it packs for.
    pub sites: Vec<String>,
}

/// Makes `target` a connected side that goes on where the bundle was sealed. `fingerprint`: of the
/// root, if it is to be compared. Nothing is left of an attempt that fails.
///
/// # Errors
/// When there is something at `target`, the bundle is refused or is not whole, or a store fails.
pub fn seed(
    target: &Path,
    bundles: &[PathBuf],
    root: &Path,
    fingerprint: Option<&str>,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<SeedReport> {
    refuse_used(target, NEW, "--data")?;
    let site = site_of(bundles, root, options)?;
    let folder = NewFolder::beside(target, NEW)?;
    let made = |e: DataDirError| TransferError::Unfit { what: e.to_string() };
    let data = DataDir::init(folder.path(), Side::Isolated { site }).map_err(made)?;
    trust_add(&data, root, fingerprint)?;
    let imported = import(&data, bundles, options, progress)?;
    let (Some(snapshot), true) = (imported.in_force, imported.pending.is_empty()) else {
        return Err(TransferError::Unfit {
            what: "the bundle does not hold the whole mirror: give all volumes of a full one (`tidegate export --full`), the newest that there is".to_owned(),
        });
    };
    let report = become_mirror(&data, snapshot)?;
    let trust = data.trust_state();
    if let Some(trust) = trust.parent() {
        fs::remove_dir_all(trust).doing("remove", trust)?;
    }
    data.become_connected(report.mirror_id).and_then(DataDir::with_databases).map_err(made)?;
    folder.move_to(target, "tidegate.json")?;
    Ok(report)
}

/// The catalogue as the mirror had it when it sealed the snapshot.
fn become_mirror(data: &DataDir, snapshot: u64) -> Result<SeedReport> {
    let policy = gather(&Fleet::open(&data.fleet())?)?;
    let mut catalog = Catalog::open(&data.catalog())?;
    let head = crate::transfer::store::heads::load(data, snapshot)?;
    let sites = bundle_format::trust::inspect_for_signing(
        &head,
        &bundle_format::limits::BundleLimits::default(),
    )
    .map_err(|source| TransferError::Sign { doing: "read the snapshot", source })?
    .index
    .sites;
    let mut writer = catalog.write()?;
    writer.become_mirror(snapshot)?;
    for site in &sites {
        writer.add_site(site)?;
    }
    note_sealed_policy(&mut writer, &policy, snapshot)?;
    writer.commit()?;
    let counts = catalog.counts()?;
    Ok(SeedReport {
        mirror_id: catalog.mirror_id()?.unwrap_or_default(),
        snapshot,
        revisions: counts.revisions,
        payloads: counts.present,
        sites,
    })
}

/// A site that may import the newest of the bundles; which one makes no difference.
fn site_of(bundles: &[PathBuf], root: &Path, options: &ImportOptions) -> Result<String> {
    let state = trust::state_of_root(root)?;
    let expect = Expectation { site: None, now: options.now, refuse_expired: false };
    let mut newest = None;
    for path in read::find_volumes(bundles)? {
        let index = read::open_volume(&path, &state, &expect, &options.limits)?.verified.index;
        newest = newest.max(index.sites.into_iter().next().map(|site| (index.snapshot, site)));
    }
    newest.map(|(_, site)| site).ok_or_else(|| TransferError::Unfit {
        what: "the bundle was not made for any site".to_owned(),
    })
}
