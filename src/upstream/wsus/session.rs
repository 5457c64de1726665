//! The handshake, and a cookie that is renewed whenever it must be.
//! [MS-WUSSS] 3.2.4.1

use std::{
    io::{self, Read},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use bundle_format::digest::Sha1;
use jiff::Timestamp;
use reqwest::Url;
use uuid::Uuid;

use super::{
    channel::{Call, Channel},
    error::UpstreamError,
    spool::ResponseSpool,
};
use crate::{
    protocol::{
        DateTime, ErrorCode, ProtocolVersion,
        rollup::REPORTING_PATH,
        server_sync::{
            AnswerError, ConfigData, DownloadFiles, GetAuthConfig, GetAuthorizationCookie,
            GetConfigData, GetCookie, GetRevisionIdList, GetUpdateData, Operation,
            SERVER_SYNC_PATH, ServerSyncFilter, SyncCookie, UpdateItem,
        },
    },
    soap::MessageLimits,
    update::UpdateIdentity,
    upstream::client::ConnectionOptions,
};

type Result<T> = std::result::Result<T, UpstreamError>;

/// Bytes of the short answers.
const SHORT: usize = 4 * 1024 * 1024;
/// Bytes of a list: about 126 for each revision, without paging.
const LIST: usize = 192 * 1024 * 1024;
/// Bytes of one answer with documents. A batch that is larger is halved.
const DOCUMENTS: usize = 256 * 1024 * 1024;

/// A cookie is renewed so long before its end.
const AHEAD: Duration = Duration::from_secs(120);
/// A cookie whose end makes no sense by our clock is used so long.
const UNCLEAR: Duration = Duration::from_secs(30 * 60);

/// The version of WSUS 2016 and later: the server then leaves nothing out.
const VERSION: ProtocolVersion = ProtocolVersion { major: 1, minor: 20 };

/// Authorizations for one call; with more the server is at fault.
const AUTHORIZATIONS: u32 = 3;

/// A conversation with one server. Several threads may speak.
pub(super) struct Session {
    pub(super) channel: Channel,
    /// Root of the server, with a slash at the end.
    base: Url,
    account: Uuid,
    /// With the moment when it must be renewed, by a monotonic clock.
    cookie: Mutex<Option<(SyncCookie, Instant)>>,
}

impl Session {
    pub(super) fn new(base: &Url, account: Uuid, options: &ConnectionOptions) -> Result<Self> {
        let channel = Channel::new(base, options)?;
        Ok(Self { channel, base: base.clone(), account, cookie: Mutex::default() })
    }

    pub(super) fn config(&self) -> Result<ConfigData> {
        // Without an anchor: it is small, and read afresh each time.
        self.ask(&|cookie| GetConfigData { cookie: Some(cookie), anchor: None })
    }

    /// Any operation with a short answer.
    pub(super) fn ask<O: Operation>(&self, ask: &dyn Fn(SyncCookie) -> O) -> Result<O::Answer> {
        self.ask_within(&MessageLimits { bytes: SHORT, ..MessageLimits::default() }, ask)
    }

    /// Any operation with an answer that is held as a whole.
    pub(super) fn ask_within<O: Operation>(
        &self,
        limits: &MessageLimits,
        ask: &dyn Fn(SyncCookie) -> O,
    ) -> Result<O::Answer> {
        self.with_cookie(limits.bytes, ask, &mut |answer| whole::<O>(answer, limits))
    }

    /// Gives the anchor, and to `visit` what is new since the one of the filter.
    pub(super) fn revisions(
        &self,
        filter: &ServerSyncFilter,
        visit: &mut dyn FnMut(UpdateIdentity),
    ) -> Result<String> {
        let ask = |cookie| GetRevisionIdList { cookie: Some(cookie), filter: filter.clone() };
        self.with_cookie(LIST, &ask, &mut |mut answer| {
            GetRevisionIdList::read_list(answer.read().map_err(AnswerError::Io)?, visit)
        })
    }

    /// The answer to GetUpdateData, unread: for [`read_documents`].
    pub(super) fn update_data(&self, updates: &[UpdateIdentity]) -> Result<ResponseSpool> {
        let ask = |cookie| GetUpdateData { cookie: Some(cookie), updates: updates.to_vec() };
        self.with_cookie(DOCUMENTS, &ask, &mut |mut answer| {
            if may_be_a_fault(&mut answer).map_err(AnswerError::Io)? {
                let all = answer.read().map_err(AnswerError::Io)?;
                GetUpdateData::read_items(all, DOCUMENTS, &mut |_| Ok::<_, AnswerError>(()))?;
            }
            Ok(answer)
        })
    }

    /// Says which files are missing. [MS-WUSSS] 3.1.4.11
    pub(super) fn download_files(&self, digests: &[Sha1]) -> Result<()> {
        self.ask(&|cookie| DownloadFiles { cookie: Some(cookie), digests: digests.to_vec() })
    }

    /// Makes a call with a good cookie; when the server does not take it, with a new one.
    fn with_cookie<O: Operation, T>(
        &self,
        limit: usize,
        ask: &dyn Fn(SyncCookie) -> O,
        read: &mut dyn FnMut(ResponseSpool) -> std::result::Result<T, AnswerError>,
    ) -> Result<T> {
        let mut authorizations = 0;
        loop {
            let refused = match self.good_cookie() {
                Some(cookie) => match self.call(&ask(cookie), SERVER_SYNC_PATH, limit, read) {
                    Err(e) if is_about_cookies(&e) => e,
                    answer => return answer,
                },
                None => match self.authorize() {
                    Err(e) if is_about_cookies(&e) => e,
                    done => {
                        done?;
                        continue;
                    }
                },
            };
            tracing::debug!(%refused, "authorizing again");
            *self.cookie.lock().unwrap_or_else(PoisonError::into_inner) = None;
            authorizations += 1;
            if authorizations >= AUTHORIZATIONS {
                return Err(refused);
            }
        }
    }

    fn good_cookie(&self) -> Option<SyncCookie> {
        let cookie = self.cookie.lock().unwrap_or_else(PoisonError::into_inner);
        let (cookie, renew) = cookie.as_ref()?;
        (Instant::now() < *renew).then(|| cookie.clone())
    }

    fn authorize(&self) -> Result<()> {
        let config = self.short_call(&GetAuthConfig, SERVER_SYNC_PATH)?;
        let account = GetAuthorizationCookie {
            // A name as RFC 1035 wants it; the upstream's administrator sees it.
            account_name: format!("tidegate-{}", self.account),
            account_guid: self.account,
        };
        let authorization = self.short_call(&account, &config.service_url)?;
        let ask = GetCookie { authorization, old_cookie: None, version: VERSION };
        let cookie = self.short_call(&ask, SERVER_SYNC_PATH)?;
        let renew = Instant::now() + lifetime(&cookie, Timestamp::now());
        *self.cookie.lock().unwrap_or_else(PoisonError::into_inner) = Some((cookie, renew));
        Ok(())
    }

    /// A call of the Reporting service, which knows no cookies of its own. [MS-WUSSS] 3.1.4.13
    pub(super) fn report<O: Operation>(&self, ask: &O) -> Result<O::Answer> {
        self.short_call(ask, REPORTING_PATH)
    }

    fn short_call<O: Operation>(&self, ask: &O, path: &str) -> Result<O::Answer> {
        let limits = MessageLimits { bytes: SHORT, ..MessageLimits::default() };
        self.call(ask, path, SHORT, &mut |answer| whole::<O>(answer, &limits))
    }

    fn call<O: Operation, T>(
        &self,
        ask: &O,
        path: &str,
        limit: usize,
        read: &mut dyn FnMut(ResponseSpool) -> std::result::Result<T, AnswerError>,
    ) -> Result<T> {
        let url = self.service(path)?;
        let call =
            Call { operation: O::NAME, url: &url, action: O::action(), body: ask.message(), limit };
        self.channel.call(&call, read)
    }

    /// An address of the server itself: `ServiceUrl` counts from its root, and leads nowhere else.
    fn service(&self, path: &str) -> Result<Url> {
        let wrong = |why| UpstreamError::Address { url: path.chars().take(300).collect(), why };
        let url = self
            .base
            .join(path.trim_start_matches('/'))
            .map_err(|_| wrong("it cannot be read as the ServiceUrl of the server"))?;
        if url.origin() != self.base.origin() {
            return Err(wrong("the server names another host as its ServiceUrl"));
        }
        Ok(url)
    }
}

/// How long a cookie is used.
fn lifetime(cookie: &SyncCookie, now: Timestamp) -> Duration {
    let Some(DateTime(end)) = cookie.expires() else { return UNCLEAR };
    match Duration::try_from(end.duration_since(now)) {
        // One of the clocks is wrong; the server refuses the cookie when it has ended.
        Ok(left) if left <= AHEAD => UNCLEAR,
        Ok(left) => (left - AHEAD).min(Duration::from_secs(24 * 3600)),
        Err(_) => UNCLEAR,
    }
}

/// Whether a new cookie may help. The specification has no code for an expired cookie; some servers
/// send one all the same.
fn is_about_cookies(error: &UpstreamError) -> bool {
    matches!(
        error.code(),
        Some(
            ErrorCode::InvalidCookie
                | ErrorCode::InvalidAuthorizationCookie
                | ErrorCode::CookieExpired
        )
    )
}

fn whole<O: Operation>(
    mut answer: ResponseSpool,
    limits: &MessageLimits,
) -> std::result::Result<O::Answer, AnswerError> {
    let mut bytes = Vec::new();
    answer.read().and_then(|mut all| all.read_to_end(&mut bytes)).map_err(AnswerError::Io)?;
    O::answer(&bytes, limits)
}

/// Reads the answer to GetUpdateData, one item at a time.
pub(super) fn read_documents(
    mut answer: ResponseSpool,
    visit: &mut dyn FnMut(UpdateItem),
) -> Result<()> {
    let all = answer.read().map_err(AnswerError::Io);
    all.and_then(|all| {
        GetUpdateData::read_items(all, DOCUMENTS, &mut |item| {
            visit(item);
            Ok::<_, AnswerError>(())
        })
    })
    .map_err(|e| UpstreamError::answer(GetUpdateData::NAME, e))
}

/// Whether an answer may be a fault, and so has to be read as a whole.
fn may_be_a_fault(answer: &mut ResponseSpool) -> io::Result<bool> {
    const WORD: &[u8] = b"Fault";
    let mut start = [0; 2048];
    let mut length = 0;
    let mut all = answer.read()?;
    while let Some(rest) = start.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match all.read(rest)? {
            0 => break,
            n => length += n,
        }
    }
    let start = start.get(..length).unwrap_or_default();
    Ok(start.windows(WORD.len()).any(|word| word == WORD))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_renewed_ahead_and_odd_clocks_do_no_harm() {
        let now = "2026-10-04T12:00:00Z".parse().unwrap();
        let lifetime = |text: &str, now| {
            lifetime(&SyncCookie { expiration: text.to_owned(), data: Vec::new() }, now)
        };
        assert_eq!(lifetime("2026-10-04T16:00:00Z", now), Duration::from_secs(238 * 60));
        assert_eq!(lifetime("2026-10-04T12:01:00Z", now), UNCLEAR);
        assert_eq!(lifetime("2020-01-01T00:00:00Z", now), UNCLEAR);
        assert_eq!(lifetime("9999-12-31T23:59:59.9999999", now), Duration::from_secs(24 * 3600));
        assert_eq!(lifetime("soon", now), UNCLEAR);
    }

    #[test]
    fn a_service_url_stays_on_the_server() {
        let base = Url::parse("http://wsus.example:8530/").unwrap();
        let options = ConnectionOptions { allow_http: true, ..Default::default() };
        let session = Session::new(&base, Uuid::nil(), &options).unwrap();
        let at = |path| session.service(path).map(|url| url.to_string()).ok();
        let good = "http://wsus.example:8530/DssAuthWebService/DssAuthWebService.asmx";
        assert_eq!(at("DssAuthWebService/DssAuthWebService.asmx").as_deref(), Some(good));
        assert_eq!(at("/DssAuthWebService/DssAuthWebService.asmx").as_deref(), Some(good));
        assert_eq!(at(good).as_deref(), Some(good));
        assert_eq!(at("http://elsewhere.example/x.asmx"), None);
        let inside = at("//elsewhere.example/x.asmx").unwrap();
        assert!(inside.starts_with("http://wsus.example:8530/"), "{inside}");
    }
}
