//! Where the files of updates are. [MS-WUSP] 3.1.5.10

use std::collections::HashSet;

use bundle_format::digest::Sha1;

use crate::{
    protocol::{
        client::{FileLocation, FileLocations, GetFileLocations},
        content_path,
    },
    server::{
        call::{Call, Pieces, Service},
        failure::{Failure, sealed},
        options::Addresses,
        services::agent_session::AgentSession,
        state::server_state::ServerState,
        view::generation::ViewFile,
    },
    soap::Element,
};

pub(super) fn file_locations(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetFileLocations::read(operation)?;
    let AgentSession { serving, cookie } =
        AgentSession::open(state, request.cookie.as_deref(), call.now)?;
    let mut locations = Locations::new(state, call);
    for digest in &request.digests {
        locations.add(serving.view.file(digest));
    }
    let cookie = sealed(serving.cookies.seal_cookie(&cookie))?;
    Ok(Service::Client.write(|w| locations.found.write_answer(&cookie, w)))
}

/// Locations of files that are here, each once.
pub(super) struct Locations {
    base: String,
    seen: HashSet<Sha1>,
    pub(super) found: FileLocations,
}

impl Locations {
    /// URLs begin with the address at which the client reached us, unless an administrator set another.
    pub(super) fn new(state: &ServerState, call: &Call) -> Self {
        let base = match (&state.settings.options().public_url, &call.host) {
            (Some(url), _) => url.clone(),
            (None, Some(host)) => content_base(host, call.is_secure(), state.settings.addresses()),
            (None, None) => {
                content_base(&state.settings.local().to_string(), false, state.settings.addresses())
            }
        };
        Self { base, seen: HashSet::new(), found: FileLocations::default() }
    }

    pub(super) fn add(&mut self, file: Option<&ViewFile>) {
        if let Some(file) = file.filter(|file| file.present)
            && self.seen.insert(file.sha1)
        {
            let url = format!("{}{}", self.base, content_path::absolute(&file.sha1, &file.name));
            self.found.0.push(FileLocation { digest: file.sha1, url });
        }
    }
}

/// Where content is for a client that reached us at `host`. As from a WSUS, files come over plain HTTP
/// also to clients that use TLS: their digests are in the metadata, and proxies can cache them.
fn content_base(host: &str, secure: bool, addresses: Addresses) -> String {
    let Addresses { plain, tls } = addresses;
    match (plain, tls) {
        (Some(plain), _) if secure => {
            let name = match host.rsplit_once(':') {
                // Not the last part of an IPv6 address.
                Some((name, _)) if !name.contains(':') || name.ends_with(']') => name,
                _ => host,
            };
            format!("http://{name}:{}", plain.port())
        }
        (None, Some(_)) => format!("https://{host}"),
        _ => format!("http://{host}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_on_the_plain_port_if_there_is_one() {
        let at = |port| Some(std::net::SocketAddr::from(([0, 0, 0, 0], port)));
        let both = Addresses { plain: at(8530), tls: at(8531) };
        assert_eq!(content_base("wsus.example:8531", true, both), "http://wsus.example:8530");
        assert_eq!(content_base("wsus.example", true, both), "http://wsus.example:8530");
        assert_eq!(content_base("[2001:db8::1]:8531", true, both), "http://[2001:db8::1]:8530");
        assert_eq!(content_base("[2001:db8::1]", true, both), "http://[2001:db8::1]:8530");
        // A client of the plain port may have come through a proxy on another port.
        assert_eq!(content_base("wsus.example:80", false, both), "http://wsus.example:80");
        let tls = Addresses { plain: None, tls: at(8531) };
        assert_eq!(content_base("wsus.example:8531", true, tls), "https://wsus.example:8531");
        let plain = Addresses { plain: at(8530), tls: None };
        assert_eq!(content_base("wsus.example:8530", false, plain), "http://wsus.example:8530");
    }
}
