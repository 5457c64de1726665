//! How an import is asked for.

use bundle_format::limits::BundleLimits;
use jiff::Timestamp;

use crate::update;

/// How to import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Check everything and say what would change, but change nothing.
    pub dry_run: bool,
    /// Refuse expired signatures instead of warning.
    pub refuse_expired: bool,
    /// Let the policy wait for a person, if it would change anything.
    pub hold_policy: bool,
    /// Fill gaps from the bundle of this snapshot, although keys that were replaced since signed it.
    /// It never takes effect itself.
    pub replaced_keys: Option<u64>,
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
            replaced_keys: None,
            now,
            limits: BundleLimits::default(),
            documents: update::DocumentLimits::default(),
        }
    }
}
