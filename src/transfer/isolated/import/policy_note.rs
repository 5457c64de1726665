//! The catalogue's note of the snapshot whose policy the fleet has got.

/// Name of the note. Its value is the snapshot's number.
pub(super) const POLICY_APPLIED_OF: &str = "policy-applied-of";

/// Value of the note when the count of snapshots began anew: approvals of earlier policies are then
/// taken back, even if the new policy does not say so.
pub(super) const STARTED_OVER: &str = "";
