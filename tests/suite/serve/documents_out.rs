//! Documents and files on their way to downstream servers.

use std::fmt::Write as _;

use bundle_format::digest::Sha1;
use tidegate::{
    catalog::Catalog,
    protocol::{
        server_sync::{
            AnswerError, Blob, DownloadFiles, GetAuthConfig, GetUpdateData, Operation as _,
            SERVER_SYNC_PATH, ServerSyncFilter, UpdateItem,
        },
        xpress,
    },
    update::UpdateIdentity,
};

use super::{
    Running, documents,
    documents::{CHILD, PARENT, PRODUCT, child, title, update},
    downstream::{DSS, Downstream, ask, cookie_for, revision},
};
use crate::support::http::{Connection, post};

#[test]
fn what_needs_a_newer_protocol_is_not_listed_for_an_older_server() {
    let site = documents::site();
    let needs = |n: i32, version: &str| {
        let properties = format!("UpdateType=\"Software\" CompatibleProtocolVersion=\"{version}\"");
        site.add(n, documents::document(n, &properties, &title("en", "New"), "", "").as_bytes());
    };
    needs(110, "1.4");
    needs(111, "1.20");
    needs(112, "what?");
    let server = Running::new(&site);
    let listed = |version: &str| {
        let dss = Downstream::with(server.address, DSS, version);
        let list = dss.numbers(ServerSyncFilter::default()).1;
        assert_eq!(
            dss.numbers(ServerSyncFilter { config: true, ..ServerSyncFilter::default() }).1.len(),
            4
        );
        list
    };
    assert_eq!(listed("1.20"), [CHILD, PARENT, 110, 111, 112]);
    assert_eq!(listed("1.21"), [CHILD, PARENT, 110, 111, 112]);
    assert_eq!(listed("1.8"), [CHILD, PARENT, 110, 112]);
    assert_eq!(listed("1.1"), [CHILD, PARENT, 112]);
    // Nor does a replica get an approval of it.
    for n in [PARENT, 111] {
        site.approve(update(n));
    }
    for (version, expected) in [("1.8", 1), ("1.20", 2)] {
        let dss = Downstream::with(server.address, DSS, version);
        let synced = dss.list(ServerSyncFilter::default()).unwrap().0;
        assert_eq!(dss.deployments(None, &synced).unwrap().deployments.len(), expected);
    }
    cookie_for(server.address, DSS, "1.1").unwrap();
    let known = site.fleet().downstreams().unwrap();
    assert_eq!(known[0].protocol.as_deref(), Some("1.1"), "the last that it said");
}

#[test]
fn a_file_has_the_address_that_an_upstream_told() {
    let site = documents::site();
    let url = "http://download.example/lock/gate.exe";
    let mut catalog = Catalog::open(&site.data.catalog()).unwrap();
    let mut writer = catalog.write().unwrap();
    writer.store_file_url(&Sha1::hash(documents::PAYLOAD), url).unwrap();
    writer.commit().unwrap();
    let server = Running::new(&site);
    let dss = Downstream::new(server.address);
    // Twice the same revision, once more the same file: one address.
    let items = dss.data(vec![revision(CHILD), revision(CHILD)]).unwrap();
    let urls: Vec<_> = items
        .iter()
        .filter_map(|item| match item {
            UpdateItem::Url(url) => Some(url.mu_url.as_deref()),
            UpdateItem::Update(_) => None,
        })
        .collect();
    assert_eq!((items.len(), urls.as_slice()), (3, &[Some(url)][..]));
}

#[test]
fn files_that_are_missed_below_are_noted() {
    let site = documents::site();
    site.add(107, child(107, b"not here", "other.exe", "").as_bytes());
    let server = Running::new(&site);
    let dss = Downstream::new(server.address);
    let want = |bytes: &[u8]| {
        let digests = vec![Sha1::hash(bytes)];
        ask(server.address, &DownloadFiles { cookie: dss.cookie.clone(), digests })
    };
    want(documents::PAYLOAD).unwrap();
    want(b"not here").unwrap();
    want(b"not here").unwrap();
    assert!(want(b"of nobody").is_err());
    let wanted = site.fleet().missing_files().unwrap();
    assert_eq!(wanted.len(), 1, "what is here and what nobody knows is not wanted");
    assert_eq!((wanted[0].sha1, wanted[0].times), (Sha1::hash(b"not here"), 2));
    site.fleet().forget_missing_file(&wanted[0].sha1).unwrap();
    assert_eq!(site.fleet().missing_files().unwrap(), []);
}

/// Texts that hardly compress, so that the answer is larger than what is held.
fn noise(seed: u32) -> String {
    let (mut state, mut text) = (seed, String::new());
    for _ in 0..40_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        write!(text, "{:04x}", state >> 16).unwrap();
    }
    text
}

#[test]
fn an_answer_that_is_too_large_to_be_held_arrives_whole() {
    let site = documents::site();
    let documents: Vec<(UpdateIdentity, String)> = (110_i32..130)
        .map(|n| {
            let texts =
                title("en", "Long &amp; <![CDATA[<]]>") + &title("de", &noise(n.unsigned_abs()));
            let xml = documents::document(n, "UpdateType=\"Software\"", &texts, "", "");
            site.add(n, xml.as_bytes());
            (UpdateIdentity { id: update(n), revision: 1 }, xml)
        })
        .collect();
    let server = Running::new(&site);
    let dss = Downstream::new(server.address);
    let updates = documents.iter().map(|(identity, _)| *identity).collect();
    let message = GetUpdateData { cookie: dss.cookie.clone(), updates }.message();
    let path = format!("/{SERVER_SYNC_PATH}");
    let plain = post(server.address, &path, message.as_bytes(), &[]);
    assert!(plain.body.len() > 2_200_000, "{}", plain.body.len());
    let headers = ["Accept-Encoding: xpress"];
    let packed = post(server.address, &path, message.as_bytes(), &headers);
    assert_eq!(packed.header("content-encoding"), Some("xpress"));
    let unpacked = xpress::decompress(&packed.body, 1 << 24).unwrap();
    // A cabinet where nothing else compresses, plain text where the whole answer is compressed.
    for (body, cabinets) in [(plain.body, 20), (unpacked, 0)] {
        let (mut arrived, mut compressed) = (Vec::new(), 0);
        GetUpdateData::read_items::<AnswerError>(body.as_slice(), 1 << 22, &mut |item| {
            if let UpdateItem::Update(update) = item {
                compressed += usize::from(matches!(update.blob, Blob::Compressed(_)));
                arrived.push((update.identity, update.blob.into_document(1 << 22).unwrap()));
            }
            Ok(())
        })
        .unwrap();
        assert!(arrived == documents, "byte by byte, in order");
        assert_eq!(compressed, cabinets);
    }
}

#[test]
fn a_client_that_waits_for_leave_to_send_gets_it() {
    let site = documents::site();
    let server = Running::new(&site);
    let message = GetAuthConfig.message();
    let mut connection = Connection::open(server.address);
    let head = format!(
        "POST //{SERVER_SYNC_PATH} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/xml\r\n\
         Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        server.address,
        message.len()
    );
    connection.send(head.as_bytes());
    assert_eq!(connection.head().status, 100);
    connection.send(message.as_bytes());
    assert_eq!(connection.answer(false).status, 200);
    let zero = Downstream::with(server.address, uuid::Uuid::nil(), "1.20");
    assert_eq!(
        zero.numbers(ServerSyncFilter { config: true, ..ServerSyncFilter::default() }).1.len(),
        4
    );
    assert!(zero.data(vec![revision(PRODUCT)]).is_ok(), "the account of zeros is served");
}
