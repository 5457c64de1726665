//! The HTTP client that every connection of this side goes through: which roots are trusted, which
//! proxy is used, how long is waited, and that nothing leads anywhere else.

use std::{fmt, path::PathBuf, time::Duration};

use reqwest::{Certificate, Client, ClientBuilder, NoProxy, Proxy, Url, redirect, tls};
use tokio_rustls::rustls;

use super::{
    address::without_credentials,
    roots::{self, MicrosoftUpdate, RootsError},
};
use crate::{
    certificate::{NO_SYSTEM_ROOTS, client_config, why_unusable},
    error_chain::{causes, chain},
};

const USER_AGENT: &str = concat!("Tidegate/", env!("CARGO_PKG_VERSION"));

/// Schemes of proxies. With `socks5h` the proxy resolves names, with `socks5` this machine does.
const PROXIES: &[&str] = &["http", "https", "socks5", "socks5h"];

/// How to reach a server.
#[derive(Clone)]
pub struct ConnectionOptions {
    /// Plain HTTP is allowed.
    pub allow_http: bool,
    /// A file of the only roots that are trusted, PEM or one certificate as DER; else those of the
    /// system. Does not count for Microsoft Update.
    pub roots: Option<PathBuf>,
    /// `http://user:password@host:port`, also with `https`, `socks5` or `socks5h`; or `none`. Else
    /// what the environment says. Never shown.
    pub proxy: Option<String>,
    /// Where Microsoft Update is, and the only roots that count there.
    pub microsoft: MicrosoftUpdate,
    /// To be connected.
    pub connect_timeout: Duration,
    /// Between two pieces of an answer.
    pub read_timeout: Duration,
    /// For a whole call.
    pub call_timeout: Duration,
    /// How often a call is tried.
    pub attempts: u32,
    /// Before the second attempt; doubles each time.
    pub first_pause: Duration,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self {
            allow_http: false,
            roots: None,
            proxy: None,
            microsoft: MicrosoftUpdate::default(),
            connect_timeout: Duration::from_secs(30),
            // A WSUS thinks for minutes before it lists a large catalogue.
            read_timeout: Duration::from_secs(300),
            call_timeout: Duration::from_secs(3600),
            attempts: 6,
            first_pause: Duration::from_secs(2),
        }
    }
}

/// Without the credentials of the proxy, which must not reach a log.
impl fmt::Debug for ConnectionOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionOptions")
            .field("allow_http", &self.allow_http)
            .field("roots", &self.roots)
            .field("proxy", &self.proxy.as_deref().map(without_credentials))
            .field("microsoft", &self.microsoft)
            .field("connect_timeout", &self.connect_timeout)
            .field("read_timeout", &self.read_timeout)
            .field("call_timeout", &self.call_timeout)
            .field("attempts", &self.attempts)
            .field("first_pause", &self.first_pause)
            .finish()
    }
}

/// Why no connection is made at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Plain HTTP was not asked for.
    #[error(
        "{url} is plain HTTP: whoever is on the way can change what arrives, and metadata are not signed. Use https://, or allow it by name with --allow-http"
    )]
    PlainHttp {
        /// The address.
        url: String,
    },
    /// Microsoft Update is never asked over plain HTTP.
    #[error(
        "{url} is Microsoft Update over plain HTTP, which nothing allows: use https://, or `--from microsoft-update`"
    )]
    MicrosoftPlain {
        /// The address.
        url: String,
    },
    /// The file of roots cannot be used.
    #[error("cannot use the certificates in {path}: {why}")]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The pinned roots of Microsoft cannot be used.
    #[error(transparent)]
    Pinned(#[from] RootsError),
    /// The proxy's address is of no use.
    #[error(
        "the proxy {proxy:?} cannot be used: {why}; write it as http://user:password@host:port, socks5://… or socks5h://…, or `none`"
    )]
    Proxy {
        /// Without its credentials.
        proxy: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The HTTP client could not be made.
    #[error("cannot prepare the connection: {why}")]
    Build {
        /// What is wrong.
        why: String,
    },
}

/// A client for the server at `base`. For Microsoft Update it trusts the pinned roots and nothing
/// else, whatever the options say.
pub(super) fn http_client(base: &Url, options: &ConnectionOptions) -> Result<Client, ClientError> {
    match client_builder(base, options)?.build() {
        // Plain HTTP needs no roots, and a machine may have none.
        Err(_) if base.scheme() == "http" && options.roots.is_none() => {
            client_builder(base, options)?.tls_certs_only([]).build().map_err(unbuilt)
        }
        Err(_) if options.roots.is_none() && !options.microsoft.is_at(base) => {
            Err(ClientError::Build { why: NO_SYSTEM_ROOTS.to_owned() })
        }
        built => built.map_err(unbuilt),
    }
}

