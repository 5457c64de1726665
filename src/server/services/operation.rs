//! The handler of one operation, and the table of a service.

use crate::{
    server::{
        call::{Call, Pieces},
        failure::Failure,
        state::server_state::ServerState,
    },
    soap::Element,
};

/// Answers one operation: the state of the server, the call, the element in the body of the message.
/// Blocking.
pub(super) type Handler = fn(&ServerState, &Call, &Element) -> Result<Pieces, Failure>;

/// The operations of a service, by name.
pub(super) type Operations = &'static [(&'static str, Handler)];
