//! Connections: accepting them, giving up on those that stall, an orderly end.

use std::{
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::{body::Incoming, server::conn::http1, service::Service as _};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::Sleep,
};
use tokio_rustls::TlsAcceptor;

use super::{routes, tls::Tls};
use crate::server::{call::Peer, state::server_state::ServerState};

/// A connection that is idle, or has not sent all its headers, is closed after this. Agents keep
/// theirs open for about 30 s.
const HEADER_TIME: Duration = Duration::from_secs(75);
/// A client that takes nothing of its answer for so long is gone.
const WRITE_TIME: Duration = Duration::from_secs(120);

/// An address where clients come in.
pub(crate) struct Listener {
    pub(crate) listener: TcpListener,
    /// Only over TLS.
    pub(crate) tls: Option<Arc<Tls>>,
}

/// What the connections of all doors share.
#[derive(Clone)]
struct ConnectionContext {
    service: TowerToHyperService<axum::Router>,
    room: Arc<Semaphore>,
    stopping: watch::Receiver<()>,
    handshake: Duration,
    grace: Duration,
}

/// Serves until `shutdown` comes, then lets running requests finish for a while.
pub(crate) async fn serve(
    app: &Arc<ServerState>,
    doors: Vec<Listener>,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopping) = watch::channel(());
    let house = ConnectionContext {
        service: TowerToHyperService::new(routes::router(Arc::clone(app))),
        room: Arc::new(Semaphore::new(app.options().connections)),
        stopping,
        handshake: app.options().handshake,
        grace: app.options().grace,
    };
    let mut open = JoinSet::new();
    for door in doors {
        open.spawn(door.serve(house.clone()));
    }
    shutdown.await;
    drop(stop);
    while open.join_next().await.is_some() {}
}

impl Listener {
    async fn serve(self, mut house: ConnectionContext) {
        let mut connections = JoinSet::new();
        tracing::info!(address = ?self.listener.local_addr(), tls = self.tls.is_some(), "serving");
        loop {
            // Without room, clients wait in the system's queue.
            let accepted = tokio::select! {
                _ = house.stopping.changed() => break,
                _ = connections.join_next(), if !connections.is_empty() => continue,
                accepted = accept(&self.listener, &house.room) => accepted,
            };
            match accepted {
                Ok((stream, address, permit)) => {
                    let tls = self.tls.as_ref().map(|tls| tls.acceptor());
                    let house = house.clone();
                    connections.spawn(async move {
                        greet(stream, address, tls, house).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
        }
        drop(self.listener);
        tracing::info!(connections = connections.len(), "ending");
        let ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(house.grace, ended).await.is_err() {
            tracing::warn!(connections = connections.len(), "requests were broken off");
        }
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

/// Shakes hands if that is the custom of the door, then talks.
async fn greet(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    mut house: ConnectionContext,
) {
    // Answers go out whole; waiting for more only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %address, "cannot switch off delays");
    }
    let peer = Peer { address, tls: tls.is_some() };
    let Some(tls) = tls else { return connection(stream, peer, house).await };
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(house.handshake, tls.accept(stream)) => shaken,
        _ = house.stopping.changed() => return,
    };
    match shaken {
        Ok(Ok(stream)) => connection(stream, peer, house).await,
        // An agent that does not trust our certificate shows here only.
        Ok(Err(error)) => tracing::info!(%error, ?peer, "no TLS with a client"),
        Err(_) => tracing::debug!(?peer, "a client does not finish its TLS handshake"),
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    house: ConnectionContext,
) {
    let ConnectionContext { service, mut stopping, .. } = house;
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        routes::lower_case(request.uri_mut());
        request.extensions_mut().insert(peer);
        service.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .serve_connection(TokioIo::new(WriteTimeout::new(stream, WRITE_TIME)), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, ?peer, "a connection broke");
    }
}

/// A stream that gives up when nothing of what is written gets through for some time.
struct WriteTimeout<S> {
    stream: S,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> WriteTimeout<S> {
    fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, waiting: None }
    }

    fn progress<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(waiting.as_mut().poll(context));
        self.waiting = None;
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.progress(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.progress(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.stream).poll_shutdown(context);
        self.progress(context, closed)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.progress(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut ours = WriteTimeout::new(ours, Duration::from_millis(1));
        let error = ours.write_all(&[7; 36]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        // What got through got through, and the next byte has its own time.
        theirs.read_exact(&mut [0; 16]).await.unwrap();
        ours.write_all(&[7; 16]).await.unwrap();
    }
}
