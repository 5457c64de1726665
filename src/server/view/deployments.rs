//! What is deployed to one set of target groups: ids, change marks, the prepared scope.

use std::collections::HashMap;

use jiff::Timestamp;
use uuid::Uuid;

use super::generation::Generation;
use crate::{
    fleet::{ApprovalAction, ApprovalNeed, Fleet, FleetError, RecordedDeployment},
    protocol::client::Action,
    scope::{self, Approval, ChangeMarks, Decision, Decisions, DeployedRevision, Groups, Scope},
    update::RevisionId,
};

/// A deployed revision as an answer states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Its number towards agents.
    pub revision_id: RevisionId,
    /// Its deployment.
    pub deployment: Deployment,
    /// No prerequisite names its update.
    pub is_leaf: bool,
}

/// A deployment. [MS-WUSP] 2.2.2.2.4
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployment {
    /// `ID`.
    pub id: i32,
    /// `Action`.
    pub action: Action,
    /// `Deadline`.
    pub deadline: Option<Timestamp>,
    /// `LastChangeTime`; only its date goes on the wire.
    pub changed: Timestamp,
}

/// All deployments of one set of groups.
#[derive(Debug)]
pub(super) struct Deployments {
    pub(super) deployed: Vec<DeployedRevision>,
    pub(super) scope: Scope,
    pub(super) marks: ChangeMarks,
    /// The fleet has recorded them.
    pub(super) recorded: bool,
    offers: HashMap<RevisionId, (Offer, u64)>,
}

impl Deployments {
    /// Records in the fleet what is deployed, which gives ids and change marks.
    pub(super) fn record(
        generation: &Generation,
        fleet: &mut Fleet,
        groups: &[Uuid],
        deployed: Vec<DeployedRevision>,
        view: u64,
        now: Timestamp,
    ) -> Result<Self, FleetError> {
        let wanted: Vec<ApprovalNeed> = deployed.iter().map(|d| need(generation, d)).collect();
        let recorded = fleet.record_deployments(groups, &wanted, view, now)?;
        Ok(Self { recorded: true, ..Self::new(generation, deployed, &recorded) })
    }

    /// What is deployed while the fleet cannot be written: what is recorded and still the same, as it is
    /// known; the rest with ids from the far end of their range, and always newer than the last view that
    /// was recorded, so that agents are sent it again until it is.
    pub(super) fn unrecorded(
        generation: &Generation,
        fleet: &Fleet,
        groups: &[Uuid],
        deployed: Vec<DeployedRevision>,
        view: u64,
        now: Timestamp,
    ) -> Result<Self, FleetError> {
        let wanted: Vec<ApprovalNeed> = deployed.iter().map(|d| need(generation, d)).collect();
        let known = fleet.recorded_deployments(groups, &wanted)?;
        let recorded: Vec<RecordedDeployment> = known
            .into_iter()
            .zip(not_recorded(view + 1, now))
            .map(|(known, new)| known.unwrap_or(new))
            .collect();
        Ok(Self::new(generation, deployed, &recorded))
    }

    /// The same without the fleet: ids from the far end of their range, everything changed now. The
    /// next view records other ids with a newer mark, so agents hear of them.
    pub(super) fn provisional(
        generation: &Generation,
        deployed: Vec<DeployedRevision>,
        view: u64,
        now: Timestamp,
    ) -> Self {
        let recorded: Vec<_> = not_recorded(view, now).take(deployed.len()).collect();
        Self::new(generation, deployed, &recorded)
    }

    fn new(
        generation: &Generation,
        deployed: Vec<DeployedRevision>,
        recorded: &[RecordedDeployment],
    ) -> Self {
        let marks = ChangeMarks::new(
            deployed.iter().zip(recorded).map(|(d, recorded)| (d.id, recorded.change)),
        );
        let graph = &generation.graph;
        let mut offers = HashMap::with_capacity(deployed.len());
        for (d, recorded) in deployed.iter().zip(recorded) {
            let deployment = Deployment {
                id: recorded.deployment_id,
                action: on_the_wire(d.action),
                deadline: d.deadline,
                changed: recorded.changed,
            };
            let offer = Offer { revision_id: d.id, deployment, is_leaf: graph.is_leaf(d.id) };
            let size = graph.identity(d.id).map_or(0, |i| generation.packs.core_size(&i));
            offers.insert(d.id, (offer, size));
        }
        let scope = Scope::new(graph, &deployed, marks.clone());
        Self { scope, marks, deployed, offers, recorded: false }
    }

    pub(super) fn offer(&self, id: RevisionId) -> Option<Offer> {
        self.offers.get(&id).map(|(offer, _)| *offer)
    }

    /// Bytes that the revision takes on a page.
    pub(super) fn core_size(&self, id: RevisionId) -> Option<u64> {
        self.offers.get(&id).map(|(_, size)| *size)
    }
}

/// Deployments that the fleet has not recorded: with ids from the far end of their range.
fn not_recorded(change: u64, changed: Timestamp) -> impl Iterator<Item = RecordedDeployment> {
    let ids = (0..=i32::MAX).rev();
    ids.map(move |deployment_id| RecordedDeployment { deployment_id, change, changed })
}

fn need(generation: &Generation, d: &DeployedRevision) -> ApprovalNeed {
    ApprovalNeed {
        revision: d.id,
        action: d.action.as_str(),
        deadline: d.deadline,
        is_leaf: generation.graph.is_leaf(d.id),
    }
}

/// All categories and what they need, as category scans deliver them.
pub(super) fn categories(generation: &Generation) -> Vec<DeployedRevision> {
    scope::category_closure(&generation.graph)
        .into_iter()
        .map(|id| DeployedRevision {
            id,
            action: scope::Action::Evaluate,
            deadline: None,
            approved: false,
        })
        .collect()
}

/// What the administrators decided.
///
/// # Errors
/// When the fleet cannot be read.
pub fn decisions(fleet: &Fleet) -> Result<Decisions, FleetError> {
    let groups = fleet.groups()?;
    let parents = groups.iter().filter_map(|g| Some((g.id, g.parent?)));
    let approvals = fleet.approvals()?.into_iter().map(|approval| Approval {
        update: approval.update,
        group: approval.group,
        decision: decision(approval.action),
        deadline: approval.deadline,
    });
    Ok(Decisions::new(Groups::new(parents), approvals, fleet.declined()?, fleet.accepted_eulas()?))
}

/// What an approval asks for.
pub fn decision(action: ApprovalAction) -> Decision {
    match action {
        ApprovalAction::Install => Decision::Install,
        ApprovalAction::OptionalInstall => Decision::OptionalInstall,
        ApprovalAction::Uninstall => Decision::Uninstall,
        ApprovalAction::Detect => Decision::Detect,
        ApprovalAction::Block => Decision::Block,
    }
}

fn on_the_wire(action: scope::Action) -> Action {
    match action {
        scope::Action::Evaluate => Action::Evaluate,
        scope::Action::PreDeploymentCheck => Action::PreDeploymentCheck,
        scope::Action::Bundle => Action::Bundle,
        scope::Action::OptionalInstall => Action::OptionalInstall,
        scope::Action::Install => Action::Install,
        scope::Action::Uninstall => Action::Uninstall,
    }
}
