//! Which operation of which service answers a message.

use super::{client, dss_auth, operation::Handler, reporting, rollup, server_sync, simple_auth};
use crate::{
    protocol::{
        DateTime, ProtocolFault,
        server_sync::{Operation as _, Ping, Pong},
    },
    server::{
        call::{Call, Pieces, Service},
        failure::Failure,
        state::server_state::ServerState,
    },
    soap::Element,
};

/// Does what the element in the body of a message asks. Blocking.
pub(crate) fn perform(
    state: &ServerState,
    service: Service,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    // Both services between servers have it, in the same namespace.
    if service.is_between_servers() && operation.has_name(Ping::NAMESPACE, Ping::NAME) {
        return ping(service, call, operation);
    }
    let Some(handler) = handler(service, operation) else {
        let name: String = operation.name.chars().take(100).collect();
        let why = format!("{name} is not an operation of this service");
        return Err(ProtocolFault::invalid(why).into());
    };
    let pieces = handler(state, call, operation)?;
    tracing::debug!(
        operation = &*operation.name,
        peer = call.peer.map(tracing::field::display),
        "answered"
    );
    Ok(pieces)
}

fn handler(service: Service, operation: &Element) -> Option<Handler> {
    let tables = match service {
        Service::Client => [client::OPERATIONS, &[]],
        Service::SimpleAuth => [simple_auth::OPERATIONS, &[]],
        Service::Reporting => [reporting::OPERATIONS, rollup::OPERATIONS],
        Service::ServerSync => [server_sync::OPERATIONS, &[]],
        Service::DssAuth => [dss_auth::OPERATIONS, &[]],
    };
    let mut operations = tables.into_iter().flatten();
    let (_, handler) =
        operations.find(|(name, _)| operation.has_name(service.namespace(), name))?;
    Some(*handler)
}

fn ping(service: Service, call: &Call, operation: &Element) -> Result<Pieces, Failure> {
    Ping::read(operation)?;
    let name = if service == Service::DssAuth { "DssAuth" } else { "ServerSync" };
    let pong = Pong { success: true, time: DateTime(call.now) };
    Ok(service.write(|w| pong.write(name, w)))
}
