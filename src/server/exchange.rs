//! A SOAP request in, an answer or a fault out. [MS-WUSP] 2.1

use std::{io, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            ACCEPT_ENCODING, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH,
            CONTENT_TYPE, HOST, VARY,
        },
    },
    response::{IntoResponse as _, Response},
};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::SemaphorePermit;
use uuid::Uuid;

use super::{
    answer::{Answer, Encoding, Foreign},
    app::App,
    client, dss_auth,
    failure::{Failure, chain},
    listen::Peer,
    reporting,
    routes::plain,
    server_sync, simple_auth,
};
use crate::{
    protocol::{
        self, ErrorCode, Fault,
        server_sync::{Operation as _, Ping},
    },
    soap::{self, FaultCode, Limits, Piece, Style},
};

/// Requests up to this many bytes need no permission to be held.
pub(super) const SMALL_BODY: usize = 256 * 1024;
/// How long a request may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(60);
const XML: &str = "text/xml; charset=utf-8";

/// A written message, what is held elsewhere apart.
pub(super) type Pieces = Vec<Piece<Foreign>>;

/// The services that agents and downstream servers call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Client,
    SimpleAuth,
    Reporting,
    ServerSync,
    DssAuth,
}

impl Service {
    fn namespace(self) -> &'static str {
        match self {
            Self::Client => protocol::client::NAMESPACE,
            Self::SimpleAuth => protocol::simple_auth::NAMESPACE,
            Self::Reporting => protocol::reporting::NAMESPACE,
            Self::ServerSync => protocol::server_sync::NAMESPACE,
            Self::DssAuth => protocol::server_sync::DSS_AUTH_NAMESPACE,
        }
    }

    pub(super) fn style(self) -> Style {
        match self {
            Self::Client => Style::Client,
            _ => Style::Asmx,
        }
    }

    fn cache_control(self) -> &'static str {
        match self {
            Self::Client => "private",
            _ => "private, max-age=0",
        }
    }

    /// Bounds on a request. A downstream server may report the states of tens of thousands of
    /// updates on one computer at a time.
    fn limits(self) -> Limits {
        match self {
            Self::Reporting => {
                Limits { bytes: 32 * 1024 * 1024, elements: 600_000, ..Limits::default() }
            }
            _ => Limits::default(),
        }
    }

    /// Whether other servers call it.
    fn is_between_servers(self) -> bool {
        matches!(self, Self::ServerSync | Self::DssAuth)
    }
}

/// What an operation may want to know of its request.
pub(super) struct Call {
    /// When it came.
    pub(super) now: Timestamp,
    /// Where the client asked, if it said so in a way that can stand in a URL.
    pub(super) host: Option<String>,
    /// Where it went, in lower case.
    path: String,
    /// The operation of `SOAPAction`, for the log and for faults.
    action: Option<String>,
    /// How the answer is to be encoded.
    pub(super) encoding: Encoding,
    peer: Option<Peer>,
}

impl Call {
    /// Whether it came over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.peer.is_some_and(|peer| peer.tls)
    }

    fn new(request: &Request) -> Self {
        let headers = request.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let short = |value: &&str| value.len() <= 300;
        Self {
            now: Timestamp::now(),
            host: text(HOST.as_str()).filter(|host| is_host(host)).map(str::to_owned),
            path: request.uri().path().to_owned(),
            action: text("soapaction").filter(short).map(str::to_owned),
            encoding: encoding(headers),
            peer: request.extensions().get::<Peer>().copied(),
        }
    }
}

/// Answers one request.
pub(super) async fn exchange(app: Arc<App>, service: Service, request: Request) -> Response {
    let call = Call::new(&request);
    let receive = receive(&app, service, request);
    // The permission for one over the usual bounds holds until the work is done.
    let (bytes, _largest) = match tokio::time::timeout(BODY_TIME, receive).await {
        Ok(Ok(received)) => received,
        Ok(Err(status)) => return refused(status),
        Err(_) => return refused(StatusCode::REQUEST_TIMEOUT),
    };
    let Ok(_permit) = app.at_work.acquire().await else {
        return refused(StatusCode::SERVICE_UNAVAILABLE);
    };
    let worker = Arc::clone(&app);
    let work = move || {
        let result = perform(&worker, service, &call, &bytes);
        drop(bytes);
        match result
            .and_then(|pieces| Answer::new(pieces, call.encoding).map_err(Failure::internal))
        {
            Ok(answer) => respond(service, answer),
            Err(failure) => fault(service, &call, &failure),
        }
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request was broken off");
        refused(StatusCode::INTERNAL_SERVER_ERROR)
    })
}

