//! More about what a client found applicable, and where its files are. [MS-WUSP] 3.1.5.9, 3.1.5.10

use std::collections::HashSet;

use bundle_format::digest::Sha1;

use super::written;
use crate::protocol::content_path;
use crate::{
    protocol::client::{
        ExtendedInfo, FileLocation, FileLocations, FragmentType, FragmentUpdate,
        GetExtendedUpdateInfo, GetExtendedUpdateInfo2, GetFileLocations,
    },
    server::{
        call::{Call, Pieces},
        failure::Failure,
        options::Addresses,
        pack::{FragmentKind, fragment::PackedFragment},
        state::server_state::{AgentSession, ServerState},
        view::{View, generation::ViewFile},
    },
    soap::Element,
    update::RevisionId,
};

pub(super) fn by_number(
    app: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetExtendedUpdateInfo::read(operation)?;
    let visit = app.visit(request.cookie.as_deref(), call.now)?;
    let ids = request.revision_ids.into_iter().map(RevisionId).collect();
    let wanted = FragmentQuery {
        types: request.info_types,
        locales: request.locales,
        geo_id: request.geo_id,
    };
    let info = gather(app, call, &visit, ids, &wanted)?;
    Ok(written(|w| info.write("GetExtendedUpdateInfo", w)))
}

pub(super) fn by_identity(
    app: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetExtendedUpdateInfo2::read(operation)?;
    let visit = app.visit(request.cookie.as_deref(), call.now)?;
    let view = &visit.serving.view;
    let ids = request.identities.iter().filter_map(|identity| view.lookup(identity)).collect();
    let wanted = FragmentQuery {
        types: request.info_types,
        locales: request.locales,
        geo_id: request.geo_id,
    };
    let wants_keys = wanted.types.contains(&FragmentType::FileDecryption);
    let mut info = gather(app, call, &visit, ids, &wanted)?;
    if wants_keys {
        info.keys = keys(app, &info)?;
    }
    Ok(written(|w| info.write("GetExtendedUpdateInfo2", w)))
}

pub(super) fn file_locations(
    app: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetFileLocations::read(operation)?;
    let AgentSession { serving, cookie } = app.visit(request.cookie.as_deref(), call.now)?;
    let mut locations = Locations::new(app, call);
    for digest in &request.digests {
        locations.add(serving.view.file(digest));
    }
    let sealed = serving.cookies.seal_cookie(&cookie);
    let sealed = sealed.ok_or_else(|| Failure::internal("cannot seal a cookie"))?;
    Ok(written(|w| locations.found.write_answer(&sealed, w)))
}

struct FragmentQuery {
    types: Vec<FragmentType>,
    locales: Vec<String>,
    geo_id: Option<String>,
}

/// All fragments of the first type, then all of the second, and so on; files come unasked.
fn gather(
    app: &ServerState,
    call: &Call,
    visit: &AgentSession,
    mut ids: Vec<RevisionId>,
    wanted: &FragmentQuery,
) -> Result<ExtendedInfo<PackedFragment>, Failure> {
    let view = &visit.serving.view;
    let groups = app.fleet().groups_of(&visit.cookie.client)?;
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(*id));
    let (deployed, unknown): (Vec<_>, Vec<_>) =
        ids.into_iter().partition(|id| view.offer(&groups, *id).is_some());

    let mut updates = Vec::new();
    for kind in &wanted.types {
        for id in &deployed {
            let found = fragments(view, *id, *kind, wanted)?;
            updates.extend(found.into_iter().map(|xml| FragmentUpdate { id: id.0, xml }));
        }
    }
    let mut locations = Locations::new(app, call);
    for id in &deployed {
        for file in view.files(*id) {
            // Another document may name the same file, and its bytes be here by that.
            locations.add(if file.present { Some(file) } else { view.file(&file.sha1) });
        }
    }
    let out_of_scope = unknown.into_iter().map(|id| id.0).collect();
    Ok(ExtendedInfo { updates, locations: locations.found, out_of_scope, keys: Vec::new() })
}

/// Keys of the files whose locations are told: of nothing that is not deployed to this client.
fn keys(
    app: &ServerState,
    info: &ExtendedInfo<PackedFragment>,
) -> Result<Vec<(Sha1, Vec<u8>)>, Failure> {
    let catalog = app.catalog()?;
    let mut keys = Vec::new();
    for file in &info.locations.0 {
        let key = catalog.key_of(&file.digest).map_err(Failure::internal)?;
        keys.extend(key.map(|key| (file.digest, key)));
    }
    Ok(keys)
}

fn fragments(
    view: &View,
    id: RevisionId,
    kind: FragmentType,
    wanted: &FragmentQuery,
) -> Result<Vec<PackedFragment>, Failure> {
    let locales: Vec<&str> = wanted.locales.iter().map(String::as_str).collect();
    Ok(match kind {
        FragmentType::Core => view.fragment(id, FragmentKind::Core)?.into_iter().collect(),
        FragmentType::Extended => view.fragment(id, FragmentKind::Extended)?.into_iter().collect(),
        FragmentType::LocalizedProperties => view.localized(id, &locales)?,
        FragmentType::Eula => view.eulas(id, &locales, wanted.geo_id.as_deref())?,
        // No rule makes these; locations come in any case, keys apart.
        FragmentType::Published
        | FragmentType::VerificationRule
        | FragmentType::FileUrl
        | FragmentType::FileDecryption => Vec::new(),
    })
}

/// Locations of files that are here, each once.
struct Locations {
    base: String,
    seen: HashSet<Sha1>,
    found: FileLocations,
}

impl Locations {
    /// By the address that the client asked, unless an administrator said otherwise.
    fn new(app: &ServerState, call: &Call) -> Self {
        let base = match (&app.options().public_url, &call.host) {
            (Some(url), _) => url.clone(),
            (None, Some(host)) => content_base(host, call.is_secure(), app.addresses()),
            (None, None) => content_base(&app.local().to_string(), false, app.addresses()),
        };
        Self { base, seen: HashSet::new(), found: FileLocations::default() }
    }

    fn add(&mut self, file: Option<&ViewFile>) {
        if let Some(file) = file.filter(|file| file.present)
            && self.seen.insert(file.sha1)
        {
            let url = format!("{}{}", self.base, content_path::absolute(&file.sha1, &file.name));
            self.found.0.push(FileLocation { digest: file.sha1, url });
        }
    }
}

/// Where content is for a client that asked at `host`. As from a WSUS, files come over plain HTTP also
/// to those who asked over TLS: their digests are in the metadata, and proxies can keep them.
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
        // Whoever asked on the plain port may have come through another one in front of it.
        assert_eq!(content_base("wsus.example:80", false, both), "http://wsus.example:80");
        let tls = Addresses { plain: None, tls: at(8531) };
        assert_eq!(content_base("wsus.example:8531", true, tls), "https://wsus.example:8531");
        let plain = Addresses { plain: at(8530), tls: None };
        assert_eq!(content_base("wsus.example:8530", false, plain), "http://wsus.example:8530");
    }
}
