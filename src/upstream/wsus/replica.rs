//! The third phase of a replica's synchronization: groups, approvals, declines and licences as the
//! upstream has them. [MS-WUSSS] 3.2.4.3

use reqwest::Url;

use super::{error::UpstreamError, session::Session, upstream_record::known_upstreams};
use crate::{
    catalog::{Catalog, CatalogError},
    fleet::{
        ApprovalAction, Fleet, FleetError, ReplicaReport, UpstreamDecisions, UpstreamDeployment,
        UpstreamGroup,
    },
    protocol::{
        ErrorCode,
        server_sync::{DeploymentAction, Deployments, GetDeployments, SyncDeployment},
    },
    soap::MessageLimits,
    update::UpdateId,
    upstream::report::SyncOptions,
};

/// Bytes and elements of an answer: 300,000 deployments, of eleven elements and 650 bytes each. The
/// largest WSUS have some ten thousand approvals.
const DEPLOYMENTS: usize = 192 * 1024 * 1024;
const ELEMENTS: usize = 3_500_000;

/// Why the decisions of the upstream could not be taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplicaError {
    /// The upstream did not answer, or not well.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The fleet failed, or what the upstream decided makes no sense.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Decisions refer to updates, which come first.
    #[error(
        "the updates of {url} are not synchronized yet: run `tidegate sync --replica --from {url}` without --categories-only"
    )]
    NoUpdates {
        /// The upstream.
        url: String,
    },
}

/// Makes groups, approvals, declines and accepted licences those of the server at `base`, which
/// the catalogue has been synchronized from. With the first call this becomes a replica.
///
/// # Errors
/// When the server does not answer, refuses, or its answer makes no sense; then nothing changed.
pub fn replicate(
    base: &Url,
    catalog: &Catalog,
    fleet: &mut Fleet,
    options: &SyncOptions,
) -> Result<ReplicaReport, ReplicaError> {
    let url = base.to_string();
    let record = known_upstreams(catalog)?.into_iter().find(|record| record.url == url);
    let sync_anchor = record
        .and_then(|record| record.anchor)
        .ok_or_else(|| ReplicaError::NoUpdates { url: url.clone() })?;
    let account = catalog.mirror_id()?.unwrap_or_default();
    let session = Session::new(base, account, &options.upstream.connection)?;
    let mut anchor = fleet.replica_anchor(&url)?;
    let answer = loop {
        match deployments(&session, anchor.as_deref(), &sync_anchor) {
            // It was replaced or restored and does not know our anchor: everything is asked for, once.
            Err(e) if anchor.is_some() && is_about_anchors(&e) => {
                tracing::warn!(error = %e, "the upstream server refuses our anchor; asking for all deployments");
                anchor = None;
            }
            answer => break answer?,
        }
    };
    let decisions = decisions(url, anchor.is_none(), answer);
    Ok(fleet.take_over(&decisions, options.now)?)
}

fn deployments(
    session: &Session,
    anchor: Option<&str>,
    sync_anchor: &str,
) -> Result<Deployments, UpstreamError> {
    let ask = |cookie| GetDeployments {
        cookie: Some(cookie),
        deployment_anchor: anchor.map(str::to_owned),
        sync_anchor: sync_anchor.to_owned(),
    };
    let limits =
        MessageLimits { bytes: DEPLOYMENTS, elements: ELEMENTS, ..MessageLimits::default() };
    session.ask_within(&limits, &ask)
}

fn is_about_anchors(error: &UpstreamError) -> bool {
    error.is_fault(ErrorCode::InvalidParameters) || error.is_fault(ErrorCode::ServerChanged)
}

/// The answer as decisions of the fleet.
fn decisions(upstream: String, whole: bool, answer: Deployments) -> UpstreamDecisions {
    let updates = |ids: Vec<uuid::Uuid>| ids.into_iter().map(UpdateId).collect();
    UpstreamDecisions {
        upstream,
        anchor: answer.anchor,
        whole,
        groups: answer
            .groups
            .into_iter()
            .map(|group| UpstreamGroup { id: group.id, parent: group.parent, name: group.name })
            .collect(),
        deployments: answer.deployments.into_iter().map(deployment).collect(),
        dead: answer.dead,
        hidden: updates(answer.hidden),
        accepted_eulas: answer.accepted_eulas,
    }
}

fn deployment(deployment: SyncDeployment) -> UpstreamDeployment {
    let action = match deployment.action {
        // An installation that is not assigned is offered, and people choose.
        DeploymentAction::Install if !deployment.assigned => ApprovalAction::OptionalInstall,
        DeploymentAction::Install => ApprovalAction::Install,
        DeploymentAction::Uninstall => ApprovalAction::Uninstall,
        DeploymentAction::Scan => ApprovalAction::Detect,
        DeploymentAction::Block => ApprovalAction::Block,
    };
    UpstreamDeployment {
        id: deployment.id,
        identity: deployment.identity,
        group: deployment.group,
        action,
        deadline: deployment.deadline.map(|deadline| deadline.0),
        admin: deployment.admin,
        go_live: deployment.go_live.0,
        priority: deployment.priority,
    }
}
