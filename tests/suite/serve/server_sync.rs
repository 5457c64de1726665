//! Downstream servers: recorded exchanges, and our own downstream's messages over TCP.

use std::{fs, path::Path};

use bundle_format::digest::Sha1;
use tidegate::{
    protocol::{
        ErrorCode,
        server_sync::{
            AnswerError, DownloadFiles, GetAuthConfig, GetAuthorizationCookie, GetConfigData,
            GetCookie, GetRevisionIdList, GetUpdateData, Operation, Ping, SERVER_SYNC_PATH,
            ServerSyncFilter, SyncCookie, UpdateItem,
        },
    },
    soap::{self, Element, MessageLimits},
    update::UpdateIdentity,
};

use super::{
    Running, Site, captured, documents,
    documents::{CHILD, CLASSIFICATION, COMPANY, DETECTOID, PARENT, PRODUCT},
    downstream::{DSS_AUTH, Downstream, ask, code, cookie_of, of, revision, sent},
    mask::each_text,
};
use crate::support::{http::post, real_data::real_data, real_data::requests};

const NONE: [i32; 0] = [];
#[test]
fn a_downstream_synchronizes_and_then_fetches_changes_only() {
    let site = documents::site();
    let server = Running::new(&site);
    let dss = Downstream::new(server.address);
    let config = |anchor| GetConfigData { cookie: dss.cookie.clone(), anchor };
    let first = ask(server.address, &config(None)).unwrap();
    assert!(!first.catalog_only_sync && first.lazy_sync);
    assert_eq!((first.max_updates, first.languages.len()), (100, 39));
    let again = ask(server.address, &config(Some(first.anchor))).unwrap();
    assert_eq!(again.languages, [], "unchanged");

    let categories = ServerSyncFilter { config: true, ..ServerSyncFilter::default() };
    let (config_anchor, list) = dss.numbers(categories.clone());
    assert_eq!(list, [COMPANY, PRODUCT, CLASSIFICATION, DETECTOID]);
    let (anchor, list) = dss.numbers(of(&[(PRODUCT, false)], &[(CLASSIFICATION, false)], None));
    assert_eq!(list, [CHILD, PARENT], "with what it bundles");
    assert_eq!(dss.numbers(ServerSyncFilter::default()).1, [CHILD, PARENT], "all");

    // Documents byte by byte, files where they can be fetched.
    let items = dss.data(vec![revision(CHILD), revision(PARENT), revision(PRODUCT)]).unwrap();
    let expected = [
        documents::child(CHILD, documents::PAYLOAD, "gate.exe", ""),
        documents::parent(PARENT, CHILD),
        documents::category(PRODUCT, "Product", "Lock gate", &[COMPANY]),
    ];
    let [UpdateItem::Update(a), UpdateItem::Update(b), UpdateItem::Update(c), UpdateItem::Url(url)] =
        <[UpdateItem; 4]>::try_from(items).unwrap()
    else {
        panic!("three documents and one file")
    };
    assert_eq!(a.digests, [Sha1::hash(documents::PAYLOAD)]);
    for (update, xml) in [a, b, c].into_iter().zip(expected) {
        assert_eq!(update.blob.into_document(1 << 20).unwrap(), xml);
    }
    assert_eq!((url.digest, url.mu_url), (Sha1::hash(documents::PAYLOAD), None));
    let path = url.uss_url.unwrap();
    assert!(path.starts_with("/Content/") && path.ends_with(".exe"), "{path}");
    let file = crate::support::http::get(server.address, "GET", &path, &[]);
    assert_eq!(file.body, documents::PAYLOAD);

    // Nothing new; a product that was not asked before is listed whole.
    let (product, classification) = ((PRODUCT, true), (CLASSIFICATION, true));
    let delta = |anchor: &str| of(&[product], &[classification], Some(anchor));
    assert_eq!(dss.numbers(delta(&anchor)).1, NONE);
    let whole = of(&[(PRODUCT, false)], &[classification], Some(&anchor));
    assert_eq!(dss.numbers(whole).1, [CHILD, PARENT]);
    let known = ServerSyncFilter { anchor: Some(config_anchor), ..categories };
    assert_eq!(dss.numbers(known.clone()).1, NONE);

    // Both lists or nothing.
    for filter in [
        of(&[(PRODUCT, false)], &[], None),
        of(&[], &[(CLASSIFICATION, false)], None),
        ServerSyncFilter { has_classifications: false, ..of(&[(PRODUCT, false)], &[], None) },
        of(&[(PRODUCT, false)], &[(DETECTOID, false)], None),
        of(&[(DETECTOID, false)], &[(CLASSIFICATION, false)], None),
    ] {
        assert_eq!(dss.numbers(filter).1, NONE);
    }

    // A new update arrives, with a part that another round brings.
    site.add(108, documents::parent(108, 107).as_bytes());
    let (anchor, list) = dss.numbers(delta(&anchor));
    assert_eq!(list, [108]);
    site.add(107, documents::child(107, b"other", "other.exe", "").as_bytes());
    let (anchor, list) = dss.numbers(delta(&anchor));
    assert_eq!(list, [107], "what the bundle needs comes after it");
    assert_eq!(dss.numbers(delta(&anchor)).1, NONE);
    assert_eq!(dss.numbers(known).1, NONE, "and no category with it");
}

