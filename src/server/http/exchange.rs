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
use tokio::sync::SemaphorePermit;
use uuid::Uuid;

use super::{answer::Answer, routes::plain};
use crate::server::{
    call::{Call, Pieces, Service},
    encoding::Encoding,
    failure::{Failure, chain},
    services::{client, dss_auth, reporting, server_sync, simple_auth},
    state::server_state::ServerState,
};
use crate::{
    protocol::{
        ErrorCode, ProtocolFault,
        server_sync::{Operation as _, Ping},
    },
    soap::{self, FaultCode, MessageLimits},
};

/// Requests up to this many bytes need no permission to be held.
pub(crate) const SMALL_BODY: usize = 256 * 1024;
/// How long a request may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(60);
const XML: &str = "text/xml; charset=utf-8";

/// Answers one request.
pub(crate) async fn exchange(
    app: Arc<ServerState>,
    service: Service,
    request: Request,
) -> Response {
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
    app: &ServerState,
    service: Service,
    request: Request,
) -> Result<(Bytes, Option<SemaphorePermit<'_>>), StatusCode> {
    let (usual, most) = (MessageLimits::default().bytes, service.limits().bytes);
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
fn perform(
    app: &ServerState,
    service: Service,
    call: &Call,
    bytes: &[u8],
) -> Result<Pieces, Failure> {
    let usual = MessageLimits::default();
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
    Err(ProtocolFault::invalid(format!("{name} is not an operation of this service")).into())
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
