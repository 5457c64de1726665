//! The channel: one SOAP call over HTTP, within limits, with retries. Nothing here knows what the
//! messages mean.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, fmt::rfc2822::DateTimeParser};
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{
        ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION,
    },
    tls::TlsInfo,
};
use tokio::runtime::{Builder, Runtime};

use super::{error::UpstreamError, spool::ResponseSpool};
use crate::{
    certificate::Validity,
    connection_failure::ConnectionFailure,
    error_chain::chain,
    protocol::{ErrorCode, server_sync::AnswerError},
    upstream::{
        client::{ConnectionOptions, http_client},
        permanent::permanent_failure,
        retry,
    },
};

/// What is called and how.
pub(super) struct Call<'a> {
    pub(super) operation: &'static str,
    pub(super) url: &'a Url,
    /// Without its quotes.
    pub(super) action: String,
    pub(super) body: String,
    /// Bytes of the answer.
    pub(super) limit: usize,
}

/// An HTTP client for one upstream server.
pub(super) struct Channel {
    runtime: Runtime,
    client: Client,
    options: ConnectionOptions,
    /// Where large answers wait.
    folder: Option<PathBuf>,
    /// Of the last answer, if there was any.
    last_facts: Mutex<Option<AnswerFacts>>,
}

/// What an answer says beside its content.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AnswerFacts {
    pub(super) certificate: Option<Validity>,
    /// The server's clock less ours.
    pub(super) clock_ahead: Option<SignedDuration>,
}

impl AnswerFacts {
    fn read(response: &Response) -> Self {
        let info = response.extensions().get::<TlsInfo>();
        let date = response.headers().get(DATE).and_then(|value| value.to_str().ok());
        let date = date.and_then(|text| DateTimeParser::new().parse_timestamp(text).ok());
        Self {
            certificate: info.and_then(TlsInfo::peer_certificate).and_then(Validity::read),
            clock_ahead: date.map(|date| date.duration_since(Timestamp::now())),
        }
    }
}

impl Channel {
    pub(super) fn new(base: &Url, options: &ConnectionOptions) -> Result<Self, UpstreamError> {
        let client = http_client(base, options)?;
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(UpstreamError::Runtime)?;
        Ok(Self {
            runtime,
            client,
            options: options.clone(),
            folder: None,
            last_facts: Mutex::default(),
        })
    }

    /// Says where large answers wait; else in the folder for temporary files.
    pub(super) fn spool_in(&mut self, folder: PathBuf) {
        self.folder = Some(folder);
    }

    /// Makes a call and gives what `read` makes of its answer. Broken connections, time-outs, busy
    /// servers and gateways are tried again; faults are the caller's.
    pub(super) fn call<T>(
        &self,
        call: &Call<'_>,
        read: &mut dyn FnMut(ResponseSpool) -> Result<T, AnswerError>,
    ) -> Result<T, UpstreamError> {
        let mut attempt = 1;
        loop {
            let error = match self.call_once(call, attempt, read) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = self.wait(attempt, &error);
            match wait {
                Some(wait) if attempt < self.options.attempts => {
                    let (why, seconds) = (error.brief(), wait.as_secs());
                    attempt += 1;
                    tracing::warn!(
                        "{why}; attempt {attempt} of {} follows in {seconds} s",
                        self.options.attempts
                    );
                    std::thread::sleep(wait);
                }
                _ => return Err(error),
            }
        }
    }

    /// What the last answer said beside what was asked.
    pub(super) fn last_facts(&self) -> AnswerFacts {
        lock(&self.last_facts).unwrap_or_default()
    }

    /// Waits as long as after a first failure.
    pub(super) fn pause(&self) {
        std::thread::sleep(self.backoff(1));
    }

    fn call_once<T>(
        &self,
        call: &Call<'_>,
        attempts: u32,
        read: &mut dyn FnMut(ResponseSpool) -> Result<T, AnswerError>,
    ) -> Result<T, UpstreamError> {
        let (status, retry_after, answer) = self.runtime.block_on(self.receive(call, attempts))?;
        match read(answer) {
            Err(fault @ AnswerError::Fault { .. }) => {
                Err(UpstreamError::answer(call.operation, fault))
            }
            // A page of the web server, not an answer of the service.
            _ if status == StatusCode::INTERNAL_SERVER_ERROR => Err(UpstreamError::Status {
                operation: call.operation,
                url: call.url.to_string(),
                status: status.as_u16(),
                retry_after,
            }),
            answer => answer.map_err(|e| UpstreamError::answer(call.operation, e)),
        }
    }

    /// The whole answer, or the whole fault.
    async fn receive(
        &self,
        call: &Call<'_>,
        attempts: u32,
    ) -> Result<(StatusCode, Option<Duration>, ResponseSpool), UpstreamError> {
        let broken = |source: reqwest::Error| self.broken(call, attempts, &source);
        let response = self
            .client
            .post(call.url.clone())
            .headers(soap_headers(call))
            .body(call.body.clone())
            .send()
            .await
            .map_err(broken)?;
        *lock(&self.last_facts) = Some(AnswerFacts::read(&response));
        let status = response.status();
        let retry_after = retry::retry_after(response.headers());
        check_status(call, status, response.headers())?;
        let is_packed = is_packed(call, response.headers())?;
        let answer = ResponseSpool::new(self.folder.as_deref(), call.limit, is_packed);
        Ok((status, retry_after, bounded(response, call, answer, broken).await?))
    }

