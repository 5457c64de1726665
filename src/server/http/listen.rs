//! Connections: accepting them, giving up on those that stall, an orderly end.

use std::{
    convert::Infallible, future::poll_fn, io, net::SocketAddr, pin::pin, sync::Arc, task::Poll,
    time::Duration,
};

use hyper::{body::Incoming, server::conn::http1, service::Service as _};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use jiff::Timestamp;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{AlertDescription, Error},
};

use super::{
    answer_body::AnswerBody,
    routes,
    shares::{ConnectionRoom, ConnectionShares},
    tls::Tls,
    write_timeout::WriteTimeout,
};
use crate::server::{
    call::Peer,
    state::{server_state::ServerState, turned_away::TurnedAwayReason},
};

/// A connection that is idle, or has not sent all its headers, is closed after this. Agents keep
/// theirs open for about 30 s.
const HEADER_TIME: Duration = Duration::from_secs(75);
/// A client that takes too little of its answer for so long is given up (see `write_timeout`).
const WRITE_TIME: Duration = Duration::from_secs(120);

/// An address where clients come in.
pub(crate) struct Listener {
    pub(crate) listener: TcpListener,
    /// Only over TLS.
    pub(crate) tls: Option<Arc<Tls>>,
}

/// What the connections of all listeners share.
#[derive(Clone)]
struct ConnectionContext {
    service: TowerToHyperService<axum::Router>,
    state: Arc<ServerState>,
    shares: Arc<ConnectionShares>,
    stopping: watch::Receiver<()>,
    handshake: Duration,
    grace: Duration,
}

/// Serves until `shutdown` comes, then lets running requests finish for a while.
pub(crate) async fn serve(
    state: &Arc<ServerState>,
    listeners: Vec<Listener>,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopping) = watch::channel(());
    let context = ConnectionContext {
        service: TowerToHyperService::new(routes::router(Arc::clone(state))),
        state: Arc::clone(state),
        shares: {
            let options = state.settings.options();
            ConnectionShares::new(options.connections, options.connections_per_address)
        },
        stopping,
        handshake: state.settings.options().handshake,
        grace: state.settings.options().grace,
    };
    let mut open = JoinSet::new();
    for listener in listeners {
        open.spawn(listener.serve(context.clone()));
    }
    shutdown.await;
    drop(stop);
    while open.join_next().await.is_some() {}
    state.log_lines.finish();
}

impl Listener {
    async fn serve(self, mut context: ConnectionContext) {
        let mut connections = JoinSet::new();
        let address = self.listener.local_addr().ok().map(tracing::field::display);
        tracing::info!(address, tls = self.tls.is_some(), "serving");
        loop {
            let accepted = tokio::select! {
                _ = context.stopping.changed() => break,
                _ = connections.join_next(), if !connections.is_empty() => continue,
                accepted = self.listener.accept() => accepted,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                    continue;
                }
            };
            // Without room, further clients wait in the system's queue.
            let room = tokio::select! {
                _ = context.stopping.changed() => break,
                room = context.shares.admit(address.ip().into()) => room,
            };
            let Some(room) = room else {
                let client = Some(address.ip().into());
                let reason = TurnedAwayReason::Connections;
                context.state.turned_away.note(client, reason, Timestamp::now());
                tracing::debug!(%address, "refused: the address uses all of its connections");
                continue;
            };
            let tls = self.tls.as_ref().map(|tls| tls.acceptor());
            connections.spawn(serve_connection(stream, address, tls, room, context.clone()));
        }
        drop(self.listener);
        tracing::info!(connections = connections.len(), "ending");
        let ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(context.grace, ended).await.is_err() {
            tracing::warn!(connections = connections.len(), "requests were broken off");
        }
    }
}

/// Shakes hands if the listener speaks TLS, then answers requests.
async fn serve_connection(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    room: ConnectionRoom,
    mut context: ConnectionContext,
) {
    // Answers go out whole; waiting for more only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %address, "cannot switch off delays");
    }
    let peer = Peer { address, tls: tls.is_some() };
    let Some(tls) = tls else { return answer_requests(stream, peer, room, context).await };
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(context.handshake, tls.accept(stream)) => shaken,
        _ = context.stopping.changed() => return,
        () = room.state().asked_to_close() => return,
    };
    match shaken {
        Ok(Ok(stream)) => answer_requests(stream, peer, room, context).await,
        // An agent that does not trust our certificate shows here only.
        Ok(Err(error)) => {
            let client = Some(peer.address.ip().into());
            context.state.turned_away.note(client, TurnedAwayReason::Tls, Timestamp::now());
            if context.state.log_lines.allows(client) {
                let why = tls_failure(&error);
                tracing::info!(why, %peer, "no TLS with a client");
            }
        }
        Err(_) => tracing::debug!(%peer, "a client does not finish its TLS handshake"),
    }
}

/// Why a handshake failed, in our words.
fn tls_failure(error: &io::Error) -> &'static str {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match tls {
        Some(Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate,
        )) => "the client does not accept the certificate of this server",
        Some(Error::AlertReceived(_)) => "the client broke off the handshake",
        Some(Error::PeerIncompatible(_)) => {
            "the client knows no version or cipher that is used here"
        }
        Some(Error::InvalidMessage(_)) => {
            "the client sent something that is not TLS: perhaps it calls this port with http://"
        }
        Some(_) => "the handshake failed",
        None => "the connection ended before the handshake did",
    }
}

async fn answer_requests(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    room: ConnectionRoom,
    context: ConnectionContext,
) {
    let ConnectionContext { service, state, mut stopping, .. } = context;
    let service = hyper::service::service_fn(|mut request: hyper::Request<Incoming>| {
        let in_progress = room.request();
        routes::lower_case(request.uri_mut());
        request.extensions_mut().insert(peer);
        let answered = service.call(request);
        async move {
            Ok::<_, Infallible>(answered.await?.map(|body| AnswerBody::new(body, in_progress)))
        }
    });
    let writing = Arc::clone(&room.state().writing);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .serve_connection(TokioIo::new(WriteTimeout::new(stream, WRITE_TIME, writing)), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = room.state().asked_to_close() => {
            connection.as_mut().graceful_shutdown();
            // A request that came this moment is still answered.
            match poll_fn(|task| Poll::Ready(connection.as_mut().poll(task))).await {
                Poll::Ready(ended) => ended,
                Poll::Pending if room.state().is_idle() => return,
                Poll::Pending => connection.await,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection broke");
        if error.is_parse() && state.log_lines.allows(Some(peer.address.ip().into())) {
            tracing::info!(%peer, "a client sent something that is not HTTP: perhaps it calls this port with https://");
        }
    }
}
