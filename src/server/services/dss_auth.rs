//! The DssAuth service: a downstream server says who it is. [MS-WSUSSS] 3.1.4.2

use crate::{
    protocol::{
        AuthorizationCookie, ProtocolFault,
        server_sync::{DssAuthorization, GetAuthorizationCookie, Operation as _, PLUG_IN},
    },
    server::{
        call::{Call, Pieces, Service},
        failure::Failure,
        state::server_state::ServerState,
    },
    soap::{Element, envelope},
};

/// Does what the operation asks; `None` if there is no such operation. As on a WSUS, every name and
/// id will do, unless the administrator listed those that may come.
pub(crate) fn perform(
    app: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Option<Pieces>, Failure> {
    if &*operation.name != GetAuthorizationCookie::NAME {
        return Ok(None);
    }
    let request = GetAuthorizationCookie::read(operation)?;
    let id = request.account_guid.hyphenated().to_string();
    let name = request.account_name;
    if !app.is_welcome(request.account_guid) {
        tracing::warn!(name, id, "a server that is not in the list of downstream servers");
        return Err(ProtocolFault::invalid("accountGuid").into());
    }
    let kept = app.fleet().note_downstream(request.account_guid, &name, call.now)?;
    tracing::info!(name, id, kept, "a downstream server begins");
    let cookie = AuthorizationCookie { client: id, expires: app.sync_cookie_end(call.now) };
    let token = app.serving().sync_cookies.seal_authorization(&cookie);
    let data = token.ok_or_else(|| Failure::internal("cannot seal a cookie"))?;
    let answer = DssAuthorization { plug_in: PLUG_IN.to_owned(), data };
    Ok(Some(envelope(Service::DssAuth.style(), |w| answer.write(w))))
}
