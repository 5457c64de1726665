//! The SimpleAuth service. [MS-WUSP] 3.1.5.3

use crate::{
    protocol::{
        AuthorizationCookie,
        simple_auth::{GetAuthorizationCookie, write_authorization_cookie},
    },
    server::{
        call::{Call, Pieces, Service},
        failure::Failure,
        state::server_state::ServerState,
    },
    soap::{Element, envelope},
};

/// Does what the operation asks; `None` if there is no such operation.
pub(crate) fn perform(
    app: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Option<Pieces>, Failure> {
    if &*operation.name != "GetAuthorizationCookie" {
        return Ok(None);
    }
    let request = GetAuthorizationCookie::read(operation)?;
    app.fleet().introduce(
        &request.client,
        &request.dns_name,
        request.target_group.as_deref(),
        call.now,
    )?;
    let cookie = AuthorizationCookie { client: request.client, expires: app.cookie_end(call.now) };
    let token = app.serving().cookies.seal_authorization(&cookie);
    let token = token.ok_or_else(|| Failure::internal("cannot seal a cookie"))?;
    let style = Service::SimpleAuth.style();
    Ok(Some(envelope(style, |w| write_authorization_cookie(&token, w))))
}
