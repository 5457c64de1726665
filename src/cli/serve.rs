//! `tidegate serve`

use std::{
    net::SocketAddr,
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
};

use tidegate::{
    fleet::FleetBounds,
    ops::serve::{self, ServeOptions, Serving, TlsOptions},
};

use super::{Context, Outcome, exit::usage, size};
use crate::config::{Bounds, Listen, Serve};

/// Where to listen if nothing else is said.
const DEFAULT_LISTEN: &str = "0.0.0.0:8530";
/// Where to listen for TLS if nothing else is said.
const DEFAULT_TLS_LISTEN: &str = "0.0.0.0:8531";

/// Be a WSUS to Windows Update Agents. Follows imports and approvals by itself.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Address and port for plain HTTP, or `none` [default: 0.0.0.0:8530]
    #[arg(long, value_name = "ADDR")]
    listen: Option<Listen>,
    /// Address and port for TLS, if there is a certificate [default: 0.0.0.0:8531]
    #[arg(long, value_name = "ADDR")]
    tls_listen: Option<SocketAddr>,
    /// Certificate of this server, followed by those that lead to its root (PEM). A renewed one is
    /// taken without a restart
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// How agents reach the content, if not by the address that they asked
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let bounds = bounds(&context.config.bounds)?;
        let options = ServeOptions { bounds, ..self.options(&context.config.serve)? };
        let ready = |serving: &Serving| context.out.data(serving, || text(serving));
        serve::serve(&context.ops(), options, ready, asked_to_stop())?;
        context.out.note("Stopped.");
        Ok(Outcome::Done)
    }

    fn options(self, config: &Serve) -> anyhow::Result<ServeOptions> {
        let certificate = self.tls_cert.or_else(|| config.tls_cert.clone());
        let key = self.tls_key.or_else(|| config.tls_key.clone());
        let tls_listen = self.tls_listen.or(config.tls_listen);
        let tls = match (certificate, key) {
            (Some(certificate), Some(key)) => {
                let listen = tls_listen.map_or_else(|| DEFAULT_TLS_LISTEN.parse(), Ok)?;
                Some(TlsOptions { listen, certificate, key })
            }
            (None, None) if tls_listen.is_none() => None,
            _ => return Err(usage("TLS needs --tls-cert and --tls-key together")),
        };
        let listen = match self.listen.or(config.listen) {
            Some(Listen(listen)) => listen,
            None => Some(DEFAULT_LISTEN.parse()?),
        };
        if listen.is_none() && tls.is_none() {
            return Err(usage("without plain HTTP, TLS is needed: --tls-cert and --tls-key"));
        }
        let public_url = self.public_url.or_else(|| config.public_url.clone());
        // Any address will do here: it is replaced.
        let defaults = ServeOptions::new(DEFAULT_LISTEN.parse()?);
        let downstreams = config.downstreams.clone();
        let connections = config.connections.map_or(defaults.connections, NonZeroUsize::get);
        let connections_per_address = config
            .connections_per_address
            .map_or(defaults.connections_per_address, NonZeroUsize::get);
        Ok(ServeOptions {
            listen,
            tls,
            public_url,
            downstreams,
            connections,
            connections_per_address,
            ..defaults
        })
    }
}

/// What the configuration says of the bounds, and the defaults.
fn bounds(config: &Bounds) -> anyhow::Result<FleetBounds> {
    let default = FleetBounds::default();
    let number = |given: Option<NonZeroU64>, default| given.map_or(default, NonZeroU64::get);
    let bytes = |key: &str, given: &Option<String>, default| match given.as_deref() {
        Some(text) => size::binary(text).map_err(|why| usage(format!("[bounds] {key}: {why}"))),
        None => Ok(default),
    };
    Ok(FleetBounds {
        computers: number(config.computers, default.computers),
        computers_of_address: number(config.computers_per_address, default.computers_of_address),
        never_scanned_of_address: number(
            config.never_scanned_per_address,
            default.never_scanned_of_address,
        ),
        bytes_of_computer: bytes(
            "reports-per-computer",
            &config.reports_per_computer,
            default.bytes_of_computer,
        )?,
        bytes_of_address: bytes(
            "reports-per-address",
            &config.reports_per_address,
            default.bytes_of_address,
        )?,
        bytes: bytes("reports", &config.reports, default.bytes)?,
        servers_of_address: number(config.servers_per_address, default.servers_of_address),
    })
}

fn text(serving: &Serving) -> String {
    let Serving { url, address, tls_url, tls_address } = serving;
    let mut text = format!("Serving on {address}. Agents: WUServer = WUStatusServer = {url}");
    if let (Some(tls_url), Some(address)) = (tls_url, tls_address)
        && tls_url != url
    {
        text.push_str(&format!("\nWith TLS on {address}: {tls_url}"));
    }
    text
}

/// Ctrl-C, or what a service manager sends.
pub(super) async fn asked_to_stop() {
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
