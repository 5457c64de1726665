//! What a synchronization brings beside the lists: keys, drivers, what is named but not listed, and
//! servers that change, are old, or pack their answers.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bundle_format::digest::Sha1;
use tidegate::{
    protocol::xpress,
    soap::Element,
    update::{UpdateId, UpdateIdentity},
    upstream::{CategoryKind, CategoryLevel, Hardware, choices, known_upstreams},
};
use uuid::Uuid;

use super::{
    support::mock::Reply,
    support::upstream_fake::{Pair, SYNC, Uss, answer, fault, operation, plain, read_identity},
};

pub(crate) const ANCHOR: &str = "1,2026-10-04 12:00:00.000";

pub(crate) fn update(n: u128) -> UpdateId {
    UpdateId(Uuid::from_u128(n))
}

pub(crate) fn identity(n: u128) -> UpdateIdentity {
    revision(n, 100)
}

fn revision(n: u128, revision: u32) -> UpdateIdentity {
    UpdateIdentity { id: update(n), revision }
}

/// A document; `properties` stands in `Properties`, `more` after the titles.
pub(crate) fn document(
    of: UpdateIdentity,
    kind: &str,
    title: &str,
    properties: &str,
    more: &str,
) -> String {
    let UpdateIdentity { id, revision } = of;
    format!(
        "<upd:Update xmlns:upd=\"http://schemas.microsoft.com/msus/2002/12/Update\">\
         <upd:UpdateIdentity UpdateID=\"{id}\" RevisionNumber=\"{revision}\"/>\
         <upd:Properties UpdateType=\"{kind}\" DefaultPropertiesLanguage=\"en\">{properties}</upd:Properties>\
         <upd:LocalizedPropertiesCollection><upd:LocalizedProperties>\
         <upd:Language>en</upd:Language><upd:Title>{title}</upd:Title>\
         </upd:LocalizedProperties></upd:LocalizedPropertiesCollection>{more}</upd:Update>"
    )
}

pub(crate) fn prerequisites(ids: &[u128]) -> String {
    let ids: String =
        ids.iter().map(|n| format!("<upd:UpdateIdentity UpdateID=\"{}\"/>", update(*n))).collect();
    format!("<upd:Relationships><upd:Prerequisites>{ids}</upd:Prerequisites></upd:Relationships>")
}

fn category(n: u128, kind: &str, title: &str, parent: Option<u128>) -> String {
    let parent = parent.map(|parent| prerequisites(&[parent])).unwrap_or_default();
    let more = format!(
        "{parent}<upd:HandlerSpecificData xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:cat=\"http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category\" xsi:type=\"cat:Category\"><cat:CategoryInformation CategoryType=\"{kind}\"/></upd:HandlerSpecificData>"
    );
    document(identity(n), "Category", title, "", &more)
}

/// A file of this digest.
fn encrypted(n: u128, sha1: Sha1) -> String {
    let digest = sha1.to_base64();
    document(
        identity(n),
        "Software",
        &format!("Update {n}"),
        "<upd:SecuredFragment>FileURL</upd:SecuredFragment><upd:SecuredFragment>FileDecryption</upd:SecuredFragment>",
        &format!(
            "<upd:Files><upd:File Digest=\"{digest}\" DigestAlgorithm=\"SHA1\" FileName=\"{n}.cab\" Size=\"5\" Modified=\"2026-01-01T00:00:00\"/></upd:Files>"
        ),
    )
}

pub(crate) fn sha1(n: u8) -> Sha1 {
    Sha1::from_bytes([n; 20])
}

/// A product, a classification, and these updates.
pub(crate) fn server(updates: &[(UpdateIdentity, String)]) -> Uss {
    let mut uss = Uss {
        categories: vec![identity(1), identity(2)],
        updates: updates.iter().map(|(identity, _)| *identity).collect(),
        anchor: ANCHOR.to_owned(),
        limit: 4,
        ..Uss::default()
    };
    let product = category(1, "Product", "Tide 11", None);
    let classification = category(2, "UpdateClassification", "Security Updates", None);
    uss.documents.insert(identity(1), plain(&product));
    uss.documents.insert(identity(2), plain(&classification));
    for (identity, document) in updates {
        uss.documents.insert(*identity, plain(document));
    }
    uss
}

pub(crate) fn software(n: u128) -> (UpdateIdentity, String) {
    (identity(n), document(identity(n), "Software", &format!("Update {n}"), "", ""))
}

