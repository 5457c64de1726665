//! Who calls: the cookie of a downstream server. [MS-WSUSSS] 3.1.4.4

use uuid::Uuid;

use crate::{
    fleet::DownstreamDelivery,
    protocol::{ErrorCode, ProtocolFault, ProtocolVersion, server_sync::SyncCookie},
    server::{
        call::Call,
        failure::Failure,
        state::{server_state::ServerState, turned_away::TurnedAwayReason},
    },
};

/// A downstream server with a cookie that holds.
pub(super) struct DownstreamSession {
    /// Its id: a claim.
    pub(super) id: Uuid,
    /// What it speaks.
    pub(super) version: ProtocolVersion,
}

impl DownstreamSession {
    /// Checks the cookie of a request; there is no code for one that has expired.
    pub(super) fn open(
        state: &ServerState,
        call: &Call,
        cookie: Option<&SyncCookie>,
    ) -> Result<Self, Failure> {
        let bad = |why| ProtocolFault::new(ErrorCode::InvalidCookie, why);
        let cookie = cookie.ok_or_else(|| bad(""))?;
        let cookie = state.serving.get().sync_cookies.open_cookie(&cookie.data)?;
        if call.now > cookie.expires {
            return Err(bad("the cookie has expired").into());
        }
        let id = Uuid::try_parse(&cookie.client).map_err(|_| bad("the cookie is of no server"))?;
        if !state.settings.is_welcome(id) {
            state.turned_away.note(call.client(), TurnedAwayReason::NotListed, call.now);
            return Err(bad("this server is not in the list of downstream servers").into());
        }
        Ok(Self { id, version: cookie.version })
    }

    /// Notes what is delivered to it, for `tidegate status`.
    pub(super) fn note_delivery(
        &self,
        state: &ServerState,
        call: &Call,
        delivery: DownstreamDelivery,
    ) -> Result<(), Failure> {
        state.stores.try_write(|fleet| fleet.note_delivery(self.id, delivery, call.now))?;
        Ok(())
    }
}
