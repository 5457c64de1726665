//! How a client comes to its cookie. [MS-WUSP] 3.1.5.2 to 3.1.5.5

use super::written;
use crate::protocol::ErrorCode;
use crate::{
    protocol::{
        Cookie, ProtocolFault,
        client::{self, GetConfig, GetCookie, RegisterComputer, write_registered},
    },
    server::{
        call::{Call, Pieces},
        failure::Failure,
        state::server_state::ServerState,
    },
    soap::Element,
};

pub(super) fn config(app: &ServerState, operation: &Element) -> Result<Pieces, Failure> {
    GetConfig::read(operation)?;
    Ok(written(|w| app.config().write(w)))
}

pub(super) fn cookie(
    app: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetCookie::read(operation)?;
    let cookies = &app.serving().cookies;
    let client = cookies.open_authorization(&request.authorization, call.now)?.client;
    // What the client knows stays known, even if its cookie has expired.
    let anchor = match request.old_cookie {
        Some(token) => {
            let old = cookies.open_cookie(&token)?;
            if old.client == client { old.anchor } else { 0 }
        }
        None => 0,
    };
    let last_change = app.config().last_change;
    if request.last_change != last_change {
        return Err(ProtocolFault::new(
            ErrorCode::ConfigChanged,
            "lastChange is not the current one",
        )
        .into());
    }
    let cookie = Cookie {
        client,
        expires: app.cookie_end(call.now),
        version: request.version,
        last_change,
        anchor,
    };
    let sealed = cookies.seal_cookie(&cookie);
    let sealed = sealed.ok_or_else(|| Failure::internal("cannot seal a cookie"))?;
    Ok(written(|w| client::write_cookie(&sealed, w)))
}

pub(super) fn register(
    app: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = RegisterComputer::read(operation)?;
    let visit = app.visit(request.cookie.as_deref(), call.now)?;
    let details = serde_json::to_value(request.info).map_err(Failure::internal)?;
    app.fleet().register(&visit.cookie.client, &details, call.now)?;
    Ok(written(write_registered))
}
