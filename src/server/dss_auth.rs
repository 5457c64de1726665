//! The DssAuth service: a downstream server says who it is. [MS-WSUSSS] 3.1.4.2

use super::{
    app::App,
    exchange::{Call, Pieces, Service},
    failure::Failure,
};
use crate::{
    protocol::{
        AuthorizationCookie,
        server_sync::{DssAuthorization, GetAuthorizationCookie, Operation as _, PLUG_IN},
    },
    soap::{Element, envelope},
};

/// Does what the operation asks; `None` if there is no such operation. As on a WSUS, every name and
/// id will do.
pub(super) fn perform(
    app: &App,
    call: &Call,
    operation: &Element,
) -> Result<Option<Pieces>, Failure> {
    if &*operation.name != GetAuthorizationCookie::NAME {
        return Ok(None);
    }
    let request = GetAuthorizationCookie::read(operation)?;
    let id = request.account_guid.hyphenated().to_string();
    tracing::info!(name = request.account_name, id, "a downstream server begins");
    let cookie = AuthorizationCookie { client: id, expires: app.sync_cookie_end(call.now) };
    let token = app.serving().sync_cookies.seal_authorization(&cookie);
    let data = token.ok_or_else(|| Failure::internal("cannot seal a cookie"))?;
    let answer = DssAuthorization { plug_in: PLUG_IN.to_owned(), data };
    Ok(Some(envelope(Service::DssAuth.style(), |w| answer.write(w))))
}
