//! Since when each root is trusted at a site, and how it came. For people; what counts is the root.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::roles::RootRoles;

/// So many roots are remembered.
const KEPT: usize = 100;

/// A root that is or was trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RootRecord {
    /// Its version.
    pub version: u64,
    /// Its fingerprint in words.
    pub fingerprint: String,
    /// Since when it is trusted.
    pub since: Timestamp,
    /// How it came.
    pub origin: RootOrigin,
}

/// How a root came to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootOrigin {
    /// A person compared it: `trust add`.
    Added,
    /// A bundle brought it, signed by the root before.
    Bundle,
    /// A person put it in the place of a lost one: `trust replace`.
    Replaced,
}

/// Adds a root that is trusted from now on, if it is another than the last one.
pub(super) fn note(
    records: &mut Vec<RootRecord>,
    root: &RootRoles,
    since: Timestamp,
    origin: RootOrigin,
) {
    if records.last().is_some_and(|last| last.fingerprint == root.fingerprint) {
        return;
    }
    let fingerprint = root.fingerprint.clone();
    let since = Timestamp::from_second(since.as_second()).unwrap_or(since);
    records.push(RootRecord { version: root.version, fingerprint, since, origin });
    records.drain(..records.len().saturating_sub(KEPT));
}
