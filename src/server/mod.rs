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
mod body;
mod call;
mod client;
mod content;
mod dss_auth;
mod encoding;
mod error;
mod exchange;
mod failure;
mod listen;
mod options;
pub mod pack;
mod reporting;
mod rollup;
mod routes;
mod server_sync;
mod simple_auth;
mod spool;
mod tls;
pub mod view;

use std::{net::SocketAddr, sync::Arc};

use app::App;
pub use error::ServerError;
use listen::Door;
pub use options::{Addresses, ServeOptions};
use tls::Tls;
pub use tls::{TlsError, TlsOptions, certificate_validity};
use tokio::{net::TcpListener, task::JoinSet};

use crate::data_dir::DataDir;

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
