//! The SimpleAuth service. [MS-WUSP] 3.1.5.3

use super::operation::Operations;
use crate::{
    error_chain::chain,
    fleet::{FleetError, Introduction},
    protocol::{
        AuthorizationCookie, ProtocolFault,
        simple_auth::{GetAuthorizationCookie, write_authorization_cookie},
    },
    server::{
        call::{Call, Pieces, Service},
        failure::{Failure, sealed},
        state::{
            secrets::agent_cookie_end, server_state::ServerState, turned_away::TurnedAwayReason,
        },
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
    let introduction = Introduction {
        id: request.client.clone(),
        dns_name: request.dns_name,
        requested_group: request.target_group,
        address: call.address(),
    };
    match state.contacts.introduce(&state.stores, introduction, call.now) {
        Err(FleetError::Invalid { .. }) => return Err(ProtocolFault::invalid("clientId").into()),
        Err(error @ FleetError::NoRoom) => {
            state.turned_away.note(call.client(), TurnedAwayReason::NoRoom, call.now);
            if state.log_lines.allows(call.client()) {
                tracing::warn!(error = chain(&error), "a new computer is refused");
            }
            return Err(error.into());
        }
        groups => say_missing_groups(state, call, &request.client, &groups?),
    }
    let expires = agent_cookie_end(call.now);
    let cookie = AuthorizationCookie { client: request.client, expires };
    let token = sealed(state.serving.get().cookies.seal_authorization(&cookie))?;
    Ok(Service::SimpleAuth.write(|w| write_authorization_cookie(&token, w)))
}

/// Says that a computer asks for groups that do not exist.
fn say_missing_groups(state: &ServerState, call: &Call, computer: &str, groups: &[String]) {
    if !groups.is_empty() && state.log_lines.allows(call.client()) {
        let groups = groups.join("; ");
        tracing::warn!(
            computer,
            groups,
            "a computer asks for groups that do not exist: make them with `tidegate groups add`, or correct TargetGroup on the computer"
        );
    }
}
