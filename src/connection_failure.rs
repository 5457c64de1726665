//! Why no answer comes from a server, in words: the same for every client.

use std::{error::Error, io};

use tokio_rustls::rustls;

use crate::error_chain::causes;

/// Why a connection brings no answer; it may pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionFailure {
    /// The other machine says that nobody listens.
    #[error("the connection is refused: nothing listens there")]
    Refused,
    /// The name leads to no address.
    #[error("its name leads to no address")]
    UnknownName,
    /// The network has no way.
    #[error("the network has no way to it")]
    Unreachable,
    /// No sign of life.
    #[error("nothing came in time")]
    TimedOut,
    /// It ended early.
    #[error("the connection ended before the answer was complete")]
    Ended,
    /// The answer is something else.
    #[error("what came is not HTTP")]
    NotHttp,
    /// The handshake failed.
    #[error("TLS broke off")]
    Tls,
    /// The proxy is there, and does not get through.
    #[error("the proxy gets no connection to it")]
    Proxy,
    /// Something else, as the library says it.
    #[error("the connection failed ({0})")]
    Other(String),
}

impl ConnectionFailure {
    /// Reads it from the error of an HTTP client.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        causes(error).find_map(known).unwrap_or_else(|| {
            let root = causes(error).last().map(ToString::to_string);
            Self::Other(root.unwrap_or_default())
        })
    }

    /// What to look at when a server has never answered; `tls` is whether it was asked with TLS.
    pub fn advice(&self, tls: bool) -> &'static str {
        match (self, tls) {
            (Self::UnknownName, _) => {
                "Check how the name is written, and the name service of this machine"
            }
            (Self::Proxy, _) => {
                "Check the address and the port, and whether the proxy may go there"
            }
            (Self::Ended | Self::NotHttp, false) => {
                "If this port is one for TLS, write https:// (a WSUS has 8531 for https, 8530 for http); else look at the server"
            }
            (Self::Ended | Self::NotHttp | Self::Tls, true) => {
                "If this port is one for plain HTTP, write http:// (a WSUS has 8530 for http, 8531 for https); else look at the server"
            }
            _ => {
                "Check the address and the port (a WSUS has 8530 for http, 8531 for https), whether the server runs, the firewalls in between, and the proxy if one is set"
            }
        }
    }
}

/// What one cause says by itself. The types of the HTTP client that say more are its own.
fn known(cause: &(dyn Error + 'static)) -> Option<ConnectionFailure> {
    if cause.is::<rustls::Error>() {
        return Some(ConnectionFailure::Tls);
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        return match error {
            error if error.is_parse() => Some(ConnectionFailure::NotHttp),
            error if error.is_timeout() => Some(ConnectionFailure::TimedOut),
            error if error.is_incomplete_message() => Some(ConnectionFailure::Ended),
            _ => None,
        };
    }
    if let Some(error) = cause.downcast_ref::<io::Error>() {
        return of_kind(error.kind());
    }
    match cause.to_string() {
        text if text.starts_with("dns error") => Some(ConnectionFailure::UnknownName),
        text if text.starts_with("operation timed out") => Some(ConnectionFailure::TimedOut),
        text if text.contains("tunnel error") || text.contains("SOCKS error") => {
            Some(ConnectionFailure::Proxy)
        }
        _ => None,
    }
}

fn of_kind(kind: io::ErrorKind) -> Option<ConnectionFailure> {
    Some(match kind {
        io::ErrorKind::ConnectionRefused => ConnectionFailure::Refused,
        io::ErrorKind::TimedOut => ConnectionFailure::TimedOut,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => ConnectionFailure::Unreachable,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => ConnectionFailure::Ended,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cause_that_is_known_counts() {
        let refused = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(ConnectionFailure::of(&refused), ConnectionFailure::Refused);
        let tls = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError);
        assert_eq!(ConnectionFailure::of(&tls), ConnectionFailure::Tls);
        let other = ConnectionFailure::of(&io::Error::other("odd")).to_string();
        assert_eq!(other, "the connection failed (odd)");
    }
}
