//! How a server serves, and where.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use uuid::Uuid;

use super::view::query::ViewOptions;
use crate::{content::REPORT_RESERVE, fleet::FleetBounds};

/// How a server serves.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where to listen for plain HTTP. `None`: only with TLS.
    pub listen: Option<SocketAddr>,
    /// TLS, on a port of its own.
    pub tls: Option<TlsOptions>,
    /// Where agents reach `/Content/`, such as `http://updates.example:8530`. `None`: at the
    /// address that they asked, by the `Host` of their request; clients that connect over TLS get the
    /// port for plain HTTP, if there is one, as from a WSUS.
    pub public_url: Option<String>,
    /// How SyncUpdates answers.
    pub view: ViewOptions,
    /// How often to look whether the stores, or the certificate, have changed.
    pub poll: Duration,
    /// Connections at one time. When they are all in use, idle ones are closed, first of the
    /// address that has the most; without idle ones others wait.
    pub connections: usize,
    /// Connections of one address at one time (of one /64 network with IPv6). Further ones close
    /// its own idle ones, or are refused.
    pub connections_per_address: usize,
    /// How long the handshake of TLS may take.
    pub handshake: Duration,
    /// How long running requests may go on after the end was asked for.
    pub grace: Duration,
    /// Ids of the servers that may be downstreams of this one; `None`: any. The id is a claim: this
    /// keeps order, not enemies out.
    pub downstreams: Option<Vec<Uuid>>,
    /// Bytes of the disk that reports never take: with less free space they are refused, and come again.
    pub report_reserve: u64,
    /// What computers and servers may occupy in the fleet.
    pub bounds: FleetBounds,
}

impl ServeOptions {
    /// All defaults but the address, for plain HTTP.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen: Some(listen),
            tls: None,
            public_url: None,
            view: ViewOptions::default(),
            poll: Duration::from_secs(1),
            connections: 4096,
            connections_per_address: 1024,
            handshake: Duration::from_secs(20),
            grace: Duration::from_secs(30),
            downstreams: None,
            report_reserve: REPORT_RESERVE,
            bounds: FleetBounds::default(),
        }
    }
}

/// Where a server listens, with the ports that the system chose where 0 was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// For plain HTTP.
    pub plain: Option<SocketAddr>,
    /// For TLS.
    pub tls: Option<SocketAddr>,
}

/// The TLS listener: address, certificate, key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// Where to listen.
    pub listen: SocketAddr,
    /// PEM: the certificate of the server, then those that lead to its root.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}
