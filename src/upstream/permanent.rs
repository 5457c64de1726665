//! Why a connection failed, where trying again is of no use: certificates, other protocols, proxies
//! that refuse. Says what to do.

use jiff::Timestamp;
use reqwest::Url;

use super::client::ConnectionOptions;
use crate::{
    certificate::{TlsFailure, tls_failure},
    error_chain::causes,
};

/// Why a connection fails until somebody acts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PermanentFailure {
    /// The server is not trusted, or speaks no TLS that we do.
    #[error(transparent)]
    Tls(TlsFailure),
    /// It is not Microsoft's.
    #[error(
        "the certificate of {host} does not lead to a pinned root of Microsoft: somebody is in between (TLS inspection has to leave out this host), or the file of roots does not have the one that this host uses (there are two), or Microsoft has a new one (see docs/operating.md). Roots of the system do not count here"
    )]
    NotMicrosoft {
        /// Whose.
        host: String,
    },
    /// The proxy does not let us through.
    #[error(
        "the proxy refuses us: it wants other credentials; put them into TIDEGATE_PROXY, or `proxy` in [connection] of the configuration"
    )]
    Proxy,
}

/// Why a request to `url` fails until somebody acts; `None` when the failure may pass.
pub(super) fn permanent_failure(
    error: &reqwest::Error,
    url: &Url,
    options: &ConnectionOptions,
) -> Option<PermanentFailure> {
    let host = match (url.host_str().unwrap_or_default(), url.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    match tls_failure(error, &host, Timestamp::now()) {
        Some(TlsFailure::UnknownIssuer { .. } | TlsFailure::OfAnAuthority { .. })
            if options.microsoft.is_at(url) =>
        {
            Some(PermanentFailure::NotMicrosoft { host })
        }
        Some(failure) => Some(PermanentFailure::Tls(failure)),
        None => refused_by_proxy(error).then_some(PermanentFailure::Proxy),
    }
}

fn refused_by_proxy(error: &reqwest::Error) -> bool {
    causes(error).map(ToString::to_string).any(|text| {
        // The types of the HTTP library that say so are its own.
        text.contains("proxy authorization required")
            || text.contains("SOCKS error: credentials not accepted")
            || text.contains("SOCKS error: server does not support user/pass")
    })
}
