//! Why a connection failed, where trying again is of no use: certificates, other protocols, proxies
//! that refuse. Says what to do.

use std::{error::Error, io};

use jiff::Timestamp;
use reqwest::Url;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError, pki_types::UnixTime};

use super::client::ConnectionOptions;

/// Why a connection fails until somebody acts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PermanentFailure {
    /// The certificate is too old.
    #[error(
        "the certificate of {host} expired{}; it has to be renewed there. If the clock of this machine is wrong (it says {now}), set the clock", on(.at)
    )]
    Expired {
        /// Whose.
        host: String,
        /// When.
        at: Option<Timestamp>,
        /// By our clock.
        now: Timestamp,
    },
    /// The certificate is too new.
    #[error(
        "the certificate of {host} is not valid yet, but only from{} on. Most likely the clock of this machine is wrong (it says {now}): set the clock", on(.at)
    )]
    NotYetValid {
        /// Whose.
        host: String,
        /// From when.
        at: Option<Timestamp>,
        /// By our clock.
        now: Timestamp,
    },
    /// The certificate does not lead to a trusted root.
    #[error(
        "the certificate of {host} was signed by nobody whom this machine trusts: give the root of its authority with --roots FILE, or add that to the roots of the system"
    )]
    UnknownIssuer {
        /// Whose.
        host: String,
    },
    /// It is not Microsoft's.
    #[error(
        "the certificate of {host} does not lead to a pinned root of Microsoft: somebody is in between (TLS inspection has to leave out this host), or the file of roots does not have the one that this host uses (there are two), or Microsoft has a new one (see docs/operating.md). Roots of the system do not count here"
    )]
    NotMicrosoft {
        /// Whose.
        host: String,
    },
    /// The certificate is for another name.
    #[error(
        "the certificate that answers at {host} is for {}: use a name that it has, or have one made for {host}", named(.names)
    )]
    OtherName {
        /// Who was asked.
        host: String,
        /// The names in it.
        names: Vec<String>,
    },
    /// Something else is wrong with the certificate.
    #[error("the certificate of {host} is refused; it has to be replaced there")]
    Certificate {
        /// Whose.
        host: String,
    },
    /// It does not speak TLS.
    #[error(
        "what answers at {host} does not speak TLS: check the port (a WSUS has 8531 for https, 8530 for http)"
    )]
    NoTls {
        /// Who was asked.
        host: String,
    },
    /// It speaks old TLS only.
    #[error("{host} and this program have no TLS in common: it has to offer TLS 1.2 or 1.3")]
    OldTls {
        /// Who was asked.
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
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return tls_failure(error, host, options.microsoft.is_at(url));
        }
        let text = error.to_string();
        // The types of the HTTP library that say so are its own.
        if text.contains("proxy authorization required")
            || text.contains("SOCKS error: credentials not accepted")
            || text.contains("SOCKS error: server does not support user/pass")
        {
            return Some(PermanentFailure::Proxy);
        }
        // An I/O error passes over what it was made of.
        cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn tls_failure(error: &rustls::Error, host: String, microsoft: bool) -> Option<PermanentFailure> {
    let now = Timestamp::now();
    let now = now.round(jiff::Unit::Second).unwrap_or(now);
    Some(match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired => PermanentFailure::Expired { host, at: None, now },
            CertificateError::ExpiredContext { not_after, .. } => {
                PermanentFailure::Expired { host, at: timestamp(*not_after), now }
            }
            CertificateError::NotValidYet => PermanentFailure::NotYetValid { host, at: None, now },
            CertificateError::NotValidYetContext { not_before, .. } => {
                PermanentFailure::NotYetValid { host, at: timestamp(*not_before), now }
            }
            // A signature that does not fit is that of a root of the same name.
            CertificateError::UnknownIssuer | CertificateError::BadSignature if microsoft => {
                PermanentFailure::NotMicrosoft { host }
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                PermanentFailure::UnknownIssuer { host }
            }
            CertificateError::NotValidForName => {
                PermanentFailure::OtherName { host, names: Vec::new() }
            }
            CertificateError::NotValidForNameContext { presented, .. } => {
                PermanentFailure::OtherName { host, names: presented.clone() }
            }
            _ => PermanentFailure::Certificate { host },
        },
        rustls::Error::InvalidMessage(_) => PermanentFailure::NoTls { host },
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure,
        ) => PermanentFailure::OldTls { host },
        _ => return None,
    })
}

fn timestamp(time: UnixTime) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.as_secs()).ok()?).ok()
}

fn on(at: &Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| format!(" {at}"))
}

/// Names come from the peer, and before it has proved anything.
fn named(names: &[String]) -> String {
    if names.is_empty() {
        return "another name".to_owned();
    }
    let mut text: Vec<String> = names
        .iter()
        .take(5)
        .map(|name| name.chars().filter(|c| !c.is_control()).take(100).collect())
        .collect();
    if names.len() > text.len() {
        text.push("…".to_owned());
    }
    text.join(", ")
}