/// Reads the body. Only so many large ones are held at one time.
async fn receive(
    app: &App,
    service: Service,
    request: Request,
) -> Result<(Bytes, Option<SemaphorePermit<'_>>), StatusCode> {
    let (usual, most) = (Limits::default().bytes, service.limits().bytes);
    let stated = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let stated: Option<usize> = stated.and_then(|value| value.parse().ok());
    if stated.is_some_and(|length| length > most) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let (mut permit, mut largest) = (None, None);
    let mut received = Vec::with_capacity(stated.unwrap_or_default().min(SMALL_BODY));
    let mut body = request.into_body().into_data_stream();
    while let Some(data) = body.next().await {
        let data = data.map_err(|_| StatusCode::BAD_REQUEST)?;
        if data.len() > most - received.len() {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        if permit.is_none() && data.len() + received.len() > SMALL_BODY {
            let acquired = app.large_bodies.acquire().await;
            permit = Some(acquired.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?);
        }
        if largest.is_none() && data.len() + received.len() > usual {
            let acquired = app.largest_body.acquire().await;
            largest = Some(acquired.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?);
        }
        received.extend_from_slice(&data);
    }
    Ok((received.into(), largest))
}

/// Reads the message and does what it asks. Blocking.
fn perform(app: &App, service: Service, call: &Call, bytes: &[u8]) -> Result<Pieces, Failure> {
    let usual = Limits::default();
    let limits = if bytes.len() > usual.bytes { service.limits() } else { usual };
    let operation = soap::body_of(soap::read(bytes, &limits)?)?;
    if service.is_between_servers() && operation.is(Ping::NAMESPACE, Ping::NAME) {
        return server_sync::ping(service, call, &operation);
    }
    if *operation.namespace == *service.namespace() {
        let answer = match service {
            Service::Client => client::perform(app, call, &operation)?,
            Service::SimpleAuth => simple_auth::perform(app, call, &operation)?,
            Service::Reporting => reporting::perform(app, call, &operation)?,
            Service::ServerSync => server_sync::perform(app, call, &operation)?,
            Service::DssAuth => dss_auth::perform(app, call, &operation)?,
        };
        if let Some(pieces) = answer {
            tracing::debug!(operation = &*operation.name, peer = ?call.peer, "answered");
            return Ok(pieces);
        }
    }
    let name: String = operation.name.chars().take(100).collect();
    Err(Fault::invalid(format!("{name} is not an operation of this service")).into())
}

fn respond(service: Service, answer: Answer) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(service.cache_control()));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(XML));
    if answer.encoding() == Encoding::Xpress {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("xpress"));
    }
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    // Agents want a length and no chunks.
    headers.insert(CONTENT_LENGTH, HeaderValue::from(answer.length()));
    (headers, answer.into_body()).into_response()
}

/// A fault goes out uncompressed; its ID stands in the log beside the cause.
fn fault(service: Service, call: &Call, failure: &Failure) -> Response {
    let id = Uuid::new_v4();
    let (peer, action) = (&call.peer, call.action.as_deref().unwrap_or_default());
    let mut message = match failure.fault() {
        Some(fault) => {
            match (failure, fault.code) {
                (Failure::Internal(error), _) => {
                    let error = chain(&**error);
                    tracing::error!(%id, ?peer, action, error, "a request failed");
                }
                // How agents find back after an import or a night's sleep.
                (
                    _,
                    ErrorCode::CookieExpired
                    | ErrorCode::ConfigChanged
                    | ErrorCode::RegistrationRequired
                    | ErrorCode::ServerChanged
                    | ErrorCode::InvalidCookie,
                ) => tracing::info!(%id, ?peer, action, fault = %fault, "sent back to shake hands"),
                _ => tracing::warn!(%id, ?peer, action, fault = %fault, "a request was refused"),
            }
            fault.to_soap(id, call.action.as_deref())
        }
        None => {
            tracing::warn!(%id, ?peer, action, "a request of another SOAP version was refused");
            soap::Fault {
                code: FaultCode::VersionMismatch,
                actor: None,
                string: "Only SOAP 1.1 is spoken here".to_owned(),
                detail: Vec::new(),
            }
        }
    };
    if service.is_between_servers() {
        // Microsoft's library looks for the code in this text.
        if let Some(code) = message.detail("ErrorCode") {
            message.string = format!("{}: {code}", message.string);
        }
        message.actor = {
            let scheme = if call.is_secure() { "https" } else { "http" };
            call.host.as_ref().map(|host| format!("{scheme}://{host}{}", call.path))
        };
    }
    let headers = [(CONTENT_TYPE, XML), (CONNECTION, "close")];
    (StatusCode::INTERNAL_SERVER_ERROR, headers, message.write(service.style())).into_response()
}

fn refused(status: StatusCode) -> Response {
    let mut response = plain(status, "");
    *response.body_mut() = Body::empty();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// What the client takes besides plain text.
fn encoding(headers: &HeaderMap) -> Encoding {
    let takes_xpress = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let refused = parts.any(|p| {
                p.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0)
            });
            name.eq_ignore_ascii_case("xpress") && !refused
        });
    if takes_xpress { Encoding::Xpress } else { Encoding::Plain }
}

/// Whether a `Host` can stand in a URL that goes back to the client.
fn is_host(host: &str) -> bool {
    (1..=255).contains(&host.len())
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
}

/// An error while an answer is streamed ends the connection.
pub(super) fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xpress_is_sent_to_those_who_take_it() {
        let takes = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            encoding(&headers) == Encoding::Xpress
        };
        for value in ["xpress", "XPRESS", "gzip, xpress", "xpress;q=0.5"] {
            assert!(takes(value), "{value}");
        }
        for value in ["", "gzip", "xpress;q=0", "xpressed", "*"] {
            assert!(!takes(value), "{value}");
        }
        assert!(encoding(&HeaderMap::new()) == Encoding::Plain);
    }

    #[test]
    fn a_host_that_cannot_stand_in_a_url_is_not_used() {
        for host in ["192.0.2.1:8530", "wsus.example", "[2001:db8::1]:8530", "WSUS_1"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", "a b", "a/b", "a<b", "a@b", "a?b", &"a".repeat(256)] {
            assert!(!is_host(host), "{host}");
        }
    }
}
