//! Where a file may be had, in the order in which it is tried:
//!
//! 1. what the user named, in that order: a folder or an address with WSUS's layout of content;
//! 2. the content of the upstream servers, but of those that say that they have none
//!    (`CatalogOnlySync`);
//! 3. the address on the Internet that an upstream gave (MUUrl). [MS-WSUSSS] 3.2.4.4

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use reqwest::{Client, Url};

use super::{error::DownloadError, file_plan::PlannedFile};
use crate::{
    catalog::Catalog,
    protocol::content_path,
    upstream::{
        address::web_address,
        client::{ClientError, ConnectionOptions, http_client},
        roots::MicrosoftUpdate,
        wsus::{error::UpstreamError, upstream_record::known_upstreams},
    },
};

type Result<T> = std::result::Result<T, DownloadError>;

/// Clients of so many hosts are kept at a time.
const CLIENTS: usize = 64;

/// Somewhere a file may be.
#[derive(Debug, Clone)]
pub(super) struct Location {
    pub(super) place: LocationKind,
    /// Which upstream server it belongs to, if one.
    pub(super) upstream: Option<usize>,
}

/// How to get at it.
#[derive(Debug, Clone)]
pub(super) enum LocationKind {
    Http { url: Url, client: Client },
    File(PathBuf),
}

impl Location {
    /// For messages.
    pub(super) fn name(&self) -> String {
        match &self.place {
            LocationKind::Http { url, .. } => url.to_string(),
            LocationKind::File(path) => path.display().to_string(),
        }
    }

    /// Who answers; `None` for files.
    pub(super) fn host(&self) -> Option<String> {
        match &self.place {
            LocationKind::Http { url, .. } => Some(url.origin().ascii_serialization()),
            LocationKind::File(_) => None,
        }
    }
}

/// A place with WSUS's layout: `XX/SHA1.ext` below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentBase {
    /// An address; ends with a slash.
    Url(Url),
    /// A folder, as `WsusContent`.
    Folder(PathBuf),
}

impl ContentBase {
    /// Reads what a user names.
    ///
    /// # Errors
    /// When it is an address of no use, or no folder.
    pub fn detect(text: &str) -> std::result::Result<Self, DownloadError> {
        if !text.contains("://") {
            let path = PathBuf::from(text);
            let is_folder = path.is_dir();
            return is_folder.then_some(Self::Folder(path)).ok_or_else(|| {
                DownloadError::Location {
                    location: text.to_owned(),
                    why: "there is no such folder",
                }
            });
        }
        let mut url = web_address(text)
            .map_err(|why| DownloadError::Location { location: text.to_owned(), why })?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self::Url(url))
    }
}

/// A server that the catalogue was synchronized from.
struct Upstream {
    base: Url,
    has_content: bool,
}

/// All places that are known.
pub(super) struct Locations {
    given: Vec<ContentBase>,
    upstreams: Vec<Upstream>,
    connection: ConnectionOptions,
    clients: HashMap<String, Client>,
}

impl Locations {
    pub(super) fn new(
        catalog: &Catalog,
        given: &[ContentBase],
        connection: &ConnectionOptions,
    ) -> Result<Self> {
        let connection = ConnectionOptions {
            // Plain HTTP will do for payloads, as it does for WSUS and its agents: what arrives is
            // compared with the digests in the metadata, and those came over a channel that the
            // user has judged. [MS-WSUSSS] 5.1
            allow_http: true,
            // Time without a byte is limited, see `fetch`; a large file may take days.
            call_timeout: std::time::Duration::from_secs(30 * 24 * 3600),
            ..connection.clone()
        };
        let records = known_upstreams(catalog)?;
        let upstreams = records.into_iter().filter_map(|record| {
            let base = Url::parse(&record.url).ok()?;
            // Microsoft's own server has no content, whatever it says: MUUrl leads to it.
            let microsoft = MicrosoftUpdate::default().is_at(&base);
            Some(Upstream { has_content: !record.facts.catalog_only && !microsoft, base })
        });
        // A proxy or roots that cannot be used are an error now, not with each file.
        let secure = Url::parse("https://localhost/").map_err(|_| UpstreamError::Address {
            url: "https://localhost/".to_owned(),
            why: "it cannot be read",
        })?;
        http_client(&secure, &connection).map_err(UpstreamError::from)?;
        let upstreams = upstreams.collect();
        Ok(Self { given: given.to_vec(), upstreams, connection, clients: HashMap::new() })
    }

    /// The upstream server of a [`Location`].
    pub(super) fn upstream(&self, index: usize) -> Option<&Url> {
        self.upstreams.get(index).map(|known| &known.base)
    }

    /// Whether there is any place for a file.
    pub(super) fn has_place(&self, catalog: &Catalog, file: &PlannedFile) -> Result<bool> {
        Ok(!self.given.is_empty()
            || self.upstreams.iter().any(|upstream| upstream.has_content)
            || catalog.file_url(&file.expected.sha1)?.is_some())
    }

