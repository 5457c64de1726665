//! How this server serves, and where.

use std::net::SocketAddr;

use uuid::Uuid;

use crate::server::{
    error::ServerError,
    options::{Addresses, ServeOptions},
};

/// How this server serves. Nothing of it changes while it runs.
pub(crate) struct Settings {
    options: ServeOptions,
    addresses: Addresses,
    local: SocketAddr,
}

impl Settings {
    /// Checks the options.
    pub(super) fn new(
        mut options: ServeOptions,
        addresses: Addresses,
    ) -> Result<Self, ServerError> {
        let local = addresses.plain.or(addresses.tls).ok_or(ServerError::Nowhere)?;
        options.public_url = options.public_url.as_deref().map(public_url).transpose()?;
        Ok(Self { options, addresses, local })
    }

    /// The options, checked.
    pub(crate) fn options(&self) -> &ServeOptions {
        &self.options
    }

    /// Where the server listens.
    pub(crate) fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The first address where the server listens.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether a server may be a downstream of this one.
    pub(crate) fn is_welcome(&self, downstream: Uuid) -> bool {
        self.options.downstreams.as_ref().is_none_or(|list| list.contains(&downstream))
    }
}

/// A base for URLs, without a slash at its end.
fn public_url(url: &str) -> Result<String, ServerError> {
    let base = url.trim_end_matches('/');
    let rest = base.strip_prefix("http://").or_else(|| base.strip_prefix("https://"));
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&b);
    match rest {
        Some(rest) if !rest.is_empty() && rest.bytes().all(is_allowed) => Ok(base.to_owned()),
        _ => Err(ServerError::PublicUrl { url: url.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_a_base() {
        assert_eq!(public_url("http://u.example:8530/").unwrap(), "http://u.example:8530");
        assert_eq!(public_url("https://u.example/wsus").unwrap(), "https://u.example/wsus");
        for bad in ["", "http://", "u.example", "ftp://u", "http://a b", "http://a?b"] {
            assert!(public_url(bad).is_err(), "{bad}");
        }
    }
}
