//! What the servers of a site share through the fleet: their ids and the key of their cookies.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::stores::Stores;
use crate::{protocol::CookieSealer, server::error::ServerError};

/// How long the cookie of an agent lives: as on a WSUS.
const AGENT_COOKIE_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// How long the cookie of a downstream server lives: as on a WSUS.
const SYNC_COOKIE_LIFE: SignedDuration = SignedDuration::from_mins(240);

/// What the servers of a site share through the fleet.
pub(crate) struct SiteSecrets {
    server_id: Uuid,
    rollup_reset: Uuid,
    cookie_key: [u8; 32],
}

impl SiteSecrets {
    /// Reads the secrets; the first server of a site makes them.
    pub(super) fn load(stores: &Stores) -> Result<Self, ServerError> {
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| ServerError::Random)?;
        let stored = |name: &str, new: &[u8]| {
            let value = stores.value_or_insert(name, new)?;
            Ok::<_, ServerError>((value, ServerError::Value { key: name.to_owned() }))
        };
        let (value, damaged) = stored("cookie-key", &key)?;
        let cookie_key = value.try_into().map_err(|_| damaged)?;
        let (value, damaged) = stored("server-id", Uuid::new_v4().as_bytes())?;
        let server_id = Uuid::from_slice(&value).map_err(|_| damaged)?;
        let (value, damaged) = stored("rollup-reset", Uuid::new_v4().as_bytes())?;
        let rollup_reset = Uuid::from_slice(&value).map_err(|_| damaged)?;
        Ok(Self { server_id, rollup_reset, cookie_key })
    }

    /// How downstream servers know this one.
    pub(crate) fn server_id(&self) -> Uuid {
        self.server_id
    }

    /// Changes when all that downstream servers reported is lost: they report it again.
    pub(crate) fn rollup_reset(&self) -> Uuid {
        self.rollup_reset
    }

    /// Seals the cookies of agents. They say which numbering they belong to: another mirror numbers
    /// its revisions differently, and agents must then get `ServerChanged`.
    pub(super) fn agent_sealer(
        &self,
        numbering: Option<Uuid>,
    ) -> Result<CookieSealer, ServerError> {
        self.sealer(self.server_id, numbering)
    }

    /// Seals the cookies of downstream servers. The catalogue of another mirror counts its changes
    /// differently, so these too say which numbering they belong to.
    pub(super) fn sync_sealer(&self, numbering: Option<Uuid>) -> Result<CookieSealer, ServerError> {
        self.sealer(Uuid::new_v5(&self.server_id, b"server-sync"), numbering)
    }

    fn sealer(&self, issuer: Uuid, numbering: Option<Uuid>) -> Result<CookieSealer, ServerError> {
        let issuer = numbering.map_or(issuer, |mirror| Uuid::new_v5(&issuer, mirror.as_bytes()));
        CookieSealer::new(&self.cookie_key, issuer).ok_or(ServerError::Random)
    }
}

/// When a cookie of an agent ends that is made now.
pub(crate) fn agent_cookie_end(now: Timestamp) -> Timestamp {
    // Sealed cookies hold microseconds: every answer must state the same time to an agent.
    let end = now.checked_add(AGENT_COOKIE_LIFE).unwrap_or(Timestamp::MAX);
    Timestamp::from_microsecond(end.as_microsecond()).unwrap_or(end)
}

/// When a cookie of a downstream server ends that is made now.
pub(crate) fn sync_cookie_end(now: Timestamp) -> Timestamp {
    now.checked_add(SYNC_COOKIE_LIFE).unwrap_or(Timestamp::MAX)
}
