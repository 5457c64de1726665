//! How a view is loaded and asked, and what it answers.

use uuid::Uuid;

use super::deployments::Offer;
use crate::{
    scope::PageLimits,
    update::{DocumentLimits, UpdateId},
};

/// How a view answers.
#[derive(Debug, Clone)]
pub struct ViewOptions {
    /// Revisions on one page of SyncUpdates. The specification's servers send 200.
    pub page_revisions: u64,
    /// Bytes of Core fragments, escaped, on one page. Both bounds give way where a scan would
    /// otherwise take more calls than agents make.
    pub page_bytes: u64,
    /// Bounds on documents.
    pub limits: DocumentLimits,
}

impl Default for ViewOptions {
    fn default() -> Self {
        Self { page_revisions: 200, page_bytes: 1 << 20, limits: DocumentLimits::default() }
    }
}

impl ViewOptions {
    /// Bounds on a page.
    pub(super) fn page(&self) -> PageLimits {
        PageLimits { revisions: self.page_revisions, bytes: self.page_bytes }
    }
}

/// One SyncUpdates, software pass. [MS-WUSP] 2.2.2.2.4
#[derive(Debug, Clone, Copy, Default)]
pub struct SyncQuery<'a> {
    /// The groups of the computer, with ancestors, sorted.
    pub groups: &'a [Uuid],
    /// `InstalledNonLeafUpdateIDs`.
    pub installed: &'a [i32],
    /// `OtherCachedUpdateIDs`.
    pub cached: &'a [i32],
    /// `FilterCategoryIds`.
    pub filter: &'a [UpdateId],
    /// What the last answer said, from the cookie; 0 if there was none.
    pub anchor: u64,
    /// `NeedTwoGroupOutOfScopeUpdates`.
    pub two_groups: bool,
}

/// The answer to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncAnswer {
    /// `NewUpdates`: non-leaf ones first, then ascending.
    pub new: Vec<Offer>,
    /// `OutOfScopeRevisionIDs`.
    pub out_of_scope: Vec<i32>,
    /// `ChangedUpdates`.
    pub changed: Vec<Offer>,
    /// `Truncated`: more new ones remain.
    pub truncated: bool,
    /// `DeployedOutOfScopeRevisionIds`.
    pub deployed_out_of_scope: Vec<i32>,
    /// For the new cookie. It means nothing to anybody but a view.
    pub anchor: u64,
    /// `DriverSyncNotNeeded`.
    pub driver_sync_not_needed: bool,
}
