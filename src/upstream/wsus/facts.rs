//! What an upstream server says of itself.

use serde::{Deserialize, Serialize};

use crate::protocol::server_sync::ConfigData;

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
