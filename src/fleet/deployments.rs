//! Deployments: what each set of groups was last offered. Gives a deployment its id, and a change
//! mark that grows when its action, deadline or leaf state changes. [MS-WUSP] 3.1.1

use jiff::Timestamp;
use uuid::Uuid;

use super::{Fleet, Result};
use crate::update::RevisionId;

/// A deployment as it shall be now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The revision.
    pub revision: RevisionId,
    /// The action as the protocol spells it.
    pub action: &'static str,
    /// By when it has to be installed.
    pub deadline: Option<Timestamp>,
    /// No revision's prerequisites name its update.
    pub is_leaf: bool,
}

/// What the fleet has recorded for a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// `Deployment/ID`.
    pub deployment_id: i32,
    /// The change counter when it last changed.
    pub change: u64,
    /// When it last changed; only the date goes on the wire.
    pub changed: Timestamp,
}

impl Fleet {
    /// Makes the recorded deployments of a set of groups equal to `wanted`, touching only what
    /// differs, and returns them in the order of `wanted`. New and changed ones get the change mark
    /// `change` (the caller's view number, which only grows). Removed ones are forgotten.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn record_deployments(
        &mut self,
        groups: &[Uuid],
        wanted: &[Wanted],
        change: u64,
        now: Timestamp,
    ) -> Result<Vec<Recorded>> {
        let _ = (groups, wanted, change, now);
        unimplemented!()
    }

    /// The next view number: a counter of its own, never the same twice.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn next_view(&mut self) -> Result<u64> {
        unimplemented!()
    }
}