/// GetConfigData with these numbers for drivers and keys.
pub(crate) fn config(devices: usize, computers: usize, sets: usize, keys: usize) -> String {
    // In the order of a WSUS; the fake's own is that of Microsoft Update.
    format!(
        "<CatalogOnlySync>true</CatalogOnlySync><LazySync>true</LazySync><ServerHostsPsfFiles>true</ServerHostsPsfFiles><MaxNumberOfComputerIdsInRequest>{computers}</MaxNumberOfComputerIdsInRequest><MaxNumberOfDriverSetsPerRequest>{sets}</MaxNumberOfDriverSetsPerRequest><MaxNumberOfPnpHardwareIdsInRequest>{devices}</MaxNumberOfPnpHardwareIdsInRequest><MaxNumberOfUpdatesPerRequest>4</MaxNumberOfUpdatesPerRequest><NewConfigAnchor>{ANCHOR}</NewConfigAnchor><ProtocolVersion>1.21</ProtocolVersion><LanguageUpdateList /><MaxUpdatesPerRequestInGetUpdateDecryptionData>{keys}</MaxUpdatesPerRequestInGetUpdateDecryptionData>"
    )
}

fn ids(operation: &Element) -> Vec<UpdateIdentity> {
    operation.items("updateIds", "UpdateIdentity").map(read_identity).collect()
}

#[test]
fn keys_of_encrypted_files_come_in_batches_and_what_fails_is_asked_again() {
    let updates: Vec<_> =
        (10_u8..15).map(|n| (identity(n.into()), encrypted(n.into(), sha1(n)))).collect();
    let mut uss = server(&updates);
    uss.updates.push(identity(20));
    uss.documents.insert(identity(20), plain(&software(20).1));
    uss.config = Some(config(0, 0, 0, 2));
    uss.other = Some(Box::new(|name, operation| {
        assert_eq!(name, "GetUpdateDecryptionData");
        let asked = ids(operation);
        assert!((1..=2).contains(&asked.len()), "{asked:?}");
        if asked.contains(&identity(12)) {
            return fault("InternalServerError", "");
        }
        let keys: String = asked
            .iter()
            .map(|id| {
                let n = id.id.0.as_bytes()[15];
                format!(
                    "<ServerSyncUpdateFileDecryption><UpdateId><UpdateID>{}</UpdateID><RevisionNumber>100</RevisionNumber></UpdateId><FileDecryptionData><ServerSyncFileDecryption><FileDigest>{}</FileDigest><DecryptionKey>{}</DecryptionKey></ServerSyncFileDecryption><ServerSyncFileDecryption><FileDigest>{}</FileDigest></ServerSyncFileDecryption></FileDecryptionData></ServerSyncUpdateFileDecryption>",
                    id.id,
                    sha1(n).to_base64(),
                    STANDARD.encode([n; 32]),
                    sha1(200).to_base64(),
                )
            })
            .collect();
        answer(name, SYNC, &format!("<UpdateFileDecryptionData>{keys}</UpdateFileDecryptionData>"))
    }));
    let mut pair = Pair::new(uss);
    let report = pair.sync().unwrap();
    assert_eq!((report.keys, report.problems.len()), (4, 1), "{:?}", report.problems);
    for n in [10, 11, 13, 14] {
        assert_eq!(pair.catalog.key_of(&sha1(n)).unwrap().unwrap(), [n; 32]);
        let id = pair.catalog.revision_id(&identity(n.into())).unwrap().unwrap();
        assert_eq!(pair.catalog.keys_of(id).unwrap(), [(sha1(n), vec![n; 32])]);
    }
    assert_eq!(pair.catalog.key_of(&sha1(200)).unwrap(), None, "not every file is encrypted");

    let before = pair.mock.requests("GetUpdateDecryptionData").len();
    pair.sync().unwrap();
    let again = pair.mock.requests("GetUpdateDecryptionData");
    let again: Vec<_> = again[before..].iter().map(|asked| ids(&operation(&asked.body))).collect();
    assert_eq!(again, [[identity(12)]], "only what is missing is asked again");
}

#[test]
fn a_server_that_knows_no_keys_harms_nothing() {
    let mut uss = server(&[(identity(10), encrypted(10, sha1(10)))]);
    // As a WSUS of 2009 answers what it does not know.
    uss.other = Some(Box::new(|_, _| {
        let mut reply = Reply::soap(
            "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><soap:Fault><faultcode>soap:Client</faultcode><faultstring>did not recognize the action</faultstring><detail /></soap:Fault></soap:Body></soap:Envelope>",
        );
        reply.status = 500;
        reply
    }));
    let mut pair = Pair::new(uss);
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.keys), (3, 0));
    assert!(report.problems[0].what.contains("encrypted files without keys"), "{report:?}");
}

