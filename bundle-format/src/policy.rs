//! The policy: what the connected side decided and the isolated side may follow.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    index::{self, DocumentError, FORMAT_VERSION},
    limits::Limits,
};

/// Approvals and declines that travel, signed under the `policy` role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Ids of licences that were accepted on behalf of the computers, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted_eulas: Vec<String>,
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyApproval {
    /// The update.
    pub update: Uuid,
    /// Name of the target group.
    pub group: String,
    /// `install`, `optional-install`, `uninstall`, `detect` or `block`.
    pub action: String,
    /// When it has to be installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

impl Default for Policy {
    /// A policy that decides nothing.
    fn default() -> Self {
        Self {
            format_version: FORMAT_VERSION,
            critical: Vec::new(),
            groups: Vec::new(),
            approvals: Vec::new(),
            declined: Vec::new(),
            accepted_eulas: Vec::new(),
        }
    }
}

impl Policy {
    /// The policy as its TUF target: JSON, compressed. The same policy gives the same bytes.
    ///
    /// # Errors
    /// When it is larger than readers take.
    pub fn to_zst(&self) -> Result<Vec<u8>, DocumentError> {
        index::to_zst("policy", self, &Limits::default())
    }

    /// Reads the TUF target. Its signature and digest must have been verified before.
    ///
    /// # Errors
    /// When version, critical features, limits or shape are not ours.
    pub fn from_zst(bytes: &[u8], limits: &Limits) -> Result<Self, DocumentError> {
        index::from_zst("policy", bytes, limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let policy = Policy {
            groups: vec!["Servers".to_owned()],
            approvals: vec![PolicyApproval {
                update: Uuid::from_u128(1),
                group: "Servers".to_owned(),
                action: "install".to_owned(),
                deadline: Some("2026-03-01T00:00:00Z".parse().unwrap()),
            }],
            declined: vec![Uuid::from_u128(2)],
            accepted_eulas: vec!["licence-1".to_owned()],
            ..Policy::default()
        };
        let bytes = policy.to_zst().unwrap();
        assert_eq!(Policy::from_zst(&bytes, &Limits::default()).unwrap(), policy);
    }

    #[test]
    fn a_newer_policy_is_named_as_such() {
        let policy = Policy { format_version: 9, ..Policy::default() };
        let error = Policy::from_zst(&policy.to_zst().unwrap(), &Limits::default()).unwrap_err();
        assert!(matches!(error, DocumentError::Unsupported { .. }), "{error}");
    }
}
