//! What a WSUS asks only of Microsoft; the limits of 0 in our configuration say that we do not answer.

use super::session::DownstreamSession;
use crate::{
    protocol::{
        ProtocolFault,
        server_sync::{GetDriverIdList, GetDriverSetData, Operation as _},
    },
    server::{
        call::{Call, Pieces},
        failure::Failure,
        state::server_state::ServerState,
    },
    soap::Element,
};

pub(super) fn driver_id_list(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    DownstreamSession::open(state, call, GetDriverIdList::read(operation)?.cookie.as_ref())?;
    Err(ProtocolFault::invalid("filter").into())
}

pub(super) fn driver_set_data(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    DownstreamSession::open(state, call, GetDriverSetData::read(operation)?.cookie.as_ref())?;
    Err(ProtocolFault::invalid("driverSets").into())
}
