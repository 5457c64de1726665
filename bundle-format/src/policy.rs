//! The policy: what the connected side decided and the isolated side may follow.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Approvals and declines that travel, signed under the `policy` role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Policy {
    /// See [`crate::index::FORMAT_VERSION`].
    pub format_version: u32,
    /// Names of features that a reader must know; an unknown one is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub critical: Vec<String>,
    /// Names of target groups that approvals refer to.
    pub groups: Vec<String>,
    /// Sorted by update, then group.
    pub approvals: Vec<PolicyApproval>,
    /// Declined updates, sorted.
    pub declined: Vec<Uuid>,
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyApproval {
    /// The update.
    pub update: Uuid,
    /// Name of the target group.
    pub group: String,
    /// `install`, `optional-install`, `uninstall` or `detect`.
    pub action: String,
    /// When it has to be installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}
