//! `tidegate serve`

use std::net::SocketAddr;

use anyhow::Context as _;
use serde_json::json;
use tidegate::server::{ServeOptions, Server};

use super::{Context, Outcome};

/// Where to listen if nothing else is said.
const DEFAULT_LISTEN: &str = "0.0.0.0:8530";

/// Be a WSUS to Windows Update Agents. Follows imports and approvals by itself.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Address and port [default: 0.0.0.0:8530]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// How agents reach the content, if not by the address that they asked
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let data = context.data_dir()?;
        let config = &context.config.serve;
        let listen = match self.listen.or(config.listen) {
            Some(listen) => listen,
            None => DEFAULT_LISTEN.parse()?,
        };
        let options = ServeOptions {
            public_url: self.public_url.or_else(|| config.public_url.clone()),
            ..ServeOptions::new(listen)
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        runtime.block_on(async {
            let server = Server::bind(data, options).await?;
            let address = server.local_addr();
            let url = format!("http://{}", reachable(address));
            context.out.data(&json!({ "url": url, "address": address }), || {
                format!("Serving on {address}. Agents: WUServer = WUStatusServer = {url}")
            })?;
            server.run(asked_to_stop()).await;
            context.out.note("Stopped.");
            Ok(Outcome::Done)
        })
    }
}

/// An address that can be called: all addresses of the machine are reached by its own name.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        let name = name.trim();
        let name = if name.is_empty() { "localhost" } else { name };
        return format!("{name}:{}", address.port());
    }
    address.to_string()
}

/// Ctrl-C, or what a service manager sends.
async fn asked_to_stop() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without handlers the system's own end is what remains.
    let _ = interrupt.await;
}
