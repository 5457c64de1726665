//! What a policy would change in the fleet as it is.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bundle_format::policy::{Policy, PolicyApproval};
use uuid::Uuid;

use super::change::{PolicyChange, PolicyChangeKind, PriorApproval, group_key, printable};
use crate::{
    fleet::{Approval, ApprovalAction, Fleet, Origin, unfit_group_name},
    transfer::error::TransferError,
    update::UpdateId,
};

type Result<T> = std::result::Result<T, TransferError>;

/// Longest licence id that the fleet keeps, in bytes.
const EULA_ID: usize = 256;

/// Lists what a policy would change. `exact`: approvals of earlier policies that are not in this one
/// are taken back, even if it does not say so.
pub(in crate::transfer) fn plan(
    fleet: &Fleet,
    policy: &Policy,
    exact: bool,
) -> Result<Vec<PolicyChange>> {
    let fleet_now = FleetDecisions::read(fleet)?;
    let mut changes = Vec::new();
    let to_be_made = fleet_now.plan_groups(policy, &mut changes);
    fleet_now.plan_missing_approvals(policy, exact, &mut changes);
    fleet_now.plan_approvals(policy, &to_be_made, &mut changes);
    let accepted: HashSet<String> = fleet.accepted_eulas()?.into_iter().collect();
    for eula in policy.accepted_eulas.iter().filter(|eula| !accepted.contains(*eula)) {
        let kind = match eula.len() {
            1..=EULA_ID => PolicyChangeKind::AcceptEula,
            _ => PolicyChangeKind::NotUnderstood,
        };
        changes.push(PolicyChange { detail: Some(eula.clone()), ..PolicyChange::new(kind) });
    }
    fleet_now.plan_declines(policy, &mut changes);
    Ok(changes)
}

impl PolicyChange {
    fn new(kind: PolicyChangeKind) -> Self {
        Self {
            kind,
            update: None,
            title: None,
            kb: Vec::new(),
            group: None,
            action: None,
            deadline: None,
            was: None,
            rule: None,
            detail: None,
        }
    }

    fn on_update(kind: PolicyChangeKind, update: UpdateId, why: Option<&str>) -> Self {
        Self { update: Some(update), detail: why.map(str::to_owned), ..Self::new(kind) }
    }
}

/// The fleet as it is.
struct FleetDecisions {
    groups: BTreeMap<String, Uuid>,
    names: HashMap<Uuid, String>,
    approvals: BTreeMap<(UpdateId, Uuid), Approval>,
    declines: BTreeMap<UpdateId, Origin>,
    kept_unapproved: HashSet<(UpdateId, Uuid)>,
    kept_undeclined: HashSet<UpdateId>,
}

impl FleetDecisions {
    fn read(fleet: &Fleet) -> Result<Self> {
        let groups = fleet.groups()?;
        let permanent = fleet.withdrawn_approvals()?.into_iter().filter(|one| one.by_person);
        Ok(Self {
            kept_unapproved: permanent.map(|one| (one.update, one.group)).collect(),
            kept_undeclined: fleet.undeclined()?.into_iter().collect(),
            approvals: fleet.approvals()?.into_iter().map(|a| ((a.update, a.group), a)).collect(),
            declines: fleet.declines()?.into_iter().collect(),
            groups: groups.iter().map(|group| (group_key(&group.name), group.id)).collect(),
            names: groups.into_iter().map(|group| (group.id, group.name)).collect(),
        })
    }

    /// Plans the groups that have to be made; gives their keys.
    fn plan_groups(&self, policy: &Policy, changes: &mut Vec<PolicyChange>) -> HashSet<String> {
        let mut to_be_made = HashSet::new();
        for name in &policy.groups {
            let key = group_key(name);
            if self.groups.contains_key(&key) || to_be_made.contains(&key) {
                continue;
            }
            let unfit = unfit_group_name(name);
            let kind = match &unfit {
                None => PolicyChangeKind::CreateGroup,
                Some(_) => PolicyChangeKind::NotUnderstood,
            };
            if unfit.is_none() {
                to_be_made.insert(key);
            }
            let group = Some(name.trim().to_owned());
            changes.push(PolicyChange { group, detail: unfit, ..PolicyChange::new(kind) });
        }
        to_be_made
    }

