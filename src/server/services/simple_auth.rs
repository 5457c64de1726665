//! The SimpleAuth service. [MS-WUSP] 3.1.5.3

use super::operation::Operations;
use crate::{
    protocol::{
        AuthorizationCookie,
        simple_auth::{GetAuthorizationCookie, write_authorization_cookie},
    },
    server::{
        call::{Call, Pieces, Service},
        failure::{Failure, sealed},
        state::{secrets::agent_cookie_end, server_state::ServerState},
    },
    soap::Element,
};

pub(super) const OPERATIONS: Operations = &[("GetAuthorizationCookie", authorization_cookie)];

fn authorization_cookie(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetAuthorizationCookie::read(operation)?;
    state.stores.fleet().introduce(
        &request.client,
        &request.dns_name,
        request.target_group.as_deref(),
        call.now,
    )?;
    let expires = agent_cookie_end(call.now);
    let cookie = AuthorizationCookie { client: request.client, expires };
    let token = sealed(state.serving.get().cookies.seal_authorization(&cookie))?;
    Ok(Service::SimpleAuth.write(|w| write_authorization_cookie(&token, w)))
}
