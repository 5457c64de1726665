//! The WSUS that agents see.
//!
//! | module | what it owns |
//! |---|---|
//! | `listen` | connections: accepting, timeouts, an orderly end |
//! | `routes` | which path is which service; letter case does not matter |
//! | `exchange` | a SOAP request in, an answer or a fault out |
//! | `answer` | what an answer weighs and how it is streamed |
//! | `client`, `simple_auth`, `reporting` | the operations of each service for agents |
//! | `server_sync`, `dss_auth` | those for downstream servers |
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
mod routes;
mod server_sync;
mod simple_auth;
pub mod view;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use app::App;
use tokio::{net::TcpListener, task::JoinError};
use view::{ViewError, ViewOptions};

use crate::{catalog::CatalogError, content::ContentError, data_dir::DataDir, fleet::FleetError};

/// How a server serves.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where agents reach `/Content/`, such as `http://updates.example:8530`. `None`: at the
    /// address that they asked, by the `Host` of their request.
    pub public_url: Option<String>,
    /// How SyncUpdates answers.
    pub view: ViewOptions,
    /// How often to look whether the stores have changed.
    pub poll: Duration,
    /// Connections at one time; others wait.
    pub connections: usize,
    /// How long running requests may go on after the end was asked for.
    pub grace: Duration,
}

impl ServeOptions {
    /// All defaults but the address.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            public_url: None,
            view: ViewOptions::default(),
            poll: Duration::from_secs(1),
            connections: 4096,
            grace: Duration::from_secs(30),
        }
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: choose another address with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
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

/// A server that has its address and its view, and waits for [`Server::run`].
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
}

impl Server {
    /// Takes the address, then loads what there is to serve. Agents that connect meanwhile wait.
    ///
    /// # Errors
    /// When the address is taken or a store cannot be opened.
    pub async fn bind(data: DataDir, options: ServeOptions) -> Result<Self, ServerError> {
        let address = options.listen;
        let failed = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let app = tokio::task::spawn_blocking(move || App::open(data, options, local)).await??;
        Ok(Self { app: Arc::new(app), listener })
    }

    /// The address, with the port that the system chose if 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.app.local()
    }

    /// Serves until `shutdown` comes, then lets running requests finish.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let watcher = tokio::spawn(Arc::clone(&self.app).watch());
        listen::serve(&self.app, self.listener, shutdown).await;
        watcher.abort();
    }
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
