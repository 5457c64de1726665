//! First phase: the head of every volume is checked, and compared with what this site has.

use std::path::{Path, PathBuf};

use bundle_format::trust::{Expectation, Freshness};

use super::{context::ImportContext, site_state::SiteState};
use crate::{
    catalog::Catalog,
    error_chain::chain,
    transfer::{
        error::{Blame, TransferError},
        volume::read::{self, Volume},
    },
};

/// Volumes whose heads are in order, and the site that takes them in.
pub(super) struct CheckedVolumes {
    /// By snapshot, set and number.
    pub(super) volumes: Vec<Volume>,
    pub(super) site: SiteState,
    /// `None` until something was imported.
    pub(super) catalog: Option<Catalog>,
}

/// Opens the volumes and refuses what their heads alone show to be wrong.
pub(super) fn check_volumes(
    context: &ImportContext<'_>,
    paths: Vec<PathBuf>,
) -> Result<CheckedVolumes, TransferError> {
    let options = context.options;
    let expect = Expectation {
        site: Some(context.site),
        now: options.now,
        refuse_expired: options.refuse_expired,
    };
    let (mut volumes, mut refused) = (Vec::new(), Vec::new());
    for path in paths {
        match read::open_volume(&path, context.trust, &expect, &options.limits) {
            Ok(volume) => volumes.push(volume),
            Err(refusal) => refused.push((path, refusal)),
        }
    }
    // Beside a volume of today's keys, one of the keys before needs no word: it can only fill gaps.
    let is_named = |number| !volumes.is_empty() || options.replaced_keys == Some(number);
    let mut of_before = Vec::new();
    for (path, refusal) in refused {
        of_before.push(open_before_new_root(context, &path, &expect, &is_named, refusal)?);
    }
    volumes.extend(of_before);
    volumes.sort_by_key(|v| (v.verified.index.snapshot, v.note.set, v.note.volume));
    let path = context.data.catalog();
    let catalog = if path.exists() { Some(Catalog::open(&path)?) } else { None };
    let mut site =
        SiteState::read(catalog.as_ref(), context.trust.snapshot(), &|number| match context
            .check_stored_head(number)
        {
            Err(e) if e.blame() == Blame::Refused => Some(chain(&e)),
            _ => None,
        })?;
    site.root_replaced = context.trust.is_root_replaced();
    site.ask_for_gaps_of(&volumes);
    site.check_admission(&volumes, catalog.as_ref())?;
    Ok(CheckedVolumes { volumes, site, catalog })
}

/// Opens a volume that was sealed before the newest root was seen, if its snapshot may fill gaps of
/// what the keys of today have signed. A thief of a replaced key can sign such a volume too, so it
/// counts as older.
fn open_before_new_root(
    context: &ImportContext<'_>,
    path: &Path,
    expect: &Expectation<'_>,
    is_named: &dyn Fn(u64) -> bool,
    refusal: TransferError,
) -> Result<Volume, TransferError> {
    let Some(before) = context.trust.before_newest_root() else { return Err(refusal) };
    let mut volume = match read::open_volume(path, &before, expect, &context.options.limits) {
        Ok(volume) => volume,
        Err(_) => return Err(refusal),
    };
    let number = volume.verified.index.snapshot;
    if !is_named(number) {
        return Err(volume.refused(format!(
            "snapshot {number} is signed with keys that the connected side has revoked since: whoever stole them can sign such a bundle. If you know that this medium was sealed before, `tidegate import --replaced-keys {number}` takes from it what newer snapshots lack; otherwise ask for a new export with `--full`"
        )));
    }
    volume.verified.freshness = Freshness::Older;
    volume.verified.next_state = context.trust.clone();
    volume.verified.warnings.push(format!(
        "snapshot {number} of {} does not take effect: it was signed with keys that were replaced since. Only what newer snapshots lack is taken from it",
        path.display()
    ));
    Ok(volume)
}