#[test]
fn drivers_come_for_the_hardware_that_is_asked_for_and_then_only_changes() {
    let mut uss = server(&[software(10)]);
    uss.config = Some(config(2, 1, 1, 100));
    let driver = document(identity(50), "Driver", "Tidal network driver", "", "");
    uss.documents.insert(identity(50), plain(&driver));
    let set = |n: u128| Uuid::from_u128(n);
    let mut calls = 0;
    uss.other = Some(Box::new(move |name, operation| {
        if name == "GetDriverSetData" {
            let asked: Vec<_> = operation.items("driverSets", "guid").collect();
            assert_eq!(asked.len(), 1, "the server's limit");
            let id = asked[0].text.clone();
            return answer(
                name,
                SYNC,
                &format!(
                    "<DriverSets><ServerSyncDriverSetData><DriverSetId>{id}</DriverSetId><DriverSetXml>&lt;set/&gt;</DriverSetXml></ServerSyncDriverSetData></DriverSets>"
                ),
            );
        }
        assert_eq!(name, "GetDriverIdList");
        calls += 1;
        let (found, new, removed) = match calls {
            1 => (vec![identity(50)], vec![set(1), set(2)], vec![]),
            3 => (vec![], vec![], vec![set(1), set(9)]),
            _ => (vec![], vec![], vec![]),
        };
        let found: String = found
            .iter()
            .map(|id| format!("<UpdateIdentity><UpdateID>{}</UpdateID><RevisionNumber>{}</RevisionNumber></UpdateIdentity>", id.id, id.revision))
            .collect();
        let guids = |ids: Vec<Uuid>| -> String {
            ids.iter().map(|id| format!("<guid>{id}</guid>")).collect()
        };
        answer(
            name,
            SYNC,
            &format!(
                "<Anchor>d{calls}</Anchor><NewRevisions>{found}</NewRevisions><NewDriverSets>{}</NewDriverSets><RemovedDriverSets>{}</RemovedDriverSets>",
                guids(new),
                guids(removed)
            ),
        )
    }));
    let mut pair = Pair::new(uss);
    pair.options.upstream.selection.hardware = Some(Hardware {
        devices: ["pci\\a", "pci\\b", "pci\\c"].map(str::to_owned).to_vec(),
        computers: vec![set(7)],
    });
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.driver_sets, report.problems.len()), (4, 2, 0));
    assert!(pair.document(&identity(50)).is_some());
    let sets = |pair: &Pair| {
        let mut sets = BTreeMap::new();
        pair.catalog.driver_sets(&mut |id, xml| drop(sets.insert(id, xml))).unwrap();
        sets
    };
    assert_eq!(sets(&pair), BTreeMap::from([(set(1), "<set/>".into()), (set(2), "<set/>".into())]));
    type Round = (Option<String>, Vec<(String, String)>);
    let asked = |pair: &Pair, from: usize| -> Vec<Round> {
        pair.mock.requests("GetDriverIdList")[from..]
            .iter()
            .map(|asked| {
                let filter = operation(&asked.body).child("filter").unwrap().clone();
                let ids = filter
                    .items("PnpHardwareIds", "HardwareIdAndDelta")
                    .chain(filter.items("ComputerIds", "IdAndDelta"))
                    .map(|id| {
                        (id.value("Id").unwrap().to_owned(), id.value("Delta").unwrap().to_owned())
                    });
                (filter.value("Anchor").map(str::to_owned), ids.collect())
            })
            .collect()
    };
    let whole = |id: &str| (id.to_owned(), "false".to_owned());
    let computer = set(7).to_string();
    assert_eq!(
        asked(&pair, 0),
        [
            (None, vec![whole("pci\\a"), whole("pci\\b"), whole(&computer)]),
            (None, vec![whole("pci\\c")]),
        ]
    );

    // What is not said is as the last time; the anchor is that of the first call of the round.
    pair.options.upstream.selection.hardware = None;
    let report = pair.sync().unwrap();
    assert_eq!(report.driver_sets, 1, "one that was never here cannot go");
    let changes = |id: &str| (id.to_owned(), "true".to_owned());
    let first = Some("d1".to_owned());
    assert_eq!(
        asked(&pair, 2),
        [
            (first.clone(), vec![changes("pci\\a"), changes("pci\\b"), changes(&computer)]),
            (first, vec![changes("pci\\c")]),
        ]
    );
    assert_eq!(sets(&pair).into_keys().collect::<Vec<_>>(), [set(2)]);

    pair.options.upstream.selection.hardware = Some(Hardware::default());
    pair.sync().unwrap();
    assert_eq!(asked(&pair, 4), [], "nothing is wanted any more");
}