#[test]
fn refusals_are_those_of_a_wsus() {
    let site = documents::site();
    let server = Running::new(&site);
    let dss = Downstream::new(server.address);
    let invalid = |name: &str| (Some(ErrorCode::InvalidParameters), name.to_owned());

    // 1.8 and minor versions that nobody knows are welcome; another major version is not.
    for version in ["1.1", "1.7", "1.8", "1.20", "1.21"] {
        cookie_of(server.address, version).unwrap();
    }
    let (other, _) = code(cookie_of(server.address, "2.0"));
    assert_eq!(other, Some(ErrorCode::IncompatibleProtocolVersion));

    let bad_anchor =
        ServerSyncFilter { anchor: Some("garbage".to_owned()), ..ServerSyncFilter::default() };
    assert_eq!(code(dss.list(bad_anchor)), invalid("filter"));
    let newer = ServerSyncFilter {
        anchor: Some("1000000,2026-10-04 16:33:26.671".to_owned()),
        ..ServerSyncFilter::default()
    };
    assert_eq!(code(dss.list(newer)).0, Some(ErrorCode::ServerChanged));
    assert_eq!(code(dss.data(vec![revision(PARENT); 101])), invalid("updateIds"));
    assert_eq!(code(dss.data(vec![])), invalid("updateIds"));
    assert_eq!(dss.data(vec![revision(PARENT); 100]).unwrap().len(), 100);
    let unknown = UpdateIdentity { revision: 2, ..revision(PARENT) };
    let internal = (Some(ErrorCode::InternalServerError), String::new());
    assert_eq!(code(dss.data(vec![revision(PARENT), unknown])), internal);

    // Cookies: none, a broken one, one of an agent's service.
    let asked = |cookie| GetRevisionIdList { cookie, filter: ServerSyncFilter::default() };
    let broken = SyncCookie { expiration: "2999-01-01T00:00:00Z".to_owned(), data: vec![1; 208] };
    for cookie in [None, Some(broken)] {
        let reply = sent(server.address, &asked(cookie));
        assert!(reply.text().contains("<faultstring>Fault occurred: InvalidCookie</faultstring>"));
        assert!(reply.text().contains("<ErrorCode>InvalidCookie</ErrorCode>"), "{}", reply.text());
    }
    let agent = super::session::Session::new(server.address, "computer-1", "1.8");
    let message = asked(dss.cookie.clone()).message();
    let mut forged = String::new();
    let sealed = super::session::between(&agent.cookie, "EncryptedData");
    let mut swap = |path: &[String], text: &str| {
        let here = path.last().is_some_and(|name| name == "EncryptedData");
        if here { sealed.clone() } else { text.to_owned() }
    };
    each_text(&message, &mut swap, &mut forged);
    let path = format!("/{SERVER_SYNC_PATH}");
    let reply = post(server.address, &path, forged.as_bytes(), &[]);
    assert_eq!(reply.status, 500, "a cookie of an agent is none here");

    // Files: known ones are noted, others refused by name.
    let (known, other) = (Sha1::hash(documents::PAYLOAD), Sha1::hash(b"nobody"));
    let download =
        |digests| ask(server.address, &DownloadFiles { cookie: dss.cookie.clone(), digests });
    download(vec![known]).unwrap();
    let missing = (Some(ErrorCode::FileDigestsMissing), other.to_base64());
    assert_eq!(code(download(vec![known, other])), missing);
    assert_eq!(code(download(vec![known; 101])), invalid("fileDigestList"));

    assert!(ask(server.address, &Ping { level: 1 }).unwrap().success);
}