fn client_builder(base: &Url, options: &ConnectionOptions) -> Result<ClientBuilder, ClientError> {
    let microsoft = options.microsoft.is_at(base);
    match base.scheme() {
        "https" => {}
        _ if microsoft => return Err(ClientError::MicrosoftPlain { url: base.to_string() }),
        _ if options.allow_http => {}
        _ => return Err(ClientError::PlainHttp { url: base.to_string() }),
    }
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        // A redirect could lead to a host that was not asked for, or to plain HTTP.
        .redirect(redirect::Policy::none())
        .http1_only()
        .tls_version_min(tls::Version::TLS_1_2)
        // The certificate of the peer, for those who ask how long it holds.
        .tls_info(true)
        .https_only(base.scheme() == "https")
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.read_timeout)
        .timeout(options.call_timeout);
    if microsoft {
        // Only what is signed under a pinned root.
        let pinned = options.microsoft.pinned_roots()?;
        let pinned: Result<Vec<_>, _> =
            pinned.iter().map(|root| Certificate::from_der(root)).collect();
        builder = builder.tls_certs_only(pinned.map_err(unbuilt)?);
    } else if let Some(path) = &options.roots {
        let config = roots::read(path).and_then(client_config);
        let config = config.map_err(|why| ClientError::Roots { path: path.clone(), why })?;
        builder = builder.tls_backend_preconfigured(config);
    }
    Ok(match options.proxy.as_deref() {
        // As the environment says: HTTPS_PROXY, HTTP_PROXY, NO_PROXY.
        None => builder,
        Some("none") => builder.no_proxy(),
        Some(address) => builder.proxy(proxy(address)?),
    })
}

/// What the library says of certificates, in our words.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unbuilt(error: reqwest::Error) -> ClientError {
    let tls = causes(&error).find_map(|cause| cause.downcast_ref::<rustls::Error>());
    let why = tls.map_or_else(|| chain(&error), |error| why_unusable(error).to_owned());
    ClientError::Build { why }
}

fn proxy(address: &str) -> Result<Proxy, ClientError> {
    let wrong = |why| ClientError::Proxy { proxy: without_credentials(address), why };
    let url = Url::parse(address).map_err(|_| wrong("it is no address"))?;
    if !PROXIES.contains(&url.scheme()) {
        return Err(wrong("only http, https, socks5 and socks5h are spoken"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("it names no host"));
    }
    // Whoever names a proxy and NO_PROXY means both.
    let proxy = Proxy::all(url).map_err(|_| wrong("it is no address of a proxy"))?;
    Ok(proxy.no_proxy(NoProxy::from_env()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(base: &str, options: &ConnectionOptions) -> String {
        let error = http_client(&Url::parse(base).unwrap(), options).unwrap_err();
        assert!(!format!("{error:?} {options:?}").contains("geheim"), "{error:?} {options:?}");
        error.to_string()
    }

    #[test]
    fn plain_http_and_files_without_roots_are_refused() {
        let plain = "http://wsus.example:8530/";
        let error = refused(plain, &ConnectionOptions::default());
        assert!(error.contains("--allow-http"), "{error}");
        let file = tempfile::NamedTempFile::new().unwrap();
        let roots = Some(file.path().to_owned());
        let options = ConnectionOptions { allow_http: true, roots, ..Default::default() };
        let error = refused(plain, &options);
        assert!(error.contains("no certificate"), "{error}");
    }

    #[test]
    fn plain_http_to_microsoft_update_is_allowed_by_nothing() {
        let options = ConnectionOptions { allow_http: true, ..Default::default() };
        for host in
            ["sws.update.microsoft.com", "fe2.UPDATE.microsoft.com.", "update.microsoft.com"]
        {
            let error = refused(&format!("http://{host}/"), &options);
            assert!(error.contains("over plain HTTP"), "{error}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_named_without_its_credentials() {
        let with = |proxy: &str| {
            let proxy = Some(proxy.to_owned());
            refused(
                "https://wsus.example:8531/",
                &ConnectionOptions { proxy, ..Default::default() },
            )
        };
        assert!(with("ftp://anna:geheim@proxy.example").contains("\"ftp://…@proxy.example\""));
        assert!(with("anna:geheim@proxy.example:3128").contains("\"…@proxy.example:3128\""));
        assert!(with("http://anna:ge@heim@").contains("\"http://…@\""));
        let good = ["http://a:geheim@p.example:3128", "socks5h://p.example:1080", "none"];
        for proxy in good {
            let proxy = Some(proxy.to_owned());
            let options = ConnectionOptions { proxy, ..Default::default() };
            assert!(!format!("{options:?}").contains("geheim"));
            http_client(&Url::parse("https://wsus.example/").unwrap(), &options).unwrap();
        }
    }
}
