//! The WSUS that agents see.
//!
//! | folder | what lives there | knows |
//! |---|---|---|
//! | `http/` | the wire | all below |
//! | `services/` | the operations of each service | `content/`, `state/` and below |
//! | `content/` | payload files, by range | `state/` and below |
//! | `state/` | what all requests share | `view/`, `pack/` and the files below |
//! | [`view`] | what is served: immutable, swapped as a whole | `pack/` |
//! | [`pack`] | fragments, compressed once | nothing |
//! | `call`, `encoding`, `body`, `spool`, `answer_memory`, `failure`, `options`, `error` | the vocabulary | `pack/`, `view/` for errors and options |

mod answer_memory;
mod body;
mod call;
mod content;
mod encoding;
mod error;
mod failure;
mod http;
mod options;
pub mod pack;
mod services;
mod spool;
mod state;
pub mod view;

use std::{net::SocketAddr, sync::Arc};

pub use error::{ServerError, TlsError};
pub use http::tls::certificate_validity;
pub use options::{Addresses, ServeOptions, TlsOptions};
use tokio::{net::TcpListener, task::JoinSet};

use crate::data_dir::DataDir;
use http::{listen::Listener, tls::Tls};
use state::{server_state::ServerState, watcher::watch};

/// A server that has its addresses and its view, and waits for [`Server::run`].
pub struct Server {
    state: Arc<ServerState>,
    listeners: Vec<Listener>,
    tls: Option<Arc<Tls>>,
}

impl Server {
    /// Takes the addresses, then loads what there is to serve. Agents that connect meanwhile wait.
    ///
    /// # Errors
    /// When an address is taken, a certificate is of no use or a store cannot be opened.
    pub async fn bind(data: DataDir, options: ServeOptions) -> Result<Self, ServerError> {
        let mut listeners = Vec::new();
        let mut addresses = Addresses { plain: None, tls: None };
        if let Some(address) = options.listen {
            let (listener, local) = listen_at(address).await?;
            addresses.plain = Some(local);
            listeners.push(Listener { listener, tls: None });
        }
        let mut tls = None;
        if let Some(tls_options) = options.tls.clone() {
            let (listener, local) = listen_at(tls_options.listen).await?;
            addresses.tls = Some(local);
            let loaded = tokio::task::spawn_blocking(move || Tls::load(tls_options)).await??;
            tls = Some(Arc::new(loaded));
            listeners.push(Listener { listener, tls: tls.clone() });
        }
        let state =
            tokio::task::spawn_blocking(move || ServerState::open(data, options, addresses))
                .await??;
        Ok(Self { state: Arc::new(state), listeners, tls })
    }

    /// The first address.
    pub fn local_addr(&self) -> SocketAddr {
        self.state.settings.local()
    }

    /// All addresses.
    pub fn addresses(&self) -> Addresses {
        self.state.settings.addresses()
    }

    /// Serves until `shutdown` comes, then lets running requests finish.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut watchers = JoinSet::new();
        watchers.spawn(watch(Arc::clone(&self.state)));
        if let Some(tls) = self.tls {
            watchers.spawn(tls.watch(self.state.settings.options().poll));
        }
        http::listen::serve(&self.state, self.listeners, shutdown).await;
        watchers.abort_all();
        let state = self.state;
        let finished = tokio::task::spawn_blocking(move || {
            state.contacts.finish(&state.stores);
            state.turned_away.flush(&state.stores);
        });
        // What cannot be noted was said in the log.
        let _ = finished.await;
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
