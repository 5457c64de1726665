//! What is asked of an upstream server, and how.

use super::hardware::Hardware;
use crate::upstream::client::ConnectionOptions;

/// What is asked of an upstream server, and how.
#[derive(Debug, Clone, Default)]
pub struct UpstreamOptions {
    /// What to synchronize.
    pub selection: SyncSelection,
    /// How to reach it.
    pub connection: ConnectionOptions,
}

/// What to synchronize. Names are titles or ids; `all` is everything; `None` is as the last time,
/// the first time everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncSelection {
    /// Products.
    pub products: Option<Vec<String>>,
    /// Classifications.
    pub classifications: Option<Vec<String>>,
    /// Languages, as short names (`en`, `pt-br`) or LCIDs.
    pub languages: Option<Vec<String>>,
    /// Hardware whose drivers are wanted, from servers that look for them (Microsoft Update).
    pub hardware: Option<Hardware>,
    /// Only products, classifications and detectoids, no updates.
    pub categories_only: bool,
}
