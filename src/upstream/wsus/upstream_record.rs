//! What is remembered of the servers that were synchronized from, for those who ask.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::state::UpstreamState;
use crate::{
    catalog::{Catalog, CatalogError},
    protocol::server_sync::ConfigData,
};

/// Key of the note of an upstream, before its address.
pub(super) const NOTE: &str = "upstream/";

/// What an upstream server said of itself when it was last asked. [MS-WUSSS] 3.1.4.4
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct UpstreamFacts {
    /// It has no files: they are fetched from where Microsoft says.
    pub catalog_only: bool,
    /// It fetches a file only when it is approved there: what it names it may lack.
    pub lazy_sync: bool,
    /// It has express files (PSF) too.
    pub hosts_psf_files: bool,
    /// Its protocol, as `1.20`; `None` for servers of 2006.
    pub protocol_version: Option<String>,
    /// Updates that it gives at once; 0: it does not say.
    pub max_updates: usize,
    /// Updates whose decryption keys it gives at once; 0: it does not say.
    pub max_decryption_updates: usize,
    /// Driver sets that it gives at once; 0: it has none.
    pub max_driver_sets: usize,
    /// Computer hardware ids that it takes at once; 0: it does not look for drivers.
    pub max_computer_ids: usize,
    /// Hardware ids that it takes at once; 0: it does not look for drivers.
    pub max_hardware_ids: usize,
}

impl From<&ConfigData> for UpstreamFacts {
    fn from(config: &ConfigData) -> Self {
        Self {
            catalog_only: config.catalog_only_sync,
            lazy_sync: config.lazy_sync,
            hosts_psf_files: config.server_hosts_psf_files,
            protocol_version: config.version.clone(),
            max_updates: config.max_updates,
            max_decryption_updates: config.max_decryption_updates,
            max_driver_sets: config.max_driver_sets,
            max_computer_ids: config.max_computer_ids,
            max_hardware_ids: config.max_pnp_hardware_ids,
        }
    }
}

/// A server that this mirror has synchronized from, or has tried to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct UpstreamRecord {
    /// Its root, with a slash at the end.
    pub url: String,
    /// What it said of itself.
    pub facts: UpstreamFacts,
    /// When everything that was asked for was last here.
    pub last_success: Option<Timestamp>,
    /// When it was last asked.
    pub last_attempt: Option<Timestamp>,
    /// Anchor of the last list of updates, which GetDeployments wants. [MS-WUSSS] 3.1.4.10
    pub anchor: Option<String>,
    /// Revisions that it listed, but did not give.
    pub failed: usize,
}

/// The servers that the catalogue was synchronized from, sorted by address.
///
/// # Errors
/// When the catalogue fails.
pub fn known_upstreams(catalog: &Catalog) -> Result<Vec<UpstreamRecord>, CatalogError> {
    let mut known = Vec::new();
    catalog.notes(NOTE, &mut |url, note| {
        // One of another form says nothing; the next synchronization replaces it.
        let Ok(state) = serde_json::from_str::<UpstreamState>(note) else { return };
        known.push(UpstreamRecord {
            url: url.to_owned(),
            facts: state.facts,
            last_success: state.last_success,
            last_attempt: state.last_attempt,
            anchor: state.anchor,
            failed: state.failed.len(),
        });
    })?;
    Ok(known)
}
