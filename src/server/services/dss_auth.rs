//! The DssAuth service: a downstream server says who it is. [MS-WSUSSS] 3.1.4.2

use super::operation::Operations;
use crate::{
    protocol::{
        AuthorizationCookie, ProtocolFault,
        server_sync::{DssAuthorization, GetAuthorizationCookie, Operation as _, PLUG_IN},
    },
    server::{
        call::{Call, Pieces, Service},
        failure::{Failure, sealed},
        state::{
            secrets::sync_cookie_end, server_state::ServerState, turned_away::TurnedAwayReason,
        },
    },
    soap::Element,
};

pub(super) const OPERATIONS: Operations = &[(GetAuthorizationCookie::NAME, authorization_cookie)];

/// As on a WSUS, every name and id will do, unless the administrator listed those that may come.
fn authorization_cookie(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetAuthorizationCookie::read(operation)?;
    let id = request.account_guid.hyphenated().to_string();
    let name = request.account_name;
    if !state.settings.is_welcome(request.account_guid) {
        state.turned_away.note(call.client(), TurnedAwayReason::NotListed, call.now);
        if state.log_lines.allows(call.client()) {
            tracing::warn!(name, id, "a server that is not in the list of downstream servers");
        }
        return Err(ProtocolFault::invalid("accountGuid").into());
    }
    let address = call.address();
    let stored = state.stores.try_write(|fleet| {
        fleet.note_downstream_from(request.account_guid, &name, address.as_deref(), call.now)
    })?;
    let stored = stored.unwrap_or_default();
    tracing::info!(name, id, kept = stored, "a downstream server begins");
    let cookie = AuthorizationCookie { client: id, expires: sync_cookie_end(call.now) };
    let data = sealed(state.serving.get().sync_cookies.seal_authorization(&cookie))?;
    let answer = DssAuthorization { plug_in: PLUG_IN.to_owned(), data };
    Ok(Service::DssAuth.write(|w| answer.write(w)))
}
