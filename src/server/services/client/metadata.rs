//! More about what a client found applicable. [MS-WUSP] 3.1.5.9

use std::collections::HashSet;

use bundle_format::digest::Sha1;

use super::locations::Locations;
use crate::{
    protocol::client::{
        ExtendedInfo, FragmentType, FragmentUpdate, GetExtendedUpdateInfo, GetExtendedUpdateInfo2,
    },
    server::{
        call::{Call, Pieces, Service, StoredPiece},
        failure::Failure,
        pack::fragment::{FragmentKind, PackedFragment},
        services::agent_session::AgentSession,
        state::server_state::ServerState,
        view::serving_view::View,
    },
    soap::Element,
    update::RevisionId,
};

pub(super) fn by_number(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetExtendedUpdateInfo::read(operation)?;
    let session = AgentSession::open(state, request.cookie.as_deref(), call.now)?;
    let ids = request.revision_ids.into_iter().map(RevisionId).collect();
    let wanted = FragmentQuery {
        types: request.info_types,
        locales: request.locales,
        geo_id: request.geo_id,
    };
    let info = gather(state, call, &session, ids, &wanted)?;
    Ok(Service::Client.write(|w| info.write("GetExtendedUpdateInfo", w)))
}

pub(super) fn by_identity(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetExtendedUpdateInfo2::read(operation)?;
    let session = AgentSession::open(state, request.cookie.as_deref(), call.now)?;
    let view = &session.serving.view;
    let ids = request.identities.iter().filter_map(|identity| view.lookup(identity)).collect();
    let wanted = FragmentQuery {
        types: request.info_types,
        locales: request.locales,
        geo_id: request.geo_id,
    };
    let wants_keys = wanted.types.contains(&FragmentType::FileDecryption);
    let mut info = gather(state, call, &session, ids, &wanted)?;
    if wants_keys {
        info.keys = keys(state, &info)?;
    }
    Ok(Service::Client.write(|w| info.write("GetExtendedUpdateInfo2", w)))
}

struct FragmentQuery {
    types: Vec<FragmentType>,
    locales: Vec<String>,
    geo_id: Option<String>,
}

/// All fragments of the first type, then all of the second, and so on; files come unasked.
fn gather(
    state: &ServerState,
    call: &Call,
    session: &AgentSession,
    mut ids: Vec<RevisionId>,
    wanted: &FragmentQuery,
) -> Result<ExtendedInfo<StoredPiece>, Failure> {
    let view = &session.serving.view;
    let groups = state.stores.read(|fleet| fleet.groups_of(&session.cookie.client))?;
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(*id));
    let (deployed, unknown): (Vec<_>, Vec<_>) =
        ids.into_iter().partition(|id| view.offer(&groups, *id).is_some());

    let mut updates = Vec::new();
    for kind in &wanted.types {
        for id in &deployed {
            let found = fragments(view, *id, *kind, wanted)?;
            updates
                .extend(found.into_iter().map(|xml| FragmentUpdate { id: id.0, xml: xml.into() }));
        }
    }
    let mut locations = Locations::new(state, call);
    for id in &deployed {
        for file in view.files(*id) {
            // Another document may name the same file, and its bytes be here by that.
            locations.add(if file.present { Some(file) } else { view.file(&file.sha1) });
        }
    }
    let out_of_scope = unknown.into_iter().map(|id| id.0).collect();
    Ok(ExtendedInfo { updates, locations: locations.found, out_of_scope, keys: Vec::new() })
}

/// Keys of the files whose locations are in the answer: of nothing that is not deployed to this client.
fn keys(
    state: &ServerState,
    info: &ExtendedInfo<StoredPiece>,
) -> Result<Vec<(Sha1, Vec<u8>)>, Failure> {
    let catalog = state.stores.catalog()?;
    let mut keys = Vec::new();
    for file in &info.locations.0 {
        let key = catalog.key_of(&file.digest)?;
        keys.extend(key.map(|key| (file.digest, key)));
    }
    Ok(keys)
}

fn fragments(
    view: &View,
    id: RevisionId,
    kind: FragmentType,
    wanted: &FragmentQuery,
) -> Result<Vec<PackedFragment>, Failure> {
    let locales: Vec<&str> = wanted.locales.iter().map(String::as_str).collect();
    Ok(match kind {
        FragmentType::Core => view.fragment(id, FragmentKind::Core)?.into_iter().collect(),
        FragmentType::Extended => view.fragment(id, FragmentKind::Extended)?.into_iter().collect(),
        FragmentType::LocalizedProperties => view.localized(id, &locales)?,
        FragmentType::Eula => view.eulas(id, &locales, wanted.geo_id.as_deref())?,
        // No rule makes these; locations come in any case, keys apart.
        FragmentType::Published
        | FragmentType::VerificationRule
        | FragmentType::FileUrl
        | FragmentType::FileDecryption => Vec::new(),
    })
}
