//! How two snapshots that were sealed or taken in here differ, from what is stored of them.

use std::collections::BTreeMap;

use bundle_format::{
    limits::BundleLimits,
    policy::{Policy, PolicyApproval},
    trust::{Expectation, VerifiedHead, check_head},
};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::{
    catalog::Catalog,
    data_dir::{DataDir, Side},
    error_chain::chain,
    transfer::{
        error::TransferError,
        store::{heads, segments, trust},
        volume::{
            segment_diff::{SegmentDiff, UpdateChanges},
            update_summary::UpdateSummary,
        },
    },
    update::{DocumentLimits, UpdateId, UpdateIdentity},
};

type Result<T> = std::result::Result<T, TransferError>;

/// How two snapshots differ.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SnapshotDiff {
    /// The one that is compared with.
    pub from: u64,
    /// The other one.
    pub to: u64,
    /// Updates and files.
    #[serde(flatten)]
    pub updates: UpdateChanges,
    /// Decisions that the policies differ in.
    pub decisions: Vec<DecisionChange>,
    /// Why the policies could not be compared, if so.
    pub decisions_unread: Option<String>,
}

impl SnapshotDiff {
    /// Whether all that the two name was there to be compared.
    pub fn is_complete(&self) -> bool {
        self.updates.unread_segments == 0 && self.decisions_unread.is_none()
    }
}

/// A decision that two policies differ in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct DecisionChange {
    /// The update.
    #[serde(flatten)]
    pub named: UpdateSummary,
    /// The target group; `None`: a decline.
    pub group: Option<String>,
    /// What was decided before: an action, or `decline`.
    pub was: Option<String>,
    /// What is decided now.
    pub is: Option<String>,
    /// By when it has to be installed now.
    pub deadline: Option<Timestamp>,
    /// The rule that decided; `None`: a person of the connected side.
    pub rule: Option<String>,
}

/// Compares two snapshots.
///
/// # Errors
/// When one of them was never here, or a store fails. What is gone of them since is in the outcome.
pub fn snapshot_diff(
    data: &DataDir,
    (from, to): (u64, u64),
    documents: &DocumentLimits,
    now: Timestamp,
) -> Result<SnapshotDiff> {
    let catalog = Catalog::open_to_look(&data.catalog())?;
    let known: Vec<u64> = catalog.snapshots()?.iter().map(|row| row.number).collect();
    if let Some(unknown) = [from, to].into_iter().find(|number| !known.contains(number)) {
        return Err(TransferError::Unfit {
            what: format!(
                "snapshot {unknown} is not known here: `tidegate snapshots list` shows those that are"
            ),
        });
    }
    let folder = data.segments();
    let diff = SegmentDiff {
        find: &|segment| segments::find(&folder, segment),
        limits: &BundleLimits::default(),
        documents,
        catalog: &catalog,
    };
    let updates = diff.changes(&catalog.segments_of(from)?, &catalog.segments_of(to)?)?;
    let policies = policy_of(data, from, now).and_then(|a| Ok((a, policy_of(data, to, now)?)));
    let (decisions, decisions_unread) = match policies {
        Ok((a, b)) => (decisions(&catalog, &a, &b)?, None),
        Err(e) => (Vec::new(), Some(chain(&e))),
    };
    Ok(SnapshotDiff { from, to, updates, decisions, decisions_unread })
}

/// The signed policy of a stored snapshot.
fn policy_of(data: &DataDir, number: u64, now: Timestamp) -> Result<Policy> {
    let state = match data.side() {
        Side::Isolated { .. } => trust::load_state(data)?,
        Side::Connected { .. } => trust::state_of_root(&data.keys().join("1.root.json"))?,
    };
    let head = heads::load(data, number)?;
    let expect = Expectation { site: None, now, refuse_expired: false };
    let check = |state| -> Result<VerifiedHead> {
        check_head(state, &head, &expect, &BundleLimits::default())
            .map_err(|source| TransferError::Trust { path: data.snapshot(number), source })
    };
    let checked = match (check(&state), state.before_newest_root()) {
        // It was signed before the newest root came.
        (Err(refusal), Some(before)) => check(&before).map_err(|_| refusal),
        (checked, _) => checked,
    };
    Ok(checked?.policy)
}

/// By update and group; without a group, a decline. The action, and the approval that says it.
type Decisions<'a> = BTreeMap<(Uuid, Option<String>), (String, Option<&'a PolicyApproval>)>;

/// The decisions of a policy.
fn by_update(policy: &Policy) -> Decisions<'_> {
    let approvals = policy.approvals.iter().map(|approval| {
        let key = (approval.update, Some(approval.group.trim().to_owned()));
        (key, (approval.action.clone(), Some(approval)))
    });
    let declined = policy.declined.iter().map(|id| ((*id, None), ("decline".to_owned(), None)));
    approvals.chain(declined).collect()
}

fn decisions(catalog: &Catalog, from: &Policy, to: &Policy) -> Result<Vec<DecisionChange>> {
    let (before, after) = (by_update(from), by_update(to));
    let mut keys: Vec<&(Uuid, Option<String>)> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    let mut changes = Vec::new();
    for key in keys {
        let (was, is) = (before.get(key), after.get(key));
        let deadline = |one: Option<&(String, Option<&PolicyApproval>)>| {
            one.and_then(|(_, approval)| approval.and_then(|approval| approval.deadline))
        };
        if was.map(|(action, _)| action) == is.map(|(action, _)| action)
            && deadline(was) == deadline(is)
        {
            continue;
        }
        let (update, group) = key;
        changes.push(DecisionChange {
            named: named(catalog, UpdateId(*update))?,
            group: group.clone(),
            was: was.map(|(action, _)| action.clone()),
            is: is.map(|(action, _)| action.clone()),
            deadline: deadline(is),
            rule: is.or(was).and_then(|(_, approval)| approval.and_then(|one| one.rule.clone())),
        });
    }
    Ok(changes)
}

fn named(catalog: &Catalog, update: UpdateId) -> Result<UpdateSummary> {
    let known = catalog.revisions_of(update)?.pop().map(UpdateSummary::of_summary);
    let unknown = UpdateIdentity { id: update, revision: 0 };
    Ok(known.unwrap_or_else(|| UpdateSummary::unknown(unknown)))
}
