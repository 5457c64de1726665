//! First phase: the head of every volume is checked, and compared with what this site has.

use std::path::PathBuf;

use bundle_format::trust::Expectation;

use super::{context::ImportContext, site_state::SiteState};
use crate::{
    catalog::Catalog,
    transfer::{
        error::TransferError,
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
    bundles: &[PathBuf],
) -> Result<CheckedVolumes, TransferError> {
    let options = context.options;
    let expect = Expectation {
        site: Some(context.site),
        now: options.now,
        refuse_expired: options.refuse_expired,
    };
    let mut volumes = Vec::new();
    for path in read::find_volumes(bundles)? {
        volumes.push(read::open_volume(&path, context.trust, &expect, &options.limits)?);
    }
    volumes.sort_by_key(|v| (v.verified.index.snapshot, v.note.set, v.note.volume));
    let path = context.data.catalog();
    let catalog = if path.exists() { Some(Catalog::open(&path)?) } else { None };
    let site = SiteState::read(catalog.as_ref(), context.trust.snapshot())?;
    site.check_admission(&volumes, catalog.as_ref())?;
    Ok(CheckedVolumes { volumes, site, catalog })
}
