//! How a client comes to its cookie. [MS-WUSP] 3.1.5.2 to 3.1.5.5

use crate::{
    protocol::{
        Cookie, ErrorCode, ProtocolFault,
        client::{self, GetConfig, GetCookie, RegisterComputer, write_registered},
    },
    server::{
        call::{Call, Pieces, Service},
        failure::{Failure, sealed},
        services::agent_session::AgentSession,
        state::{secrets::agent_cookie_end, server_state::ServerState},
    },
    soap::Element,
};

pub(super) fn config(
    state: &ServerState,
    _: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    GetConfig::read(operation)?;
    Ok(Service::Client.write(|w| state.agent_config.write(w)))
}

pub(super) fn cookie(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetCookie::read(operation)?;
    let serving = state.serving.get();
    let cookies = &serving.cookies;
    let client = cookies.open_authorization(&request.authorization, call.now)?.client;
    // What the client knows stays known, even if its cookie has expired.
    let anchor = match request.old_cookie {
        Some(token) => {
            let old = cookies.open_cookie(&token)?;
            if old.client == client { old.anchor } else { 0 }
        }
        None => 0,
    };
    let last_change = state.agent_config.last_change;
    if request.last_change != last_change {
        return Err(ProtocolFault::new(
            ErrorCode::ConfigChanged,
            "lastChange is not the current one",
        )
        .into());
    }
    let cookie = Cookie {
        client,
        expires: agent_cookie_end(call.now),
        version: request.version,
        last_change,
        anchor,
    };
    let cookie = sealed(cookies.seal_cookie(&cookie))?;
    Ok(Service::Client.write(|w| client::write_cookie(&cookie, w)))
}

pub(super) fn register(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = RegisterComputer::read(operation)?;
    let session = AgentSession::open(state, request.cookie.as_deref(), call.now)?;
    let details = serde_json::to_value(request.info).map_err(Failure::internal)?;
    let (client, address) = (&session.cookie.client, call.address());
    state.contacts.register(&state.stores, client, address, &details, call.now)?;
    Ok(Service::Client.write(write_registered))
}
