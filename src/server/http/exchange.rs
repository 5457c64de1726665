//! A SOAP request in, an answer or a fault out. [MS-WUSP] 2.1

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY},
    },
    response::{IntoResponse as _, Response},
};
use futures_util::StreamExt as _;
use uuid::Uuid;

use super::answer::Answer;
use crate::{
    error_chain::chain,
    protocol::ErrorCode,
    server::{
        call::{Call, Pieces, Service},
        encoding::Encoding,
        failure::Failure,
        services::dispatch,
        state::{permits::Permit, server_state::ServerState},
    },
    soap::{self, FaultCode, MessageLimits},
};

/// Requests up to this many bytes need no permit to be held.
const SMALL_BODY: usize = 256 * 1024;
/// How long a request may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(60);
const XML: &str = "text/xml; charset=utf-8";

/// Answers one request.
pub(crate) async fn exchange(
    state: Arc<ServerState>,
    service: Service,
    request: Request,
) -> Response {
    let call = Call::new(&request);
    let receive = receive(&state, service, request);
    let (bytes, body_permits) = match tokio::time::timeout(BODY_TIME, receive).await {
        Ok(Ok(received)) => received,
        Ok(Err(status)) => return refused(status),
        Err(_) => return refused(StatusCode::REQUEST_TIMEOUT),
    };
    let Some(permit) = state.permits.work().await else {
        return refused(StatusCode::SERVICE_UNAVAILABLE);
    };
    let worker = Arc::clone(&state);
    let work = move || {
        // The work goes on when the client hangs up: its permits last as long as it does.
        let _permits = (permit, body_permits);
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

/// Reads the body. Only so many large ones are here at one time: their permits come with them.
async fn receive(
    state: &ServerState,
    service: Service,
    request: Request,
) -> Result<(Bytes, [Option<Permit>; 2]), StatusCode> {
    let (usual, most) = (MessageLimits::default().bytes, service.limits().bytes);
    let stated = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let stated: Option<usize> = stated.and_then(|value| value.parse().ok());
    if stated.is_some_and(|length| length > most) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let (mut large, mut largest) = (None, None);
    let mut received = Vec::with_capacity(stated.unwrap_or_default().min(SMALL_BODY));
    let mut body = request.into_body().into_data_stream();
    while let Some(data) = body.next().await {
        let data = data.map_err(|_| StatusCode::BAD_REQUEST)?;
        if data.len() > most - received.len() {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let length = data.len() + received.len();
        if large.is_none() && length > SMALL_BODY {
            let permit = state.permits.large_body().await;
            large = Some(permit.ok_or(StatusCode::SERVICE_UNAVAILABLE)?);
        }
        if largest.is_none() && length > usual {
            let permit = state.permits.largest_body().await;
            largest = Some(permit.ok_or(StatusCode::SERVICE_UNAVAILABLE)?);
        }
        received.extend_from_slice(&data);
    }
    Ok((received.into(), [large, largest]))
}

/// Reads the message and does what it asks. Blocking.
fn perform(
    state: &ServerState,
    service: Service,
    call: &Call,
    bytes: &[u8],
) -> Result<Pieces, Failure> {
    let usual = MessageLimits::default();
    let limits = if bytes.len() > usual.bytes { service.limits() } else { usual };
    let operation = soap::body_of(soap::read(bytes, &limits)?)?;
    dispatch::perform(state, service, call, &operation)
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

/// A fault goes out uncompressed; its ID is in the log beside the cause.
fn fault(service: Service, call: &Call, failure: &Failure) -> Response {
    let id = Uuid::new_v4();
    log_failure(call, failure, id);
    let mut message = match failure.fault() {
        Some(fault) => fault.to_soap(id, call.action.as_deref()),
        None => soap::Fault {
            code: FaultCode::VersionMismatch,
            actor: None,
            string: "Only SOAP 1.1 is spoken here".to_owned(),
            detail: Vec::new(),
        },
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

fn log_failure(call: &Call, failure: &Failure, id: Uuid) {
    let (peer, action) = (&call.peer, call.action.as_deref().unwrap_or_default());
    match failure {
        Failure::Internal(error) => {
            let error = chain(&**error);
            tracing::error!(%id, ?peer, action, error, "a request failed");
        }
        Failure::Version => {
            tracing::warn!(%id, ?peer, action, "a request of another SOAP version was refused");
        }
        // How agents find back after an import or a night's sleep.
        Failure::Fault(fault) if starts_handshake(fault.code) => {
            tracing::info!(%id, ?peer, action, %fault, "sent back to shake hands");
        }
        Failure::Fault(fault) => {
            tracing::warn!(%id, ?peer, action, %fault, "a request was refused");
        }
    }
}

/// Whether a client that gets this code begins again with the handshake.
fn starts_handshake(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::CookieExpired
            | ErrorCode::ConfigChanged
            | ErrorCode::RegistrationRequired
            | ErrorCode::ServerChanged
            | ErrorCode::InvalidCookie
    )
}

fn refused(status: StatusCode) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CONNECTION, "close")];
    (status, headers, Body::empty()).into_response()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::body::Body;

    use super::*;
    use crate::{
        data_dir::{DataDir, Side},
        server::options::{Addresses, ServeOptions},
    };

    fn state() -> (tempfile::TempDir, Arc<ServerState>) {
        let folder = tempfile::tempdir().unwrap();
        let data =
            DataDir::init(folder.path(), Side::Isolated { site: "plant-7".to_owned() }).unwrap();
        let local = SocketAddr::from(([127, 0, 0, 1], 8530));
        let addresses = Addresses { plain: Some(local), tls: None };
        let state = ServerState::open(data, ServeOptions::new(local), addresses).unwrap();
        (folder, Arc::new(state))
    }

    /// A computer introduces itself, which has to be noted in the fleet.
    fn introduction(bytes: usize) -> Request {
        let padding = " ".repeat(bytes);
        let body = format!(
            r#"<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>{padding}<GetAuthorizationCookie xmlns="http://www.microsoft.com/SoftwareDistribution/Server/SimpleAuthWebService"><clientId>pc-1</clientId><targetGroupName></targetGroupName><dnsName>pc-1.example</dnsName></GetAuthorizationCookie></soap:Body></soap:Envelope>"#
        );
        Request::new(Body::from(body))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_that_hangs_up_frees_no_permit_before_its_work_ends() {
        let (_folder, state) = state();
        let all = state.permits.available();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (locked, is_locked) = std::sync::mpsc::channel();
        let writer = Arc::clone(&state);
        std::thread::spawn(move || {
            let hold = writer.stores.write(|_| {
                locked.send(()).unwrap();
                // Until the sender is dropped.
                released.recv().unwrap_err();
                Ok(())
            });
            hold.unwrap();
        });
        is_locked.recv().unwrap();
        for _ in 0..3 {
            let running =
                exchange(Arc::clone(&state), Service::SimpleAuth, introduction(300 * 1024));
            // Dropped, as hyper drops the answer to a connection that broke.
            assert!(tokio::time::timeout(Duration::from_millis(300), running).await.is_err());
        }
        let (work, large, largest) = state.permits.available();
        assert_eq!((work, large, largest), (all.0 - 3, all.1 - 3, all.2));
        drop(release);
        while state.permits.available() != all {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
