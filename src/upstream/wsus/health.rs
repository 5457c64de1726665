//! How an upstream server is, without synchronizing from it.

use jiff::SignedDuration;
use reqwest::Url;
use uuid::Uuid;

use super::{error::UpstreamError, facts::UpstreamFacts, session::Session};
use crate::{certificate::Validity, upstream::client::ConnectionOptions};

/// How often a call is tried. Few times: a check of health must not take long.
const ATTEMPTS: u32 = 2;

/// What was found when a server was asked for everything that comes before a list.
#[derive(Debug)]
pub struct Health {
    /// What it says of itself, or what stands in the way. GetAuthConfig, GetAuthorizationCookie,
    /// GetCookie and GetConfigData, [MS-WUSSS] 3.1.4.1 to 3.1.4.4.
    pub answers: Result<UpstreamFacts, UpstreamError>,
    /// From when to when its certificate holds; `None` without TLS, and when no connection came
    /// about.
    pub certificate: Option<Validity>,
    /// How far its clock is ahead of ours, to the second; `None` when its answers carry no date.
    pub clock_ahead: Option<SignedDuration>,
}

/// Asks the server at `base` how it is. Nothing is stored.
pub fn health(base: &Url, account: Uuid, options: &ConnectionOptions) -> Health {
    let options = ConnectionOptions { attempts: ATTEMPTS, ..options.clone() };
    let session = match Session::new(base, account, &options) {
        Ok(session) => session,
        Err(error) => return Health { answers: Err(error), certificate: None, clock_ahead: None },
    };
    let answers = session.config().map(|config| UpstreamFacts::from(&config));
    let facts = session.channel.last_facts();
    Health { answers, certificate: facts.certificate, clock_ahead: facts.clock_ahead }
}