/// The elements of a message; items of a list that look alike count once.
fn shape(element: &Element) -> String {
    let mut children: Vec<String> = element
        .children
        .iter()
        // We know no address at Microsoft.
        .filter(|child| &*child.name != "MUUrl")
        .map(shape)
        .collect();
    // The order of the limits is that of Microsoft Update, which Microsoft's proxy needs.
    if &*element.name == "GetConfigDataResult" {
        children.sort();
    }
    children.dedup();
    format!("{}{{{}}}({})", element.name, element.namespace, children.join(","))
}

fn recordings(real: &Path) -> Vec<(String, String, String)> {
    let folder = real.join("captures/upstream-wsus-2025");
    let names = requests(&folder);
    assert_eq!(names.len(), 19);
    let read = |name: &str, kind: &str| {
        fs::read_to_string(folder.join(format!("{name}.{kind}.xml"))).unwrap()
    };
    names
        .into_iter()
        .map(|name| {
            let (request, response) = (read(&name, "request"), read(&name, "response"));
            (name, request, response)
        })
        .collect()
}

fn parsed(text: &str) -> Element {
    soap::read(text.as_bytes(), &MessageLimits::default()).unwrap()
}

#[test]
fn every_recorded_request_gets_an_answer_of_the_same_shape() {
    let Some(real) = real_data() else { return };
    let site: Site = captured::site(&real);
    let server = Running::new(&site);
    let dss = Downstream::new(server.address);
    let (config, updates) = (
        GetConfigData { cookie: dss.cookie.clone(), anchor: None },
        ServerSyncFilter { config: true, ..ServerSyncFilter::default() },
    );
    let config_anchor = ask(server.address, &config).unwrap().anchor;
    let sync_anchor = dss.list(updates).unwrap().0;
    let mut cookie_data = String::new();
    let cookie = dss.cookie.unwrap();
    for (name, request, recorded) in recordings(&real) {
        let mut filled = String::new();
        let mut fill = |path: &[String], text: &str| match path.last().unwrap().as_str() {
            "CookieData" => cookie_data.clone(),
            "EncryptedData" => {
                use base64::{Engine as _, engine::general_purpose::STANDARD};
                STANDARD.encode(&cookie.data)
            }
            "Expiration" => cookie.expiration.clone(),
            "configAnchor" => config_anchor.clone(),
            "Anchor" if text != "garbage" => sync_anchor.clone(),
            _ => text.to_owned(),
        };
        each_text(&request, &mut fill, &mut filled);
        let operation = name.split_once('-').unwrap().1;
        let path = if operation == "GetAuthorizationCookie" {
            DSS_AUTH.to_owned()
        } else {
            format!("/{SERVER_SYNC_PATH}")
        };
        let action = format!("\"http://www.microsoft.com/SoftwareDistribution/{operation}\"");
        let header = format!("Soapaction: {action}");
        let reply = post(server.address, &path, filled.as_bytes(), &[&header]);
        let (ours, theirs) = (parsed(reply.text()), parsed(&recorded));
        assert_eq!(shape(&ours), shape(&theirs), "{name}");
        let (ours, theirs) = (soap::body_of(ours).unwrap(), soap::body_of(theirs).unwrap());
        let fault = soap::Fault::read(&theirs);
        assert_eq!(reply.status, if fault.is_some() { 500 } else { 200 }, "{name}");
        if let (Some(theirs), Some(ours)) = (fault, soap::Fault::read(&ours)) {
            for detail in ["ErrorCode", "Message", "Method"] {
                assert_eq!(ours.detail(detail), theirs.detail(detail), "{name}");
            }
            assert_eq!(ours.code, theirs.code, "{name}");
        }
        if operation == "GetAuthorizationCookie" {
            cookie_data = super::session::between(reply.text(), "CookieData");
        }
    }
}

