//! A call: which service, who asks and how, and what an answer is made of.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use axum::{extract::Request, http::header::HOST};
use jiff::Timestamp;

use super::{
    encoding::{Encoding, encoding},
    pack::fragment::PackedFragment,
    spool::SpooledAnswer,
};
use crate::{
    protocol,
    soap::{MessageLimits, Piece, Style, Writer, envelope},
};

/// Who sent a request, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// Over TLS.
    pub(super) tls: bool,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.address, if self.tls { " (TLS)" } else { "" })
    }
}

/// Who counts as one client where shares are given out: an IPv4 address, or the half of an IPv6
/// address that names a network, as one computer has the other half to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ClientAddress(IpAddr);

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
            }
            address => address,
        })
    }
}

/// A written message; what is stored elsewhere is in pieces of its own.
pub(super) type Pieces = Vec<Piece<StoredPiece>>;

/// The services that agents and downstream servers call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    Client,
    SimpleAuth,
    Reporting,
    ServerSync,
    DssAuth,
}

impl Service {
    pub(super) fn namespace(self) -> &'static str {
        match self {
            Self::Client => protocol::client::NAMESPACE,
            Self::SimpleAuth => protocol::simple_auth::NAMESPACE,
            Self::Reporting => protocol::reporting::NAMESPACE,
            Self::ServerSync => protocol::server_sync::NAMESPACE,
            Self::DssAuth => protocol::server_sync::DSS_AUTH_NAMESPACE,
        }
    }

    pub(super) fn style(self) -> Style {
        match self {
            Self::Client => Style::Client,
            _ => Style::Asmx,
        }
    }

    /// Writes an answer of this service: the envelope around what `content` writes.
    pub(super) fn write(self, content: impl FnOnce(&mut Writer<StoredPiece>)) -> Pieces {
        envelope(self.style(), content)
    }

    pub(super) fn cache_control(self) -> &'static str {
        match self {
            Self::Client => "private",
            _ => "private, max-age=0",
        }
    }

    /// Bounds on a request. A downstream server may report the states of tens of thousands of
    /// updates on one computer at a time.
    pub(super) fn limits(self) -> MessageLimits {
        match self {
            Self::Reporting => MessageLimits {
                bytes: 32 * 1024 * 1024,
                elements: 600_000,
                ..MessageLimits::default()
            },
            _ => MessageLimits::default(),
        }
    }

    /// Whether other servers call it.
    pub(super) fn is_between_servers(self) -> bool {
        matches!(self, Self::ServerSync | Self::DssAuth)
    }
}

/// What operations need to know of their request beside the message.
pub(super) struct Call {
    /// When it arrived.
    pub(super) now: Timestamp,
    /// The `Host` of the request, if it can be part of a URL.
    pub(super) host: Option<String>,
    /// Its path, in lower case.
    pub(super) path: String,
    /// The operation of `SOAPAction`, for the log and for faults.
    pub(super) action: Option<String>,
    /// How the answer is to be encoded.
    pub(super) encoding: Encoding,
    pub(super) peer: Option<Peer>,
}

impl Call {
    /// Where it came from, as the fleet notes it.
    pub(super) fn address(&self) -> Option<String> {
        self.client().map(|client| client.to_string())
    }

    /// Whether it arrived over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.peer.is_some_and(|peer| peer.tls)
    }

    /// Who asks, where shares are given out.
    pub(super) fn client(&self) -> Option<ClientAddress> {
        self.peer.map(|peer| peer.address.ip().into())
    }

    pub(super) fn new(request: &Request) -> Self {
        let headers = request.headers();
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let short = |value: &&str| value.len() <= 300;
        Self {
            now: Timestamp::now(),
            host: text(HOST.as_str()).filter(|host| is_host(host)).map(str::to_owned),
            path: request.uri().path().to_owned(),
            action: text("soapaction").filter(short).map(str::to_owned),
            encoding: encoding(headers),
            peer: request.extensions().get::<Peer>().copied(),
        }
    }
}

/// Whether a `Host` can stand in a URL that goes back to the client.
fn is_host(host: &str) -> bool {
    (1..=255).contains(&host.len())
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
}

/// A part of an answer that is read from a pack or a file.
#[derive(Debug)]
pub(super) enum StoredPiece {
    /// In a pack.
    Fragment(PackedFragment),
    /// In a file of its own, encoded already.
    Spooled(SpooledAnswer),
}

impl From<PackedFragment> for StoredPiece {
    fn from(fragment: PackedFragment) -> Self {
        Self::Fragment(fragment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let address = |text: &str| {
            let mut request = Request::new(axum::body::Body::empty());
            let peer = Peer { address: text.parse().unwrap(), tls: false };
            request.extensions_mut().insert(peer);
            Call::new(&request).address().unwrap()
        };
        assert_eq!(address("192.0.2.1:5"), "192.0.2.1");
        assert_eq!(address("[::ffff:192.0.2.1]:5"), "192.0.2.1");
        assert_eq!(address("[2001:db8:0:7:1:2:3:4]:5"), "2001:db8:0:7::/64");
        assert_eq!(address("[2001:db8:0:7:9::1]:5"), "2001:db8:0:7::/64");
    }

    #[test]
    fn a_host_that_cannot_stand_in_a_url_is_not_used() {
        for host in ["192.0.2.1:8530", "wsus.example", "[2001:db8::1]:8530", "WSUS_1"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", "a b", "a/b", "a<b", "a@b", "a?b", &"a".repeat(256)] {
            assert!(!is_host(host), "{host}");
        }
    }
}
