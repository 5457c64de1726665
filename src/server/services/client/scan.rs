//! What is there for a client. [MS-WUSP] 3.1.5.7, 3.1.5.8, 3.1.5.12

use crate::{
    protocol::{
        Cookie, EncodedCookie, ErrorCode, ProtocolFault, ProtocolVersion,
        client::{
            Action, Deployment, RefreshCache, RefreshedRevision, SyncInfo, SyncPrinterCatalog,
            SyncUpdates, UpdateInfo, write_refreshed,
        },
    },
    server::{
        call::{Call, Pieces, Service, StoredPiece},
        failure::{Failure, sealed},
        pack::fragment::FragmentKind,
        services::agent_session::AgentSession,
        state::{server_state::ServerState, serving::Serving},
        view::{
            deployments::{self, Offer},
            query::{SyncAnswer, SyncQuery},
        },
    },
    soap::Element,
};

pub(super) fn sync_updates(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = SyncUpdates::read(operation)?;
    let session = admit(state, call, request.cookie.as_deref())?;
    let AgentSession { serving, cookie } = &session;
    let version = cookie.version;
    let answer = if request.skip_software {
        // No driver is offered: whatever is cached of them may go.
        SyncAnswer {
            out_of_scope: request.cached_drivers,
            anchor: cookie.anchor,
            driver_sync_not_needed: true,
            ..SyncAnswer::default()
        }
    } else {
        let groups = state.stores.read(|fleet| fleet.groups_of(&cookie.client))?;
        // Older clients do not know category scans.
        let category_scans = version >= ProtocolVersion::CATEGORY_SCANS;
        serving.view.sync(&SyncQuery {
            groups: &groups,
            installed: &request.installed_non_leaf,
            cached: &request.other_cached,
            filter: if category_scans { &request.filter } else { &[] },
            anchor: cookie.anchor,
            two_groups: category_scans && request.two_groups,
        })
    };
    state.contacts.note_scan(&cookie.client, call.address(), call.now);
    let info = SyncInfo {
        cookie: renewed(serving, cookie, answer.anchor)?,
        new: with_core(serving, &answer.new)?,
        out_of_scope: answer.out_of_scope,
        changed: answer.changed.iter().map(|offer| update_info(offer, None)).collect(),
        truncated: answer.truncated,
        deployed_out_of_scope: answer.deployed_out_of_scope,
        driver_sync_not_needed: answer.driver_sync_not_needed,
    };
    Ok(Service::Client.write(|w| info.write("SyncUpdates", version, w)))
}

/// There are no printer drivers here.
pub(super) fn sync_printers(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = SyncPrinterCatalog::read(operation)?;
    let AgentSession { serving, cookie } = admit(state, call, request.cookie.as_deref())?;
    let info = SyncInfo {
        new: Vec::new(),
        out_of_scope: request.cached,
        changed: Vec::new(),
        truncated: false,
        cookie: renewed(&serving, &cookie, cookie.anchor)?,
        deployed_out_of_scope: Vec::new(),
        driver_sync_not_needed: true,
    };
    Ok(Service::Client.write(|w| info.write("SyncPrinterCatalog", cookie.version, w)))
}

pub(super) fn refresh_cache(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = RefreshCache::read(operation)?;
    let AgentSession { serving, cookie } =
        AgentSession::open(state, request.cookie.as_deref(), call.now)?;
    let groups = state.stores.read(|fleet| fleet.groups_of(&cookie.client))?;
    let view = &serving.view;
    let revisions: Vec<RefreshedRevision> = request
        .identities
        .into_iter()
        .filter_map(|identity| {
            let offer = view.offer(&groups, view.lookup(&identity)?)?;
            // A WSUS leaves these out; they come again with the update that bundles them.
            (offer.deployment.action != Action::Bundle).then(|| RefreshedRevision {
                id: offer.revision_id.0,
                identity,
                is_leaf: offer.is_leaf,
                deployment: on_the_wire(&offer.deployment),
            })
        })
        .collect();
    Ok(Service::Client.write(|w| write_refreshed(&revisions, cookie.version, w)))
}

/// A session of a client that may synchronize: its configuration is current, and the computer is known.
fn admit(state: &ServerState, call: &Call, token: Option<&[u8]>) -> Result<AgentSession, Failure> {
    let session = AgentSession::open(state, token, call.now)?;
    if session.cookie.last_change != state.agent_config.last_change {
        return Err(
            ProtocolFault::new(ErrorCode::ConfigChanged, "the configuration changed").into()
        );
    }
    if state.agent_config.registration_required
        && !state.contacts.is_registered(&state.stores, &session.cookie.client)?
    {
        return Err(ProtocolFault::new(ErrorCode::RegistrationRequired, "not registered").into());
    }
    Ok(session)
}

/// The same cookie with what the client now knows. Use does not make it live longer.
fn renewed(serving: &Serving, cookie: &Cookie, anchor: u64) -> Result<EncodedCookie, Failure> {
    let cookie = Cookie { anchor, ..cookie.clone() };
    sealed(serving.cookies.seal_cookie(&cookie))
}

fn with_core(serving: &Serving, offers: &[Offer]) -> Result<Vec<UpdateInfo<StoredPiece>>, Failure> {
    let mut updates = Vec::with_capacity(offers.len());
    for offer in offers {
        match serving.view.fragment(offer.revision_id, FragmentKind::Core)? {
            Some(core) => updates.push(update_info(offer, Some(core.into()))),
            // What has no fragment is not in a view.
            None => tracing::error!(revision = %offer.revision_id, "a revision has no fragment"),
        }
    }
    Ok(updates)
}

fn update_info(offer: &Offer, xml: Option<StoredPiece>) -> UpdateInfo<StoredPiece> {
    UpdateInfo {
        id: offer.revision_id.0,
        deployment: on_the_wire(&offer.deployment),
        is_leaf: offer.is_leaf,
        xml,
    }
}

fn on_the_wire(deployment: &deployments::Deployment) -> Deployment {
    Deployment {
        id: deployment.id,
        action: deployment.action,
        deadline: deployment.deadline,
        changed: deployment.changed,
    }
}
