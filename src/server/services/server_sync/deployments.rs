//! What replicas take over: groups, approvals, declines, licences. [MS-WSUSSS] 3.1.4.10

use std::collections::HashSet;

use uuid::Uuid;

use super::{anchor, handshake::VERSION, session::DownstreamSession};
use crate::{
    catalog::Catalog,
    fleet::{
        ALL_COMPUTERS, ApprovalAction, DownstreamDelivery, Fleet, FleetError, Group,
        ReplicaChanges, ReplicatedApproval, ReplicatedDeployment, UNASSIGNED_COMPUTERS,
    },
    protocol::{
        DateTime, ErrorCode, ProtocolFault,
        server_sync::{
            DeploymentAction, Deployments, GetDeployments, Operation as _, SyncDeployment,
            SyncGroup,
        },
    },
    server::{
        call::{Call, Pieces, Service},
        failure::Failure,
        state::server_state::ServerState,
    },
    soap::Element,
    update::{UpdateId, UpdateIdentity},
};

/// Who approves here. Approvals do not name their administrator.
const ADMIN: &str = "Tidegate";
/// Neither urgent nor last.
const PRIORITY: u8 = 2;

pub(super) fn deployments(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetDeployments::read(operation)?;
    let session = DownstreamSession::open(state, call, request.cookie.as_ref())?;
    let since = match &request.deployment_anchor {
        Some(text) => {
            anchor::read(text).ok_or_else(|| ProtocolFault::invalid("deploymentAnchor"))?
        }
        None => 0,
    };
    let synced =
        anchor::read(&request.sync_anchor).ok_or_else(|| ProtocolFault::invalid("syncAnchor"))?;
    let catalog = state.stores.catalog_with_policy()?;
    if synced > catalog.change()? + 1 {
        let why = "syncAnchor is newer than this catalogue";
        return Err(ProtocolFault::new(ErrorCode::ServerChanged, why).into());
    }
    record(state, &catalog)?;
    // One look at all that the answer needs of the fleet.
    let shown = state.stores.read(|fleet| Shown::read(fleet, since))?;
    let ReplicaChanges::Changes { deployments, dead, mark } = shown.changes else {
        let why = "deploymentAnchor is not of this server's present state";
        return Err(ProtocolFault::new(ErrorCode::ServerChanged, why).into());
    };
    // A revision that no list has named to the replica yet would mean nothing to it: such deployments
    // wait, and with them the anchor.
    let (deployments, early): (Vec<_>, Vec<_>) =
        deployments.into_iter().partition(|d| d.approval.revision_change < synced);
    let mark = early.iter().map(|d| d.change - 1).min().unwrap_or(mark);
    let deployments = listed_below(state, &catalog, &session, deployments)?;
    let hidden = hidden(&catalog, &shown.declined)?;
    let eulas = shown.eulas;
    let answer = Deployments {
        anchor: anchor::write(mark, call.now),
        groups: groups(shown.groups),
        deployments: deployments.into_iter().map(on_the_wire).collect(),
        dead,
        hidden,
        accepted_eulas: eulas.iter().filter_map(|id| Uuid::try_parse(id).ok()).collect(),
    };
    session.note_delivery(state, call, DownstreamDelivery::Deployments(mark))?;
    tracing::debug!(
        deployments = answer.deployments.len(),
        known = since,
        mark,
        "deployments listed for a replica"
    );
    Ok(Service::ServerSync.write(|w| answer.write(w)))
}

/// What the fleet says to a replica.
struct Shown {
    changes: ReplicaChanges,
    declined: Vec<UpdateId>,
    eulas: Vec<String>,
    groups: Vec<Group>,
}

impl Shown {
    fn read(fleet: &Fleet, since: u64) -> Result<Self, FleetError> {
        Ok(Self {
            changes: fleet.replicated_since(since)?,
            declined: fleet.declined()?,
            eulas: fleet.accepted_eulas()?,
            groups: fleet.groups()?,
        })
    }
}

