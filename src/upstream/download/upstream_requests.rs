//! Telling upstream servers which of the files that they named they do not have.

use std::collections::BTreeMap;

use bundle_format::digest::Sha1;

use super::{
    error::DownloadError, locations::Locations, problems::Problems, report::DownloadOptions,
};
use crate::{catalog::Catalog, error_chain::chain, upstream::wsus::questions::ask_for_files};

/// Tells each upstream server its absent files, and gives their number. One that fails is a warning.
pub(super) fn ask_upstreams(
    catalog: &Catalog,
    locations: &Locations,
    absent: BTreeMap<usize, Vec<Sha1>>,
    options: &DownloadOptions,
    problems: &mut Problems,
) -> Result<u64, DownloadError> {
    let account = catalog.mirror_id()?.unwrap_or_default();
    let mut asked = 0;
    for (index, files) in absent {
        let Some(base) = locations.upstream(index) else { continue };
        match ask_for_files(base, account, &options.connection, &files) {
            Ok(()) => asked += files.len() as u64,
            Err(e) => problems.warn(
                base.as_str(),
                &format!("cannot tell it which files it does not have: {}", chain(&e)),
            ),
        }
    }
    Ok(asked)
}
