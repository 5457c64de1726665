//! Which path is which service. Paths come here in lower case: clients rely on IIS, which does not
//! tell letters apart.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, Request, State},
    http::{StatusCode, Uri, header::CONTENT_TYPE, uri::PathAndQuery},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use jiff::Timestamp;

use super::exchange::exchange;
use crate::server::{
    call::{Peer, Service},
    content,
    state::{server_state::ServerState, turned_away::TurnedAwayReason},
};

/// All routes.
pub(crate) fn router(state: Arc<ServerState>) -> Router {
    let service = |service| {
        post(move |State(state): State<Arc<ServerState>>, request: Request| {
            exchange(state, service, request)
        })
    };
    Router::new()
        .route("/clientwebservice/client.asmx", service(Service::Client))
        .route("/simpleauthwebservice/simpleauth.asmx", service(Service::SimpleAuth))
        // Agents post to the first; the service description names the second.
        .route("/reportingwebservice/reportingwebservice.asmx", service(Service::Reporting))
        .route("/reportingwebservice/webservice.asmx", service(Service::Reporting))
        .route("/serversyncwebservice/serversyncwebservice.asmx", service(Service::ServerSync))
        .route("/dssauthwebservice/dssauthwebservice.asmx", service(Service::DssAuth))
        .route("/content/anonymouscheckfile.txt", get(check_file))
        .route("/content/{folder}/{file}", get(payload))
        .route("/selfupdate/{*file}", get(self_update))
        .fallback(nothing)
        .with_state(state)
}

async fn payload(
    State(state): State<Arc<ServerState>>,
    Path((folder, file)): Path<(String, String)>,
    request: Request,
) -> Response {
    content::serve(state, &folder, &file, request).await
}

/// What administrators' health checks of a WSUS fetch.
async fn check_file() -> Response {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], "Tidegate serves content here.\n")
        .into_response()
}

/// What agents of Windows 8.1 and older fetch before all else: without it they do not go on.
async fn self_update(State(state): State<Arc<ServerState>>, request: Request) -> Response {
    if let Some(peer) = request.extensions().get::<Peer>() {
        let address = peer.address.ip();
        let reason = TurnedAwayReason::OldAgent;
        state.turned_away.note(Some(address.into()), reason, Timestamp::now());
        if state.log_lines.is_first_old_agent(address.into()) {
            tracing::warn!(
                %address,
                "an agent of Windows 8.1 or older was turned away: it needs /selfupdate/, which is not served"
            );
        }
    }
    StatusCode::NOT_FOUND.into_response()
}

async fn nothing(request: Request) -> Response {
    tracing::debug!(method = %request.method(), path = request.uri().path(), "nothing is here");
    StatusCode::NOT_FOUND.into_response()
}

/// Puts the path of a request into lower case, and repeated slashes into one: downstream servers
/// post to `//DssAuthWebService/…`.
pub(crate) fn lower_case(uri: &mut Uri) {
    if !uri.path().bytes().any(|b| b.is_ascii_uppercase()) && !uri.path().contains("//") {
        return;
    }
    let mut path = uri.path().to_ascii_lowercase();
    while path.contains("//") {
        path = path.replace("//", "/");
    }
    if let Some(query) = uri.query() {
        path.push('?');
        path.push_str(query);
    }
    let mut parts = std::mem::take(uri).into_parts();
    parts.path_and_query = PathAndQuery::try_from(path).ok();
    // The same parts with other letters are a URI again.
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_case_and_queries_keep_it() {
        for (from, to) in [
            ("/ClientWebService/Client.asmx", "/clientwebservice/client.asmx"),
            ("/selfupdate/wuident.cab?A", "/selfupdate/wuident.cab?A"),
            ("/SelfUpdate/x?Ab=C", "/selfupdate/x?Ab=C"),
            ("http://Host:80/A", "http://Host:80/a"),
            ("*", "*"),
            ("//DssAuthWebService//x.asmx?a//b", "/dssauthwebservice/x.asmx?a//b"),
        ] {
            let mut uri: Uri = from.parse().unwrap();
            lower_case(&mut uri);
            assert_eq!(uri.to_string(), to);
        }
    }
}