/// The deployments of those revisions that the lists for this replica name.
fn listed_below(
    state: &ServerState,
    catalog: &Catalog,
    session: &DownstreamSession,
    mut deployments: Vec<ReplicatedDeployment>,
) -> Result<Vec<ReplicatedDeployment>, Failure> {
    if session.version < VERSION {
        let mut listed = deployments.iter().map(|d| d.approval.identity).collect();
        state.downstream.newer_protocols().keep_compatible(
            catalog,
            session.version,
            &mut listed,
        )?;
        let listed: HashSet<UpdateIdentity> = listed.into_iter().collect();
        deployments.retain(|d| listed.contains(&d.approval.identity));
    }
    Ok(deployments)
}

/// Records the deployments for replicas again if anything changed since the last time.
///
/// The catalogue is asked before the fleet is locked: who writes there waits for no query on approvals.
fn record(state: &ServerState, catalog: &Catalog) -> Result<(), Failure> {
    let mut recorded = state.downstream.replicated();
    let catalogue = catalog.change()?;
    let (change, accepted, decided) = state.stores.read(|fleet| {
        // Read before what it counts: if a writer comes between, it is recorded once more.
        Ok((fleet.change()?, fleet.accepted_eulas()?, fleet.approvals()?))
    })?;
    let changes = (catalogue, change);
    if *recorded == Some(changes) {
        return Ok(());
    }
    let accepted: HashSet<String> = accepted.into_iter().collect();
    let mut approvals = Vec::new();
    for approval in decided {
        let Some(newest) = catalog.deployable(approval.update)? else {
            continue;
        };
        // As for agents: nothing expired but to be removed, nothing without its licence.
        let uninstall = approval.action == ApprovalAction::Uninstall;
        let licensed = newest.eula_id.as_ref().is_none_or(|eula| accepted.contains(eula));
        if !newest.installs || !uninstall && (newest.expired || !licensed) {
            continue;
        }
        approvals.push(ReplicatedApproval {
            identity: newest.identity,
            revision_change: newest.change,
            group: approval.group,
            action: approval.action,
            deadline: approval.deadline,
            go_live: approval.changed,
        });
    }
    state.stores.write(|fleet| fleet.replicate(&approvals))?;
    *recorded = Some(changes);
    Ok(())
}

/// Declined updates that are known here, and those that the mirror has withdrawn altogether: the
/// protocol has no other way to take an update back.
fn hidden(catalog: &Catalog, declined: &[UpdateId]) -> Result<Vec<Uuid>, Failure> {
    let declined: HashSet<UpdateId> = declined.iter().copied().collect();
    let mut updates = catalog.updates_and_withdrawal()?;
    updates.retain(|(update, is_withdrawn)| *is_withdrawn || declined.contains(update));
    let mut hidden: Vec<Uuid> = updates.into_iter().map(|(update, _)| update.0).collect();
    hidden.sort_unstable();
    Ok(hidden)
}

fn groups(groups: Vec<Group>) -> Vec<SyncGroup> {
    let groups = groups.into_iter().map(|group| SyncGroup {
        id: group.id,
        parent: group.parent.unwrap_or_default(),
        name: group.name,
        builtin: [ALL_COMPUTERS, UNASSIGNED_COMPUTERS].contains(&group.id),
    });
    groups.collect()
}

fn on_the_wire(deployment: ReplicatedDeployment) -> SyncDeployment {
    let ReplicatedDeployment { id, approval, .. } = deployment;
    SyncDeployment {
        identity: approval.identity,
        action: match approval.action {
            ApprovalAction::Install | ApprovalAction::OptionalInstall => DeploymentAction::Install,
            ApprovalAction::Uninstall => DeploymentAction::Uninstall,
            ApprovalAction::Detect => DeploymentAction::Scan,
            ApprovalAction::Block => DeploymentAction::Block,
        },
        admin: ADMIN.to_owned(),
        deadline: approval.deadline.map(DateTime),
        // There are four actions only: what agents install by themselves is assigned to them.
        assigned: approval.action != ApprovalAction::OptionalInstall,
        go_live: DateTime(approval.go_live),
        id,
        group: approval.group,
        priority: PRIORITY,
    }
}