    /// Plans what becomes of approvals of earlier policies that are not in this one.
    fn plan_missing_approvals(
        &self,
        policy: &Policy,
        exact: bool,
        changes: &mut Vec<PolicyChange>,
    ) {
        let named: HashSet<(Uuid, String)> =
            policy.approvals.iter().map(|a| (a.update, group_key(&a.group))).collect();
        let declined: HashSet<Uuid> = policy.declined.iter().copied().collect();
        let stated: Option<HashSet<(Uuid, String)>> = policy
            .taken_back
            .as_ref()
            .map(|list| list.iter().map(|one| (one.update, group_key(&one.group))).collect());
        let by_policy = self.approvals.values().filter(|a| a.origin == Origin::Policy);
        for approval in by_policy {
            let Some(name) = self.names.get(&approval.group) else { continue };
            let id = (approval.update.0, group_key(name));
            if named.contains(&id) {
                continue;
            }
            let on_purpose = exact
                || declined.contains(&approval.update.0)
                || stated.as_ref().is_none_or(|stated| stated.contains(&id));
            let (kind, why) = match on_purpose {
                true => (PolicyChangeKind::Unapprove, None),
                false => (PolicyChangeKind::Lapse, Some("nobody says that it was taken back")),
            };
            changes.push(PolicyChange {
                group: Some(name.clone()),
                was: Some(prior(approval)),
                rule: approval.rule.as_ref().map(|rule| rule.name.clone()),
                ..PolicyChange::on_update(kind, approval.update, why)
            });
        }
    }

    fn plan_approvals(
        &self,
        policy: &Policy,
        to_be_made: &HashSet<String>,
        changes: &mut Vec<PolicyChange>,
    ) {
        let declined: HashSet<Uuid> = policy.declined.iter().copied().collect();
        // Of two for the same update and group the last one counts.
        let named: BTreeMap<(Uuid, String), &PolicyApproval> =
            policy.approvals.iter().map(|a| ((a.update, group_key(&a.group)), a)).collect();
        for ((_, key), approval) in named {
            let update = UpdateId(approval.update);
            let group = self.groups.get(&key).copied();
            let old = group.and_then(|group| self.approvals.get(&(update, group)));
            let kept = group.is_some_and(|group| self.kept_unapproved.contains(&(update, group)));
            let action = ApprovalAction::parse(&approval.action);
            let is_unchanged = old
                .is_some_and(|old| Some(old.action) == action && old.deadline == approval.deadline);
            use PolicyChangeKind::{Approve, Change, KeptLocal, NotUnderstood};
            let (kind, why) = if action.is_none() {
                (NotUnderstood, Some("this program does not know the action"))
            } else if group.is_none() && !to_be_made.contains(&key) {
                (NotUnderstood, Some("there is no such group"))
            } else if declined.contains(&approval.update) {
                (NotUnderstood, Some("the policy declines it, too"))
            } else if is_unchanged {
                continue;
            } else if kept {
                (KeptLocal, Some("a person here keeps it unapproved"))
            } else if self.declines.get(&update) == Some(&Origin::Local) {
                (KeptLocal, Some("a person here has declined it"))
            } else {
                match old.map(|old| old.origin) {
                    Some(Origin::Local) => (KeptLocal, Some("a person here has decided")),
                    Some(Origin::Policy) => (Change, None),
                    None => (Approve, None),
                }
            };
            changes.push(PolicyChange {
                group: Some(approval.group.trim().to_owned()),
                action: Some(printable(&approval.action)),
                deadline: approval.deadline,
                was: old.map(prior),
                rule: approval.rule.as_deref().map(printable),
                ..PolicyChange::on_update(kind, update, why)
            });
        }
    }

    fn plan_declines(&self, policy: &Policy, changes: &mut Vec<PolicyChange>) {
        use PolicyChangeKind::{Decline, KeptLocal, Undecline};
        let declined: BTreeSet<UpdateId> = policy.declined.iter().copied().map(UpdateId).collect();
        let by_policy = self.declines.iter().filter(|(_, origin)| **origin == Origin::Policy);
        for (update, _) in by_policy.filter(|(update, _)| !declined.contains(update)) {
            changes.push(PolicyChange::on_update(Undecline, *update, None));
        }
        let locally: HashSet<UpdateId> = self
            .approvals
            .values()
            .filter(|approval| approval.origin == Origin::Local)
            .map(|approval| approval.update)
            .collect();
        for update in declined.into_iter().filter(|update| !self.declines.contains_key(update)) {
            changes.push(if locally.contains(&update) {
                PolicyChange::on_update(KeptLocal, update, Some("a person here has approved it"))
            } else if self.kept_undeclined.contains(&update) {
                PolicyChange::on_update(
                    KeptLocal,
                    update,
                    Some("a person here does not let it be declined"),
                )
            } else {
                PolicyChange::on_update(Decline, update, None)
            });
        }
    }
}

fn prior(approval: &Approval) -> PriorApproval {
    let Approval { action, deadline, origin, .. } = *approval;
    PriorApproval { action, deadline, origin }
}