/// What a downstream of ours makes of the answers of a real WSUS.
#[test]
fn recorded_answers_are_read() {
    let Some(real) = real_data() else { return };
    let documents = real.join("captures/metadata/documents");
    let (mut lists, mut updates, mut faults) = (Vec::new(), 0, Vec::new());
    for (name, _, response) in recordings(&real) {
        let bytes = response.as_bytes();
        let limits = MessageLimits::default();
        match name.split_once('-').unwrap().1 {
            "GetAuthConfig" => {
                let config = GetAuthConfig::answer(bytes, &limits).unwrap();
                assert_eq!(config.service_url, "DssAuthWebService/DssAuthWebService.asmx");
            }
            "GetAuthorizationCookie" => {
                let cookie = GetAuthorizationCookie::answer(bytes, &limits).unwrap();
                assert_eq!((cookie.plug_in.as_str(), cookie.data.len()), ("DssTargeting", 432));
            }
            "GetCookie" => {
                let cookie = GetCookie::answer(bytes, &limits).unwrap();
                assert_eq!(cookie.expiration, "2026-10-04T20:33:26.65455Z");
            }
            "GetConfigData" => {
                let config = GetConfigData::answer(bytes, &limits).unwrap();
                assert_eq!((config.max_updates, config.max_computer_ids), (100, 0));
                assert!(config.anchor.starts_with("9438,2026-10-04 16:33:26."));
                let enabled = config.languages.iter().filter(|language| language.enabled);
                let enabled: Vec<_> = enabled.map(|language| language.short.as_str()).collect();
                assert!(config.languages.is_empty() || enabled == ["en"], "{enabled:?}");
            }
            "GetRevisionIdList" => {
                let mut count = 0;
                match GetRevisionIdList::read_list(bytes, &mut |_| count += 1) {
                    Ok(anchor) => {
                        assert!(anchor.starts_with("9438,"), "{anchor}");
                        lists.push(count);
                    }
                    Err(error) => faults.push(error.code().unwrap()),
                }
            }
            "GetUpdateData" => {
                let read = GetUpdateData::read_items::<AnswerError>(bytes, 1 << 20, &mut |item| {
                    if let UpdateItem::Update(update) = item {
                        let UpdateIdentity { id, revision } = update.identity;
                        let path = documents.join(format!("{id}-r{revision}.xml"));
                        let document = update.blob.into_document(1 << 20).unwrap();
                        assert!(document == fs::read_to_string(path).unwrap(), "{id}");
                        updates += 1;
                    }
                    Ok(())
                });
                faults.extend(read.err().map(|error| error.code().unwrap()));
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(lists, [30, 0, 0, 30, 30, 0, 0]);
    assert_eq!(updates, 4);
    assert_eq!(
        faults,
        [ErrorCode::InternalServerError, ErrorCode::InvalidParameters, ErrorCode::InvalidCookie]
    );
}
