//! How a downstream server comes to its cookie, and how we are set up. [MS-WSUSSS] 3.1.4.1 to 3.1.4.4

use uuid::Uuid;

use super::{anchor, languages, session::DownstreamSession};
use crate::{
    protocol::{
        Cookie, DateTime, ErrorCode, ProtocolFault, ProtocolVersion,
        server_sync::{
            AuthConfig, ConfigData, GetConfigData, GetCookie, MAX_UPDATES_PER_REQUEST,
            Operation as _, SERVICE_URL, SyncCookie,
        },
    },
    server::{
        call::{Call, Pieces, Service},
        failure::{Failure, sealed},
        state::{secrets::sync_cookie_end, server_state::ServerState},
    },
    soap::Element,
};

/// Moves when the configuration below is another one.
const CONFIGURATION: u64 = 1;
/// What we speak: that of WSUS 2016 and later.
pub(super) const VERSION: ProtocolVersion = ProtocolVersion { major: 1, minor: 20 };

pub(super) fn auth_config(state: &ServerState, _: &Call, _: &Element) -> Result<Pieces, Failure> {
    let last_change = DateTime(state.agent_config.last_change);
    let config = AuthConfig { last_change, service_url: SERVICE_URL.to_owned() };
    Ok(Service::ServerSync.write(|w| config.write(w)))
}

pub(super) fn cookie(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetCookie::read(operation)?;
    let serving = state.serving.get();
    let opened = serving.sync_cookies.open_authorization(&request.authorization.data, call.now)?;
    // All minor versions will do: each side uses what both know.
    if request.version.major != 1 {
        let why = format!("{} is spoken here, not {}", VERSION, request.version);
        return Err(ProtocolFault::new(ErrorCode::IncompatibleProtocolVersion, why).into());
    }
    let id = Uuid::try_parse(&opened.client).map_err(Failure::internal)?;
    let version = request.version.to_string();
    state.stores.try_write(|fleet| fleet.note_downstream_protocol(id, &version, call.now))?;
    tracing::info!(id = opened.client, version = %request.version, "a downstream server is in");
    let cookie = Cookie {
        client: opened.client,
        expires: sync_cookie_end(call.now).min(opened.expires),
        version: request.version,
        last_change: state.agent_config.last_change,
        anchor: 0,
    };
    let cookie = sealed(serving.sync_cookies.seal_cookie(&cookie))?;
    Ok(Service::ServerSync.write(|w| SyncCookie::write_answer(&cookie, w)))
}

pub(super) fn config_data(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetConfigData::read(operation)?;
    DownstreamSession::open(state, call, request.cookie.as_ref())?;
    let anchor = match &request.anchor {
        Some(text) => {
            Some(anchor::read(text).ok_or_else(|| ProtocolFault::invalid("configAnchor"))?)
        }
        None => None,
    };
    let unchanged = anchor == Some(CONFIGURATION);
    let config = ConfigData {
        // Else downstream servers would look for the files on the Internet.
        catalog_only_sync: false,
        // Not everything that is listed is here: what the mirror does not carry.
        lazy_sync: true,
        server_hosts_psf_files: false,
        max_updates: MAX_UPDATES_PER_REQUEST,
        max_driver_sets: 0,
        max_computer_ids: 0,
        max_pnp_hardware_ids: 0,
        anchor: anchor::write(CONFIGURATION, call.now),
        version: Some(VERSION.to_string()),
        languages: if unchanged { Vec::new() } else { languages::all() },
        max_decryption_updates: MAX_UPDATES_PER_REQUEST,
    };
    Ok(Service::ServerSync.write(|w| config.write(w)))
}
