//! A SOAP request in, an answer or a fault out. [MS-WUSP] 2.1

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY},
    },
    response::{IntoResponse as _, Response},
};
use uuid::Uuid;

use super::{answer::Answer, request_body::receive};
use crate::{
    error_chain::chain,
    protocol::ErrorCode,
    server::{
        call::{Call, Pieces, Service},
        encoding::Encoding,
        failure::Failure,
        services::dispatch,
        state::{server_state::ServerState, turned_away::TurnedAwayReason},
    },
    soap::{self, FaultCode, MessageLimits, Piece, SoapVersion},
};

/// Answers one request.
pub(crate) async fn exchange(
    state: Arc<ServerState>,
    service: Service,
    request: Request,
) -> Response {
    let call = Call::new(&request);
    if !is_readable(request.headers()) {
        state.turned_away.note(call.client(), TurnedAwayReason::Encoding, call.now);
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let permits = state.permits.of(call.client());
    let (bytes, body_permits) = match receive(&permits, &state.body_bytes, service, request).await {
        Ok(received) => received,
        Err(status) => return refused(status),
    };
    let Some(permit) = permits.work().await else {
        return refused(StatusCode::SERVICE_UNAVAILABLE);
    };
    let worker = Arc::clone(&state);
    let work = move || {
        // The work goes on when the client hangs up: its permits last as long as it does.
        let _permits = (permit, body_permits);
        let (version, result) = perform(&worker, service, &call, &bytes);
        drop(bytes);
        let (memory, folder) = (&worker.answer_memory, worker.stores.data().root());
        let prepare =
            |pieces| Answer::new(pieces, call.encoding, memory, folder).map_err(Failure::internal);
        match result.and_then(prepare) {
            Ok(answer) => respond(service, version, answer),
            Err(failure) => {
                if let Some(reason) = turned_away(&failure) {
                    worker.turned_away.note(call.client(), reason, call.now);
                }
                let logged = worker.log_lines.allows(call.client());
                fault(service, version, &call, &failure, logged)
            }
        }
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "a request was broken off");
        refused(StatusCode::INTERNAL_SERVER_ERROR)
    })
}

/// Whether the body is in an encoding that is read here: plain UTF-8 or UTF-16. RFC 9110, 15.5.16
fn is_readable(headers: &HeaderMap) -> bool {
    let plain = headers.get_all(CONTENT_ENCODING).iter().all(|coding| coding == "identity");
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut charsets =
        content_type.unwrap_or_default().split(';').skip(1).filter_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
        });
    let read = ["utf-8", "utf8", "us-ascii", "utf-16", "utf-16le", "utf-16be"];
    plain && charsets.all(|charset| read.iter().any(|read| charset.eq_ignore_ascii_case(read)))
}

/// Reads the message and does what it asks. Blocking.
fn perform(
    state: &ServerState,
    service: Service,
    call: &Call,
    bytes: &[u8],
) -> (SoapVersion, Result<Pieces, Failure>) {
    let usual = MessageLimits::default();
    let limits = if bytes.len() > usual.bytes { service.limits() } else { usual };
    let message = soap::read(bytes, &limits).map_err(Failure::from);
    let (version, operation) = match message.and_then(|root| Ok(soap::message_of(root)?)) {
        // As with a WSUS, only its services between servers speak SOAP 1.2.
        Ok((SoapVersion::V12, _)) if !service.is_between_servers() => {
            return (SoapVersion::V11, Err(Failure::Version));
        }
        Ok(message) => message,
        Err(failure) => return (SoapVersion::V11, Err(failure)),
    };
    let mut answer = dispatch::perform(state, service, call, &operation);
    if let Ok(pieces) = &mut answer
        && let Some(Piece::Text(first)) = pieces.first_mut()
    {
        version.put_on(first);
    }
    (version, answer)
}

fn respond(service: Service, version: SoapVersion, answer: Answer) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(service.cache_control()));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(version.content_type()));
    if answer.encoding() == Encoding::Xpress {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("xpress"));
    }
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    // Agents want a length and no chunks.
    headers.insert(CONTENT_LENGTH, HeaderValue::from(answer.length()));
    (headers, answer.into_body()).into_response()
}

/// A fault goes out uncompressed; its ID is in the log beside the cause.
fn fault(
    service: Service,
    version: SoapVersion,
    call: &Call,
    failure: &Failure,
    logged: bool,
) -> Response {
    let id = Uuid::new_v4();
    if logged {
        log_failure(call, failure, id);
    }
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
    let headers = [(CONTENT_TYPE, version.content_type()), (CONNECTION, "close")];
    let message = match version {
        SoapVersion::V11 => message.write(service.style()),
        SoapVersion::V12 => message.write_12(service.style()),
    };
    (StatusCode::INTERNAL_SERVER_ERROR, headers, message).into_response()
}

fn log_failure(call: &Call, failure: &Failure, id: Uuid) {
    let peer = call.peer.map_or_else(String::new, |peer| peer.to_string());
    let action = call.action.as_deref().unwrap_or_default().trim_matches('"');
    match failure {
        Failure::Internal(error) => {
            let error = chain(&**error);
            tracing::error!(%id, %peer, action, error, "a request failed");
        }
        Failure::Version => {
            tracing::warn!(%id, %peer, action, "a request of another SOAP version was refused");
        }
        // How agents find back after an import or a night's sleep.
        Failure::Fault(fault) if starts_handshake(fault.code) => {
            tracing::info!(%id, %peer, action, %fault, "sent back to shake hands");
        }
        Failure::Fault(fault) => {
            tracing::warn!(%id, %peer, action, %fault, "a request was refused");
        }
    }
}

/// Why a client does not come in at all, if that is what a failure means.
fn turned_away(failure: &Failure) -> Option<TurnedAwayReason> {
    match failure {
        Failure::Version => Some(TurnedAwayReason::SoapVersion),
        Failure::Fault(fault) => match fault.code {
            ErrorCode::IncompatibleProtocolVersion => Some(TurnedAwayReason::ProtocolVersion),
            ErrorCode::InvalidAuthorizationCookie => Some(TurnedAwayReason::Authorization),
            _ => None,
        },
        Failure::Internal(_) => None,
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
    use std::{net::SocketAddr, time::Duration};

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