    /// Why there is no answer, in our words; the library's are for those who debug.
    fn broken(&self, call: &Call<'_>, attempts: u32, source: &reqwest::Error) -> UpstreamError {
        tracing::debug!(error = chain(source), "a call failed");
        let operation = call.operation;
        if let Some(why) = permanent_failure(source, call.url, &self.options) {
            return UpstreamError::Permanent { operation, why };
        }
        let why = ConnectionFailure::of(source);
        let has_answered = lock(&self.last_facts).is_some();
        let advice = match has_answered {
            true => "What came before is kept: synchronize again when the server answers",
            false => why.advice(call.url.scheme() == "https"),
        };
        let server = call.url.origin().ascii_serialization();
        UpstreamError::Connection { operation, server, attempts, why, advice }
    }

    /// How long to wait before the same again; `None` when that is of no use.
    fn wait(&self, attempt: u32, error: &UpstreamError) -> Option<Duration> {
        let requested = match error {
            // What never spoke HTTP will not at the next attempt: it is another port.
            UpstreamError::Connection { why: ConnectionFailure::NotHttp, .. }
                if lock(&self.last_facts).is_none() =>
            {
                None
            }
            UpstreamError::Connection { .. } => Some(None),
            UpstreamError::Status { status: 408 | 425 | 429 | 500..=599, retry_after, .. } => {
                Some(*retry_after)
            }
            fault if fault.is_fault(ErrorCode::ServerBusy) => Some(None),
            _ => None,
        }?;
        match requested {
            Some(requested) if requested > retry::LONGEST_WAIT => None,
            // Many clients were given the same moment: not all come at once.
            Some(requested) => Some(requested + self.backoff(1)),
            None => Some(self.backoff(attempt)),
        }
    }

    fn backoff(&self, attempt: u32) -> Duration {
        retry::backoff(self.options.first_pause, attempt)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn soap_headers(call: &Call<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml; charset=utf-8"));
    if let Ok(action) = HeaderValue::from_str(&format!("\"{}\"", call.action)) {
        headers.insert("soapaction", action);
    }
    // As a Windows server asks: lists shrink to a quarter.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("xpress"));
    headers
}

/// Only 200, and 500 with a fault, are answers of a service.
fn check_status(
    call: &Call<'_>,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<(), UpstreamError> {
    let (operation, url) = (call.operation, call.url.to_string());
    if status.is_redirection() {
        let to = headers.get(LOCATION).map(|to| String::from_utf8_lossy(to.as_bytes()));
        let to = to.unwrap_or_default().chars().take(300).collect();
        return Err(UpstreamError::Redirect { operation, url, to });
    }
    if status != StatusCode::OK && status != StatusCode::INTERNAL_SERVER_ERROR {
        let retry_after = retry::retry_after(headers);
        return Err(UpstreamError::Status { operation, url, status: status.as_u16(), retry_after });
    }
    Ok(())
}

/// Whether an answer is compressed with Xpress; no other encoding was asked for.
fn is_packed(call: &Call<'_>, headers: &HeaderMap) -> Result<bool, UpstreamError> {
    let encoding = headers.get(CONTENT_ENCODING);
    let encoding = encoding.map_or(&b"identity"[..], HeaderValue::as_bytes).to_ascii_lowercase();
    match encoding.as_slice() {
        b"xpress" => Ok(true),
        b"identity" | b"" => Ok(false),
        other => Err(UpstreamError::Unusable {
            operation: call.operation,
            what: format!(
                "it is encoded as {:?}, which nobody asked for",
                String::from_utf8_lossy(other).chars().take(100).collect::<String>()
            ),
        }),
    }
}

async fn bounded(
    mut response: Response,
    call: &Call<'_>,
    mut answer: ResponseSpool,
    broken: impl Fn(reqwest::Error) -> UpstreamError,
) -> Result<ResponseSpool, UpstreamError> {
    while let Some(piece) = response.chunk().await.map_err(&broken)? {
        if answer.push(&piece).map_err(UpstreamError::Spool)?.is_err() {
            return Err(UpstreamError::TooLarge { operation: call.operation, limit: call.limit });
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let base = Url::parse("https://wsus.example:8531/").unwrap();
        let channel = Channel::new(&base, &ConnectionOptions::default()).unwrap();
        let status = |status, retry_after| UpstreamError::Status {
            operation: "GetCookie",
            url: base.to_string(),
            status,
            retry_after,
        };
        for passing in [408, 429, 500, 502, 503, 504] {
            assert!(channel.wait(1, &status(passing, None)).is_some(), "{passing}");
        }
        for lasting in [400, 401, 403, 404, 407, 410] {
            assert!(channel.wait(1, &status(lasting, None)).is_none(), "{lasting}");
        }
        let wait = channel.wait(1, &status(503, Some(Duration::from_secs(100)))).unwrap();
        assert!(wait >= Duration::from_secs(100), "{wait:?}");
        let day = Some(Duration::from_secs(24 * 3600));
        assert!(channel.wait(1, &status(503, day)).is_none(), "nobody waits for a day");
    }
}
