//! The session of an agent: its cookie, checked. [MS-WUSP] 3.1.5

use std::sync::Arc;

use jiff::Timestamp;

use crate::{
    protocol::{Cookie, ErrorCode, ProtocolFault},
    server::{
        failure::Failure,
        state::{server_state::ServerState, serving::Serving},
    },
};

/// An agent with a cookie that holds.
pub(super) struct AgentSession {
    /// What is served to it.
    pub(super) serving: Arc<Serving>,
    /// What its cookie says.
    pub(super) cookie: Cookie,
}

impl AgentSession {
    /// Checks the cookie of a request.
    pub(super) fn open(
        state: &ServerState,
        token: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let serving = state.serving.get();
        let none = || ProtocolFault::new(ErrorCode::InvalidCookie, "there is no cookie");
        let cookie = serving.cookies.open_cookie(token.ok_or_else(none)?)?;
        if now > cookie.expires {
            return Err(
                ProtocolFault::new(ErrorCode::CookieExpired, "the cookie has expired").into()
            );
        }
        Ok(Self { serving, cookie })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use jiff::SignedDuration;

    use super::*;
    use crate::{
        data_dir::{DataDir, Side},
        protocol::ProtocolVersion,
        server::{
            options::{Addresses, ServeOptions},
            state::secrets::agent_cookie_end,
        },
    };

    #[test]
    fn a_cookie_holds_for_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let side = Side::Isolated { site: "plant-7".to_owned() };
        let data = DataDir::init(folder.path(), side).unwrap();
        let local = SocketAddr::from(([127, 0, 0, 1], 8530));
        let addresses = Addresses { plain: Some(local), tls: None };
        let state = ServerState::open(data, ServeOptions::new(local), addresses).unwrap();
        let now = Timestamp::now();
        let cookie = Cookie {
            client: "pc-1".to_owned(),
            expires: agent_cookie_end(now),
            version: ProtocolVersion { major: 2, minor: 90 },
            last_change: state.agent_config.last_change,
            anchor: 3,
        };
        let token = state.serving.get().cookies.seal_cookie(&cookie).unwrap().data;
        let open = |token, at| {
            AgentSession::open(&state, token, at)
                .map(|session| session.cookie.anchor)
                .map_err(|failure| failure.fault().unwrap().code)
        };
        let after = |minutes| open(Some(&token), now + SignedDuration::from_mins(minutes));
        assert_eq!(after(0), Ok(3));
        assert_eq!(after(59), Ok(3));
        assert_eq!(after(61), Err(ErrorCode::CookieExpired));
        assert_eq!(open(None, now), Err(ErrorCode::InvalidCookie));
    }
}