#[test]
fn a_server_that_looks_for_no_drivers_is_not_asked() {
    let mut pair = Pair::new(server(&[software(10)]));
    let devices = vec!["pci\\a".to_owned()];
    pair.options.upstream.selection.hardware = Some(Hardware { devices, computers: Vec::new() });
    let report = pair.sync().unwrap();
    assert!(report.notes[0].contains("only Microsoft Update"), "{:?}", report.notes);
    assert_eq!(pair.mock.requests("GetDriverIdList").len(), 0);
}

#[test]
fn a_family_chooses_its_products_and_the_tree_shows_it() {
    let mut uss = server(&[software(10)]);
    let tree = [
        (3, "Company", "Tidewater", None),
        (4, "ProductFamily", "Tides", Some(3)),
        (1, "Product", "Tide 11", Some(4)),
        (5, "Product", "Tide 12", Some(4)),
        (6, "Product", "Ebb", Some(3)),
    ];
    uss.categories = vec![identity(2)];
    for (n, kind, title, parent) in tree {
        uss.documents.insert(identity(n), plain(&category(n, kind, title, parent)));
        uss.categories.push(identity(n));
    }
    let mut pair = Pair::new(uss);
    pair.options.upstream.selection.products = Some(vec!["Tides".to_owned()]);
    pair.sync().unwrap();
    let asked: Vec<_> = pair.lists()[1]
        .items("Categories", "IdAndDelta")
        .map(|id| id.value("Id").unwrap().to_owned())
        .collect();
    assert_eq!(asked, [update(1).to_string(), update(5).to_string()]);
    let list = choices(&pair.catalog, CategoryKind::Product).unwrap();
    let list: Vec<_> =
        list.iter().map(|c| (c.depth, c.title.as_str(), c.level, c.chosen)).collect();
    use CategoryLevel::{Company, Product, ProductFamily};
    assert_eq!(
        list,
        [
            (0, "Tidewater", Company, false),
            (1, "Ebb", Product, false),
            (1, "Tides", ProductFamily, false),
            (2, "Tide 11", Product, true),
            (2, "Tide 12", Product, true),
        ]
    );
    pair.options.upstream.selection.products = Some(vec!["Tide 13".to_owned()]);
    let error = pair.sync().unwrap_err().to_string();
    assert!(error.contains("Near it are: Tide 11, Tide 12"), "{error}");
}

#[test]
fn a_revision_that_was_replaced_while_we_read_is_no_loss() {
    let mut uss = server(&[software(10)]);
    // It is listed, but a newer one has taken its place already.
    uss.updates.push(identity(11));
    let mut pair = Pair::new(uss);
    let server = std::sync::Arc::clone(&pair.uss);
    pair.bend(move |asked, count, reply| {
        if asked.operation() == "GetRevisionIdList" && count == 1 {
            let newer = revision(11, 101);
            let mut uss = server.lock().unwrap();
            uss.updates[1] = newer;
            uss.documents.insert(newer, plain(&document(newer, "Software", "Newer", "", "")));
            uss.anchor = "2,2026-10-04 12:00:01.000".to_owned();
        }
        reply
    });
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.problems.len()), (4, 0), "{:?}", report.problems);
    assert!(pair.document(&revision(11, 101)).is_some());
    let known = known_upstreams(&pair.catalog).unwrap();
    assert_eq!((known[0].failed, known[0].last_success.is_some()), (0, true));
    let before = pair.fetched(0).len();
    assert!(!pair.sync().unwrap().changed);
    assert_eq!(pair.fetched(before).len(), 0, "what was replaced is not asked for again");
}

#[test]
fn a_category_that_arrives_between_the_two_lists_is_fetched_after_them() {
    let needy = document(identity(10), "Software", "Needs 7", "", &prerequisites(&[7]));
    let mut pair = Pair::new(server(&[(identity(10), needy)]));
    let server = std::sync::Arc::clone(&pair.uss);
    pair.bend(move |asked, count, reply| {
        if asked.operation() == "GetRevisionIdList" && count == 0 {
            let mut uss = server.lock().unwrap();
            uss.categories.push(identity(7));
            uss.documents.insert(identity(7), plain(&category(7, "Product", "Fresh", None)));
            uss.anchor = "2,2026-10-04 12:00:01.000".to_owned();
        }
        reply
    });
    let report = pair.sync().unwrap();
    assert_eq!((report.unresolved.len(), report.problems.len()), (0, 0), "{report:?}");
    assert!(pair.document(&identity(7)).is_some());
}

