//! What a policy would change, before anybody decides.

use std::path::PathBuf;

use bundle_format::{limits::BundleLimits, policy::Policy, trust::Expectation};
use jiff::Timestamp;

use super::{change::PolicyChange, diff::plan, stored_policy::parse};
use crate::{
    data_dir::DataDir,
    fleet::{Fleet, PolicyState},
    transfer::{
        error::TransferError,
        store::{side, trust},
        volume::read,
    },
};

type Result<T> = std::result::Result<T, TransferError>;

/// What the held policy would change; with bundles, the policy of the newest of them, of which only
/// the signed heads are read.
///
/// # Errors
/// When a bundle is refused, or a store fails.
pub fn policy_diff(
    data: &DataDir,
    bundles: &[PathBuf],
    now: Timestamp,
) -> Result<Vec<PolicyChange>> {
    let site = side::require_isolated(data)?;
    let fleet = Fleet::open_to_look(&data.fleet())?;
    if bundles.is_empty() {
        let stored = match fleet.policy(PolicyState::Held)? {
            Some(held) => Some(held),
            None => fleet.policy(PolicyState::Applied)?,
        };
        return match stored {
            Some(stored) => plan(&fleet, &parse(&stored)?, false),
            None => Ok(Vec::new()),
        };
    }
    let state = trust::load_state(data)?;
    let expect = Expectation { site: Some(site), now, refuse_expired: false };
    let mut newest: Option<(u64, Policy)> = None;
    for path in read::find_volumes(bundles)? {
        let verified =
            read::open_volume(&path, &state, &expect, &BundleLimits::default())?.verified;
        let number = verified.index.snapshot;
        if newest.as_ref().is_none_or(|(highest, _)| number > *highest) {
            newest = Some((number, verified.policy));
        }
    }
    match newest {
        Some((_, policy)) => plan(&fleet, &policy, false),
        None => Ok(Vec::new()),
    }
}
