//! The WSUS that agents see.
//!
//! | module | what it owns |
//! |---|---|
//! | `listen` | connections: accepting, timeouts, an orderly end |
//! | `tls` | certificate and key, also when they are renewed |
//! | `routes` | which path is which service; letter case does not matter |
//! | `exchange` | a SOAP request in, an answer or a fault out |
//! | `answer`, `spool` | what an answer weighs and how it is streamed; what is too large to be held |
//! | `client`, `simple_auth`, `reporting` | the operations of each service for agents |
//! | `server_sync`, `dss_auth`, `rollup` | those for downstream servers |
//! | `content` | payload files, by range |
//! | `app` | what all of them share, and the watcher that swaps the view |
//! | [`view`], [`pack`] | what is served: immutable, swapped as a whole |

mod answer;
mod app;
mod client;
mod content;
mod dss_auth;
mod exchange;
mod failure;
mod listen;
pub mod pack;
mod reporting;
mod rollup;
mod routes;
mod server_sync;
mod simple_auth;
mod spool;
mod tls;
pub mod view;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use app::App;
use listen::Door;
use tls::Tls;
pub use tls::{TlsError, TlsOptions, certificate_validity};
use tokio::{
    net::TcpListener,
    task::{JoinError, JoinSet},
};
use uuid::Uuid;
use view::{ViewError, ViewOptions};

use crate::{catalog::CatalogError, content::ContentError, data_dir::DataDir, fleet::FleetError};

/// How a server serves.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where to listen for plain HTTP. `None`: only with TLS.
    pub listen: Option<SocketAddr>,
    /// TLS, on a port of its own.
    pub tls: Option<TlsOptions>,
    /// Where agents reach `/Content/`, such as `http://updates.example:8530`. `None`: at the
    /// address that they asked, by the `Host` of their request; who asked over TLS gets the port for
    /// plain HTTP, if there is one, as from a WSUS.
    pub public_url: Option<String>,
    /// How SyncUpdates answers.
    pub view: ViewOptions,
    /// How often to look whether the stores, or the certificate, have changed.
    pub poll: Duration,
    /// Connections at one time; others wait.
    pub connections: usize,
    /// How long the handshake of TLS may take.
    pub handshake: Duration,
    /// How long running requests may go on after the end was asked for.
    pub grace: Duration,
    /// Ids of the servers that may be downstreams of this one; `None`: any. The id is a claim: this
    /// keeps order, not enemies out.
    pub downstreams: Option<Vec<Uuid>>,
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
            handshake: Duration::from_secs(20),
            grace: Duration::from_secs(30),
            downstreams: None,
        }
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: choose another address with --listen or --tls-listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no address.
    #[error("there is nowhere to listen: give --listen an address, or --tls-cert and --tls-key")]
    Nowhere,
    /// The certificate or its key cannot be used.
    #[error("cannot speak TLS")]
    Tls(#[from] TlsError),
    /// `public_url` is none.
    #[error(
        "{url:?} is no URL that agents can reach: give one such as http://updates.example:8530"
    )]
    PublicUrl {
        /// What was given.
        url: String,
    },
    /// The catalogue could not be opened.
    #[error("cannot open the catalogue to serve")]
    Catalog(#[from] CatalogError),
    /// The payloads could not be opened.
    #[error("cannot open the payloads to serve")]
    Content(#[from] ContentError),
    /// The fleet could not be opened.
    #[error("cannot open the fleet to serve")]
    Fleet(#[from] FleetError),
    /// The view could not be loaded.
    #[error("cannot load what is to be served")]
    View(#[from] ViewError),
    /// A value that the server keeps in the fleet is damaged.
    #[error("the value {key:?} in the fleet database is damaged: restore it from a backup")]
    Value {
        /// Its key.
        key: String,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for a cookie key")]
    Random,
    /// Loading was broken off.
    #[error("loading what is to be served was broken off")]
    Task(#[from] JoinError),
}

/// Where a server listens, with the ports that the system chose where 0 was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// For plain HTTP.
    pub plain: Option<SocketAddr>,
    /// For TLS.
    pub tls: Option<SocketAddr>,
}

/// A server that has its addresses and its view, and waits for [`Server::run`].
pub struct Server {
    app: Arc<App>,
    doors: Vec<Door>,
    tls: Option<Arc<Tls>>,
}

impl Server {
    /// Takes the addresses, then loads what there is to serve. Agents that connect meanwhile wait.
    ///
    /// # Errors
    /// When an address is taken, a certificate is of no use or a store cannot be opened.
    pub async fn bind(data: DataDir, options: ServeOptions) -> Result<Self, ServerError> {
        let mut doors = Vec::new();
        let mut addresses = Addresses { plain: None, tls: None };
        if let Some(address) = options.listen {
            let (listener, local) = listen_at(address).await?;
            addresses.plain = Some(local);
            doors.push(Door { listener, tls: None });
        }
        let mut tls = None;
        if let Some(with) = options.tls.clone() {
            let (listener, local) = listen_at(with.listen).await?;
            addresses.tls = Some(local);
            let loaded = tokio::task::spawn_blocking(move || Tls::load(with)).await??;
            tls = Some(Arc::new(loaded));
            doors.push(Door { listener, tls: tls.clone() });
        }
        let app =
            tokio::task::spawn_blocking(move || App::open(data, options, addresses)).await??;
        Ok(Self { app: Arc::new(app), doors, tls })
    }

    /// The first address.
    pub fn local_addr(&self) -> SocketAddr {
        self.app.local()
    }

    /// All addresses.
    pub fn addresses(&self) -> Addresses {
        self.app.addresses()
    }

    /// Serves until `shutdown` comes, then lets running requests finish.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut watchers = JoinSet::new();
        watchers.spawn(Arc::clone(&self.app).watch());
        if let Some(tls) = self.tls {
            watchers.spawn(tls.watch(self.app.options().poll));
        }
        listen::serve(&self.app, self.doors, shutdown).await;
        watchers.abort_all();
    }
}

async fn listen_at(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServerError> {
    let failed = |source| ServerError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}

/// Serves a data folder until `shutdown` comes.
///
/// # Errors
/// As [`Server::bind`].
pub async fn serve(
    data: DataDir,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServerError> {
    Server::bind(data, options).await?.run(shutdown).await;
    Ok(())
}