    /// Where a file may be, in the order in which to try.
    pub(super) fn find(&mut self, catalog: &Catalog, file: &PlannedFile) -> Result<Vec<Location>> {
        let path = content_path::relative(&file.expected.sha1, &file.name);
        let mut urls: Vec<(Url, Option<usize>)> = Vec::new();
        let mut locations = Vec::new();
        for base in &self.given {
            match base {
                ContentBase::Folder(folder) => {
                    locations.push(Location {
                        place: LocationKind::File(folder.join(Path::new(&path))),
                        upstream: None,
                    });
                }
                ContentBase::Url(base) => urls.extend(base.join(&path).ok().map(|url| (url, None))),
            }
        }
        let given = urls.len();
        let mut own = Vec::new();
        for (index, known) in self.upstreams.iter().enumerate().filter(|(_, u)| u.has_content) {
            for base in content_bases(&known.base) {
                own.extend(base.join(&path).ok().map(|url| (url, Some(index))));
            }
        }
        let mu_url = catalog.file_url(&file.expected.sha1)?;
        let mu_url = mu_url.and_then(|text| match web_address(&text) {
            Ok(url) => Some((url, None)),
            Err(why) => {
                tracing::warn!(address = %text.escape_debug(), file = %file.expected.sha1, "the address that an upstream told is not used: {why}");
                None
            }
        });
        urls.extend(own);
        urls.extend(mu_url);
        for (position, (url, upstream)) in urls.iter().enumerate() {
            let repeated = urls.iter().take(position).any(|(other, _)| other == url);
            if repeated && position >= given {
                continue;
            }
            match self.client(url) {
                Ok(client) => locations.push(Location {
                    place: LocationKind::Http { url: url.clone(), client },
                    upstream: *upstream,
                }),
                Err(why) => tracing::warn!(address = %url, "not asked for files: {why}"),
            }
        }
        Ok(locations)
    }

    fn client(&mut self, url: &Url) -> std::result::Result<Client, ClientError> {
        let host = url.origin().ascii_serialization();
        if let Some(client) = self.clients.get(&host) {
            return Ok(client.clone());
        }
        if self.clients.len() >= CLIENTS {
            self.clients.clear();
        }
        let client = http_client(url, &self.connection)?;
        self.clients.insert(host, client.clone());
        Ok(client)
    }
}

/// Where a WSUS has its content: on the plain port that goes with the port of its services, or on
/// the port of its services. [MS-WSUSSS] 2.1
fn content_bases(services: &Url) -> Vec<Url> {
    let mut bases = Vec::new();
    if services.scheme() == "https" {
        let mut plain = services.clone();
        let port = match services.port_or_known_default() {
            Some(443) | None => 80,
            Some(port) => port.saturating_sub(1),
        };
        if plain.set_scheme("http").is_ok() && plain.set_port(Some(port)).is_ok() {
            bases.push(plain);
        }
    }
    bases.push(services.clone());
    bases.iter().filter_map(|base| base.join("/Content/").ok()).collect()
}

#[cfg(test)]
mod tests {
    use bundle_format::digest::Sha1;

    use super::*;

    #[test]
    fn the_layout_is_that_of_wsus() {
        let sha1: Sha1 = "00112233445566778899aabbccddeeff0011220a".parse().unwrap();
        let upper = "00112233445566778899AABBCCDDEEFF0011220A";
        for (name, path) in [
            ("Windows-KB1.x64.CAB", format!("0A/{upper}.CAB")),
            ("no-extension", format!("0A/{upper}")),
            ("strange.../../x", format!("0A/{upper}")),
            ("a.b c", format!("0A/{upper}")),
            ("trailing.", format!("0A/{upper}")),
        ] {
            assert_eq!(content_path::relative(&sha1, name), path);
        }
    }

    #[test]
    fn content_lies_on_the_plain_port() {
        let bases = |services: &str| -> Vec<String> {
            let bases = content_bases(&Url::parse(services).unwrap());
            bases.into_iter().map(Into::into).collect()
        };
        assert_eq!(bases("http://w:8530/"), ["http://w:8530/Content/"]);
        assert_eq!(bases("http://w/"), ["http://w/Content/"]);
        assert_eq!(bases("https://w/"), ["http://w/Content/", "https://w/Content/"]);
        let both = ["http://w:8530/Content/", "https://w:8531/Content/"];
        assert_eq!(bases("https://w:8531/"), both);
    }

    #[test]
    fn only_web_addresses_without_credentials() {
        for (text, good) in [
            ("http://dl.example/c/x.cab", true),
            ("https://dl.example/c/x.cab?P1=1&P2=2", true),
            ("file:///etc/passwd", false),
            ("ftp://dl.example/x", false),
            ("http://user:secret@dl.example/x", false),
            ("x.cab", false),
        ] {
            assert_eq!(web_address(text).is_ok(), good, "{text}");
        }
        assert!(ContentBase::detect("/there/is/no/such/folder").is_err());
        let base = ContentBase::detect("http://mirror.example/Content").unwrap();
        assert_eq!(base, ContentBase::Url(Url::parse("http://mirror.example/Content/").unwrap()));
    }
}
