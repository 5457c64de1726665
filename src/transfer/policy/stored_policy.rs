//! A policy as the fleet keeps it.

use bundle_format::policy::Policy;

use crate::{fleet::StoredPolicy, transfer::error::TransferError};

/// Parses a stored policy.
pub(super) fn parse(stored: &StoredPolicy) -> Result<Policy, TransferError> {
    serde_json::from_str(&stored.json).map_err(|e| {
        TransferError::refused_by(
            format!("the policy of snapshot {} that is kept here cannot be read", stored.snapshot),
            e,
        )
    })
}
