//! Be a WSUS to Windows Update Agents.

use std::{fs, net::SocketAddr, thread, time::Duration};

use serde::Serialize;

use super::{context::Context, error::OpsError};
pub use crate::server::{ServeOptions, TlsOptions};
use crate::{
    data_dir::DataDir,
    server::Server,
    transfer::{self, TransferError},
};

/// How often, and how long each time, an import that is running is waited for.
const WAITS: u32 = 50;
const WAIT: Duration = Duration::from_millis(200);

/// Where a server can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Serving {
    /// The URL for agents; that with TLS if there is no other.
    pub url: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// With TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_url: Option<String>,
    /// Where it listens for TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_address: Option<SocketAddr>,
}

/// Serves until `stop` is ready, then lets running requests finish. `ready` is called once, when the
/// server listens; what it fails with ends the server.
///
/// # Errors
/// When an address is in use, a certificate is of no use, a store cannot be opened, or `ready` fails.
pub fn serve<E: From<OpsError>>(
    context: &Context<'_>,
    options: ServeOptions,
    ready: impl FnOnce(&Serving) -> Result<(), E>,
    stop: impl Future<Output = ()>,
) -> Result<(), E> {
    let data = context.data_dir()?;
    finish_import(context, &data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(OpsError::Runtime)?;
    runtime.block_on(async {
        let server = Server::bind(data, options).await.map_err(OpsError::from)?;
        ready(&serving(&server))?;
        server.run(stop).await;
        Ok(())
    })
}

/// Finishes an import that ended between its switch and its policy. One that is running is given time
/// to come to its end.
fn finish_import(context: &Context<'_>, data: &DataDir) -> Result<(), OpsError> {
    for _ in 0..WAITS {
        match transfer::finish_import(data, context.now()) {
            Err(TransferError::Busy { .. }) => thread::sleep(WAIT),
            finished => {
                finished?.iter().for_each(|warning| context.observer().warn(warning));
                return Ok(());
            }
        }
    }
    Ok(transfer::finish_import(data, context.now()).map(drop)?)
}

fn serving(server: &Server) -> Serving {
    let addresses = server.addresses();
    let plain = addresses.plain.map(|address| format!("http://{}", reachable(address)));
    let tls_url = addresses.tls.map(|address| format!("https://{}", reachable(address)));
    Serving {
        url: plain.or_else(|| tls_url.clone()).unwrap_or_default(),
        address: server.local_addr(),
        tls_url,
        tls_address: addresses.tls,
    }
}

/// An address that can be called: all addresses of the machine are reached by its own name.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        let name = fs::read_to_string("/etc/hostname").unwrap_or_default();
        let name = name.trim();
        let name = if name.is_empty() { "localhost" } else { name };
        return format!("{name}:{}", address.port());
    }
    address.to_string()
}