#[test]
fn a_prerequisite_is_fetched_if_the_server_tells_its_revision_and_reported_if_not() {
    let needy =
        document(identity(10), "Software", "Needs 70 and 71", "", &prerequisites(&[70, 71]));
    let mut uss = server(&[(identity(10), needy)]);
    let (found, text) = software(70);
    uss.documents.insert(found, plain(&text));
    uss.other = Some(Box::new(|name, operation| {
        assert_eq!(name, "GetRelatedRevisionsForUpdates");
        assert_eq!(operation.items("updateIDs", "guid").count(), 2);
        let id = update(70);
        answer(
            name,
            SYNC,
            &format!(
                "<UpdateIdentity><UpdateID>{id}</UpdateID><RevisionNumber>100</RevisionNumber></UpdateIdentity>"
            ),
        )
    }));
    let mut pair = Pair::new(uss);
    let report = pair.sync().unwrap();
    assert!(pair.document(&identity(70)).is_some());
    let unresolved: Vec<_> = report.unresolved.iter().map(|u| (u.update, u.needed_by)).collect();
    assert_eq!(unresolved, [(update(71), identity(10))]);
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    pair.sync().unwrap();
    let asked = pair.mock.requests("GetRelatedRevisionsForUpdates").len();
    assert_eq!(asked, 1, "what is known to be not there is not asked for every time");
}

#[test]
fn servers_that_ignore_or_refuse_the_question_for_related_revisions_harm_nothing() {
    for refuses in [false, true] {
        let needy = document(identity(10), "Software", "Needs 70", "", &prerequisites(&[70]));
        let mut uss = server(&[(identity(10), needy)]);
        uss.other = Some(Box::new(move |name, _| match refuses {
            true => fault("InternalServerError", ""),
            false => answer(name, SYNC, ""),
        }));
        let mut pair = Pair::new(uss);
        let report = pair.sync().unwrap();
        assert_eq!((report.unresolved.len(), report.problems.len()), (1, 0));
    }
}

#[test]
fn an_old_server_that_leaves_fields_out_is_read() {
    let mut uss = server(&(10..20).map(software).collect::<Vec<_>>());
    uss.config = Some(
        "<CatalogOnlySync>false</CatalogOnlySync><LazySync>true</LazySync><NewConfigAnchor>x</NewConfigAnchor><ProtocolVersion>1.8</ProtocolVersion>".to_owned(),
    );
    uss.limit = 50;
    let needy = document(identity(30), "Software", "Needs 70", "", &prerequisites(&[70]));
    uss.updates.push(identity(30));
    uss.documents.insert(identity(30), plain(&needy));
    let mut pair = Pair::new(uss);
    // It is not asked for what it does not know: `other` is not there.
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.unresolved.len()), (13, 1));
    let known = known_upstreams(&pair.catalog).unwrap();
    assert_eq!(known[0].facts.protocol_version.as_deref(), Some("1.8"));
    assert_eq!(known[0].facts.max_updates, 0);
}

#[test]
fn a_server_that_is_replaced_while_documents_come_loses_none() {
    let mut pair = Pair::new(server(&(10..30).map(software).collect::<Vec<_>>()));
    pair.bend(|asked, count, reply| {
        if asked.operation() == "GetUpdateData" && count == 3 {
            return fault("ServerChanged", "");
        }
        reply
    });
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.problems.len()), (22, 0));
}

#[test]
fn packed_answers_are_unpacked_within_their_limits() {
    // Larger than what waits in memory.
    let large = "Ebb and flow. ".repeat(400_000);
    let text = document(identity(10), "Software", &large, "", "");
    let mut pair = Pair::new(server(&[(identity(10), text.clone()), software(11)]));
    pair.bend(|asked, _, mut reply| {
        assert_eq!(asked.header("accept-encoding"), Some("xpress"));
        reply.body = xpress::compress(&reply.body);
        reply.with("content-encoding", "xpress")
    });
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.problems.len()), (4, 0), "{:?}", report.problems);
    assert!(pair.document(&identity(10)).unwrap() == text.as_bytes());

    pair.forget();
    pair.bend(|asked, _, mut reply| {
        if asked.operation() == "GetRevisionIdList" {
            // A block of 65535 bytes in twenty, over and over.
            let block = xpress::compress(&vec![b' '; 16_352]);
            reply.body = block.repeat(14_000);
            return reply.with("content-encoding", "xpress");
        }
        reply
    });
    let error = pair.sync().unwrap_err().to_string();
    assert!(error.contains("more than"), "{error}");
    pair.bend(|_, _, reply| reply.with("content-encoding", "gzip"));
    let error = pair.sync().unwrap_err().to_string();
    assert!(error.contains("nobody asked for"), "{error}");
}
