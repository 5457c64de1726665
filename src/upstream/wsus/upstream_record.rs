//! What others may know of the servers that were synchronized from.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    facts::UpstreamFacts,
    state::{NOTE, UpstreamState},
};
use crate::catalog::{Catalog, CatalogError};

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
