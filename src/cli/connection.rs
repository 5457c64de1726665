//! How to reach a server of the network: flags that several commands have.

use std::{fmt, path::PathBuf, str::FromStr};

use tidegate::upstream::{ConnectionOptions, MicrosoftUpdate};

use super::{Context, exit};

/// The file of Microsoft's roots in the data folder, if nothing else is said.
const MICROSOFT_ROOTS: &str = "microsoft-roots.pem";

/// To be flattened into the arguments of a command.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "For servers")]
pub(super) struct Connection {
    /// Speak plain HTTP with the server; whoever is on the way can change what arrives. Never with
    /// Microsoft Update
    #[arg(long)]
    allow_http: bool,
    /// Trust only the roots in this PEM file, instead of those of the system. Does not count for
    /// Microsoft Update, which has roots of its own
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    /// Use this proxy (http, https, socks5 or socks5h; `none` for none), instead of what HTTPS_PROXY
    /// and HTTP_PROXY say. Other users see what stands here: put credentials into TIDEGATE_PROXY or
    /// the configuration
    #[arg(long, value_name = "URL", env = "TIDEGATE_PROXY", hide_env_values = true)]
    proxy: Option<Secret>,
}

impl Connection {
    /// With what the configuration says where no flag does.
    pub(super) fn options(self, context: &Context) -> anyhow::Result<ConnectionOptions> {
        let config = &context.config;
        let microsoft = &config.microsoft_update;
        let roots = microsoft.roots.clone().unwrap_or_else(|| context.data.join(MICROSOFT_ROOTS));
        let microsoft = MicrosoftUpdate::new(
            microsoft.url.as_deref(),
            Some(roots),
            microsoft.fingerprints.as_deref(),
        )
        .map_err(|e| anyhow::Error::new(e).context(exit::Usage))?;
        Ok(ConnectionOptions {
            allow_http: self.allow_http,
            roots: self.roots.or_else(|| config.connection.roots.clone()),
            proxy: self.proxy.map(|proxy| proxy.0).or_else(|| config.connection.proxy.clone()),
            microsoft,
            ..ConnectionOptions::default()
        })
    }
}

/// What is not shown when the arguments are.
#[derive(Clone)]
struct Secret(String);

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
