//! Why a server is not trusted until somebody does something: the same words for every client.

use std::error::Error;

use jiff::Timestamp;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError, pki_types::UnixTime};

use crate::error_chain::causes;

/// Why TLS with a server fails until somebody acts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFailure {
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
        "the certificate of {host} was signed by nobody whom this machine trusts: give the root of its authority with --roots FILE (of a certificate that signs itself: this certificate), or add that to the roots of the system"
    )]
    UnknownIssuer {
        /// Whose.
        host: String,
    },
    /// The certificate is for another name.
    #[error(
        "the certificate that answers at {host} is for {}: use a name that it has, or have one made for {}", named(.names), without_port(.host)
    )]
    OtherName {
        /// Who was asked.
        host: String,
        /// The names in it.
        names: Vec<String>,
    },
    /// The certificate is for no name.
    #[error(
        "the certificate of {host} has no subjectAltName, and no other place of a name counts: have one made that names this server there (openssl: -addext subjectAltName=DNS:NAME, or IP:ADDRESS)"
    )]
    NoName {
        /// Whose.
        host: String,
    },
    /// It is the certificate of an authority.
    #[error(
        "the certificate of {host} is that of an authority (CA:TRUE), as `openssl req -x509` makes it, and not trusted itself: give exactly this certificate with --roots FILE, or have one made for a server (CA:FALSE)"
    )]
    OfAnAuthority {
        /// Whose.
        host: String,
    },
    /// Something else is wrong with the certificate.
    #[error("the certificate of {host} cannot be used: {why}. It has to be replaced there")]
    Certificate {
        /// Whose.
        host: String,
        /// What.
        why: &'static str,
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
}

impl TlsFailure {
    /// Whether it lies in the certificate; else no certificate came.
    pub fn is_of_certificate(&self) -> bool {
        !matches!(self, Self::NoTls { .. } | Self::OldTls { .. })
    }
}

/// Looks for such a failure among the causes of an error of `host`; `now` is what our clock says.
pub fn tls_failure(
    error: &(dyn Error + 'static),
    host: &str,
    now: Timestamp,
) -> Option<TlsFailure> {
    let error = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>())?;
    failure_of(error, host.to_owned(), now.round(jiff::Unit::Second).unwrap_or(now))
}

/// When no client with TLS can be made although nobody gave a root.
#[cfg(any(feature = "upstream", feature = "probe"))]
pub(crate) const NO_SYSTEM_ROOTS: &str = "this system has no roots that it trusts, or they cannot be read: give a file of roots with --roots FILE, or install the system's (package ca-certificates)";

/// What is wrong with a certificate, or with the key for it, that somebody gave us to use.
pub(crate) fn why_unusable(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InconsistentKeys(_) => "the key belongs to another certificate",
        rustls::Error::InvalidCertificate(error) => why_refused(error),
        rustls::Error::General(_) => {
            "keys of this kind are not used here (RSA, ECDSA and Ed25519 are)"
        }
        _ => "TLS cannot use it",
    }
}

fn failure_of(error: &rustls::Error, host: String, now: Timestamp) -> Option<TlsFailure> {
    Some(match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired => TlsFailure::Expired { host, at: None, now },
            CertificateError::ExpiredContext { not_after, .. } => {
                TlsFailure::Expired { host, at: timestamp(*not_after), now }
            }
            CertificateError::NotValidYet => TlsFailure::NotYetValid { host, at: None, now },
            CertificateError::NotValidYetContext { not_before, .. } => {
                TlsFailure::NotYetValid { host, at: timestamp(*not_before), now }
            }
            // A signature that does not fit is that of a root of the same name.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                TlsFailure::UnknownIssuer { host }
            }
            CertificateError::NotValidForName => TlsFailure::OtherName { host, names: Vec::new() },
            CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
                TlsFailure::NoName { host }
            }
            CertificateError::NotValidForNameContext { presented, .. } => {
                let known = presented.iter().filter(|name| !name.starts_with("Unsupported"));
                let names = known.map(|name| bare(name).to_owned()).collect();
                TlsFailure::OtherName { host, names }
            }
            other if is_other(other, "CaUsedAsEndEntity") => TlsFailure::OfAnAuthority { host },
            other => TlsFailure::Certificate { host, why: why_refused(other) },
        },
        rustls::Error::InvalidMessage(_) => TlsFailure::NoTls { host },
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure,
        ) => TlsFailure::OldTls { host },
        _ => return None,
    })
}

/// Why a certificate is refused whoever it is from.
fn why_refused(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::BadEncoding => "it is damaged, or no certificate",
        CertificateError::Revoked => "its authority has revoked it",
        CertificateError::UnhandledCriticalExtension => {
            "it has a critical extension that is not known here"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            NOT_FOR_SERVERS
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it is signed in a way that is not taken here (such as SHA-1)"
        }
        other if is_other(other, "EkuError") => NOT_FOR_SERVERS,
        other if is_other(other, "UnsupportedCertVersion") => {
            "it is of an old form (X.509 version 1), which has no subjectAltName"
        }
        _ => "it breaks a rule for certificates",
    }
}

const NOT_FOR_SERVERS: &str = "it is not made for servers (its extendedKeyUsage lacks serverAuth)";

/// The library has no type of its own for some causes; they show in its debug form.
fn is_other(error: &CertificateError, name: &str) -> bool {
    matches!(error, CertificateError::Other(_)) && format!("{error:?}").contains(name)
}

/// A name without what the library writes around it: `DnsName("wsus.example")`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

fn timestamp(time: UnixTime) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.as_secs()).ok()?).ok()
}

fn on(at: &Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| format!(" {at}"))
}

/// A certificate has names and addresses, but no port.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|b| b.is_ascii_digit())
                && (!name.contains(':') || name.ends_with(']')) =>
        {
            name
        }
        _ => host,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_for_a_name_without_a_port() {
        for (host, name) in [
            ("127.0.0.1:19199", "127.0.0.1"),
            ("wsus.example", "wsus.example"),
            ("[::1]:8531", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            let failure = TlsFailure::OtherName { host: host.to_owned(), names: Vec::new() };
            let said = failure.to_string();
            assert!(said.ends_with(&format!("have one made for {name}")), "{said}");
        }
    }
}
