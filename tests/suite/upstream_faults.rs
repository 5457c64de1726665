//! An upstream that breaks off, is busy, lies or changes: nothing half, a clear message, and the
//! next run finishes.

use std::{
    collections::BTreeSet,
    io::{Cursor, Write as _},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cab::{CabinetBuilder, CompressionType};
use tidegate::{
    catalog::Catalog,
    update::{UpdateId, UpdateIdentity},
    upstream::{CategoryKind, Selection, categories, known_upstreams},
};
use uuid::Uuid;

use super::{
    agent_mock::Reply,
    upstream_fake::{Pair, Uss, fault, plain},
};

const PRODUCT: u128 = 1;
const CLASSIFICATION: u128 = 2;

fn identity(n: u128) -> UpdateIdentity {
    UpdateIdentity { id: UpdateId(Uuid::from_u128(n)), revision: 100 }
}

fn document(n: u128, update_type: &str, title: &str, more: &str) -> String {
    let id = identity(n).id;
    format!(
        "<upd:Update xmlns:upd=\"http://schemas.microsoft.com/msus/2002/12/Update\">\
         <upd:UpdateIdentity UpdateID=\"{id}\" RevisionNumber=\"100\"/>\
         <upd:Properties UpdateType=\"{update_type}\" DefaultPropertiesLanguage=\"en\"/>\
         <upd:LocalizedPropertiesCollection><upd:LocalizedProperties>\
         <upd:Language>en</upd:Language><upd:Title>{title}</upd:Title>\
         </upd:LocalizedProperties></upd:LocalizedPropertiesCollection>{more}</upd:Update>"
    )
}

fn category(n: u128, kind: &str, title: &str) -> String {
    let more = format!(
        "<upd:HandlerSpecificData xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:cat=\"http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category\" xsi:type=\"cat:Category\"><cat:CategoryInformation CategoryType=\"{kind}\"/></upd:HandlerSpecificData>"
    );
    document(n, "Category", title, &more)
}

/// `XmlUpdateBlobCompressed` with MSZIP.
fn compressed(document: &str) -> String {
    let mut builder = CabinetBuilder::new();
    builder.add_folder(CompressionType::MsZip).add_file("blob");
    let mut writer = builder.build(Cursor::new(Vec::new())).unwrap();
    let utf16: Vec<u8> = document.encode_utf16().flat_map(u16::to_le_bytes).collect();
    writer.next_file().unwrap().unwrap().write_all(&utf16).unwrap();
    let bytes = writer.finish().unwrap().into_inner();
    format!("<XmlUpdateBlobCompressed>{}</XmlUpdateBlobCompressed>", STANDARD.encode(bytes))
}

/// A product, a classification, and updates 10 to 29 in batches of four; every other compressed.
fn server() -> Uss {
    let mut uss = Uss {
        categories: vec![identity(PRODUCT), identity(CLASSIFICATION)],
        updates: (10..30).map(identity).collect(),
        anchor: "1,2026-10-04 12:00:00.000".to_owned(),
        limit: 4,
        ..Uss::default()
    };
    uss.documents.insert(identity(PRODUCT), plain(&category(PRODUCT, "Product", "Tide 11")));
    let updates = category(CLASSIFICATION, "UpdateClassification", "Security Updates");
    uss.documents.insert(identity(CLASSIFICATION), plain(&updates));
    for n in 10..30 {
        let document = document(n, "Software", &format!("Update {n} é漢"), "");
        let blob = if n % 2 == 0 { plain(&document) } else { compressed(&document) };
        uss.documents.insert(identity(n), blob);
    }
    uss
}

fn revisions(catalog: &Catalog) -> u64 {
    catalog.counts().unwrap().revisions
}

#[test]
fn all_of_a_server_once_and_then_only_changes() {
    let mut pair = Pair::new(server());
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.problems.len()), (22, 0));
    for n in 10..30 {
        let expected = document(n, "Software", &format!("Update {n} é漢"), "");
        assert_eq!(pair.document(&identity(n)).unwrap(), expected.as_bytes());
    }
    assert!(pair.fetched(0).iter().all(|batch| batch.len() <= 4));
    // Without a choice, neither list is sent: everything.
    assert!(pair.lists()[1].child("Categories").is_none());

    let known = known_upstreams(&pair.catalog).unwrap();
    assert_eq!(known.len(), 1);
    assert!(pair.mock.url.starts_with(known[0].url.trim_end_matches('/')), "{}", known[0].url);
    assert_eq!(known[0].last_success, Some(pair.options.now));
    assert_eq!(known[0].anchor.as_deref(), Some("1,2026-10-04 12:00:00.000"));
    let facts = &known[0].facts;
    assert_eq!((facts.catalog_only, facts.lazy_sync, facts.max_updates), (false, true, 4));
    assert_eq!(facts.protocol_version.as_deref(), Some("1.20"));

    let before = pair.fetched(0).len();
    assert!(!pair.sync().unwrap().changed);
    assert_eq!(pair.fetched(before).len(), 0);

    let new = document(40, "Software", "New", "");
    {
        let mut uss = pair.uss.lock().unwrap();
        uss.updates.push(identity(40));
        uss.documents.insert(identity(40), plain(&new));
        uss.anchor = "2,2026-10-05 12:00:00.000".to_owned();
    }
    assert_eq!(pair.sync().unwrap().new_revisions, 1);
    assert_eq!(pair.fetched(before), [[identity(40)]]);
}

#[test]
fn names_choose_and_a_wider_choice_fetches_the_difference() {
    let mut pair = Pair::new(server());
    pair.options.upstream.selection.categories_only = true;
    pair.sync().unwrap();
    assert_eq!(revisions(&pair.catalog), 2);
    let products = categories(&pair.catalog, CategoryKind::Product).unwrap();
    assert_eq!(products[0].title, "Tide 11");

    let names = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
    pair.options.upstream.selection =
        Selection { products: names(&["tide 10"]), ..Selection::default() };
    let error = pair.sync().unwrap_err().to_string();
    assert!(error.contains("no product \"tide 10\"") && error.contains("Tide 11"), "{error}");

    // One list alone would select nothing.
    pair.options.upstream.selection = Selection {
        products: names(&["tide 11"]),
        languages: names(&["en"]),
        ..Selection::default()
    };
    pair.sync().unwrap();
    let asked = |pair: &Pair| {
        let filter = pair.lists().pop().unwrap();
        let ids = |list| -> Vec<String> {
            let ids = filter.items(list, "IdAndDelta");
            ids.map(|id| {
                format!("{} {}", &id.value("Id").unwrap()[35..], id.value("Delta").unwrap())
            })
            .collect()
        };
        (ids("Categories"), ids("Classifications"), filter.value("Anchor").is_some())
    };
    let list = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    assert_eq!(asked(&pair), (list(&["1 false"]), list(&["2 false"]), false));
    let languages = pair.lists().pop().unwrap();
    let language = languages.items("Languages", "LanguageAndDelta").next().unwrap();
    assert_eq!(language.value("Id"), Some("1033"));

    // Nothing said: as the last time. A product more: it comes whole, with every classification.
    pair.options.upstream.selection = Selection::default();
    pair.sync().unwrap();
    assert_eq!(asked(&pair), (list(&["1 true"]), list(&["2 true"]), true));
    let another = identity(9).id.to_string();
    pair.options.upstream.selection.products = names(&["Tide 11", &another]);
    pair.sync().unwrap();
    assert_eq!(asked(&pair), (list(&["1 true", "9 false"]), list(&["2 false"]), true));
    // All again: an unfiltered list cannot be asked for in part.
    pair.options.upstream.selection.products = names(&["all"]);
    pair.sync().unwrap();
    assert_eq!(asked(&pair), (Vec::new(), Vec::new(), false));
    assert_eq!(revisions(&pair.catalog), 22);
}

#[test]
fn broken_off_anywhere_the_next_run_goes_on() {
    for broken in 0..6 {
        let mut pair = Pair::new(server());
        pair.bend(move |asked, count, mut reply| {
            if asked.operation() == "GetUpdateData" && count >= broken {
                // Cut in the middle of a blob.
                reply.length = Some(reply.body.len());
                reply.body.truncate(reply.body.len() / 2);
            }
            reply
        });
        let error = pair.sync().unwrap_err().to_string();
        assert!(error.contains("GetUpdateData") && error.contains("attempt 3"), "{error}");
        let kept = revisions(&pair.catalog);
        assert_eq!(kept, [0, 2, 6, 10, 14, 18][broken]);
        pair.straight();
        let before = pair.fetched(0).len();
        let report = pair.sync().unwrap();
        assert_eq!(report.new_revisions, 22 - kept);
        let fetched: Vec<_> = pair.fetched(before).concat();
        assert_eq!(fetched.len() as u64, 22 - kept, "nothing is fetched twice");
        assert_eq!(revisions(&pair.catalog), 22);
    }
}

#[test]
fn a_server_that_is_busy_or_fails_for_a_while_is_waited_for() {
    let mut pair = Pair::new(server());
    pair.bend(|asked, count, reply| match (asked.operation().as_str(), count) {
        ("GetAuthConfig", 0) => {
            let mut busy = Reply::soap("busy").with("Retry-After", "1");
            busy.status = 503;
            busy
        }
        ("GetConfigData", 0) => fault("ServerBusy", ""),
        ("GetRevisionIdList", 0) => {
            let mut page = Reply::soap("<html>Runtime Error</html>");
            page.status = 500;
            page
        }
        ("GetUpdateData", 0) => {
            let mut cut = reply;
            cut.length = Some(cut.body.len());
            cut.body.truncate(10);
            cut
        }
        _ => reply,
    });
    let began = Instant::now();
    assert_eq!(pair.sync().unwrap().new_revisions, 22);
    assert!(began.elapsed().as_millis() >= 1000, "Retry-After was not kept");
    // One that is always busy is given up.
    pair.bend(|_, _, _| {
        let mut busy = Reply::soap("");
        busy.status = 503;
        busy
    });
    let error = pair.sync().unwrap_err().to_string();
    assert!(error.contains("HTTP 503"), "{error}");
}

#[test]
fn one_bad_update_does_not_hold_up_the_others_and_is_tried_again() {
    let mut pair = Pair::new(server());
    let missing = pair.uss.lock().unwrap().documents.remove(&identity(17)).unwrap();
    let report = pair.sync().unwrap();
    assert_eq!(report.new_revisions, 21);
    assert_eq!(report.problems.len(), 1);
    assert!(report.problems[0].at.contains(&identity(17).id.to_string()));
    let batches: Vec<_> =
        pair.fetched(0).into_iter().filter(|b| b.contains(&identity(17))).collect();
    let sizes: Vec<_> = batches.iter().map(Vec::len).collect();
    assert_eq!(sizes, [4, 2, 1, 1], "halved, and once more");
    let before = pair.fetched(0).len();
    pair.uss.lock().unwrap().documents.insert(identity(17), missing);
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.problems.len()), (1, 0));
    assert_eq!(pair.fetched(before), [[identity(17)]]);
    let before = pair.fetched(0).len();
    pair.sync().unwrap();
    assert!(pair.fetched(before).is_empty());
}

#[test]
fn a_server_that_refuses_every_update_is_not_asked_for_ever() {
    let mut uss = server();
    uss.updates = (1000..3000).map(identity).collect();
    let mut pair = Pair::new(uss);
    let error = pair.sync().unwrap_err().to_string();
    assert!(error.contains("refused 1000 updates"), "{error}");
    assert!(pair.fetched(0).len() < 3000);
}

#[test]
fn hostile_documents_are_named_and_the_rest_is_in() {
    let mut uss = server();
    let other = plain(&document(99, "Software", "Another", ""));
    uss.documents.insert(identity(10), other);
    uss.documents.insert(identity(11), compressed(&"x".repeat(3_000_000)));
    uss.documents.insert(identity(12), plain("<upd:Update"));
    let half = "<XmlUpdateBlobCompressed>TVNDRg==</XmlUpdateBlobCompressed>";
    uss.documents.insert(identity(13), half.to_owned());
    let mut pair = Pair::new(uss);
    pair.options.limits.bytes = 1_000_000;
    let report = pair.sync().unwrap();
    assert_eq!(report.new_revisions, 18);
    assert_eq!(report.problems.len(), 4);
    let said = |n| {
        let id = identity(n).id.to_string();
        &report.problems.iter().find(|p| p.at.contains(&id)).unwrap().what
    };
    assert!(said(10).contains("announced as"), "{}", said(10));
    assert!(said(11).contains("1000000 bytes"), "{}", said(11));
    assert!(said(13).contains("cannot be unpacked"), "{}", said(13));
    assert!(!said(12).is_empty());
}

#[test]
fn an_answer_in_another_order_is_as_good() {
    let mut straight = Pair::new(server());
    straight.sync().unwrap();
    let mut pair = Pair::new(server());
    pair.bend(|asked, _, mut reply| {
        if asked.operation() == "GetUpdateData" {
            let text = String::from_utf8(reply.body).unwrap();
            let (head, rest) = text.split_once("<updates>").unwrap();
            let (items, tail) = rest.split_once("</updates>").unwrap();
            let mut items: Vec<_> = items.split_inclusive("</ServerSyncUpdateData>").collect();
            items.reverse();
            reply.body = format!("{head}<updates>{}</updates>{tail}", items.concat()).into_bytes();
        }
        reply
    });
    pair.sync().unwrap();
    let all: BTreeSet<_> = (10..30).map(identity).collect();
    assert!(all.iter().all(|id| pair.document(id) == straight.document(id)));
}

#[test]
fn members_that_are_not_listed_come_with_their_bundle() {
    let mut uss = server();
    let more = |n| {
        format!(
            "<upd:Relationships><upd:BundledUpdates><upd:UpdateIdentity UpdateID=\"{}\" RevisionNumber=\"100\"/></upd:BundledUpdates></upd:Relationships>",
            identity(n).id
        )
    };
    uss.documents.insert(identity(20), plain(&document(20, "Software", "Bundle", &more(50))));
    uss.documents.insert(identity(50), plain(&document(50, "Software", "Inner", &more(51))));
    uss.documents.insert(identity(51), plain(&document(51, "Software", "Leaf", "")));
    let mut pair = Pair::new(uss);
    // Broken off between the bundle and its member.
    pair.bend(|asked, _, mut reply| {
        if asked.operation() == "GetUpdateData" && asked.body.contains(&identity(50).id.to_string())
        {
            reply.status = 503;
        }
        reply
    });
    pair.sync().unwrap_err();
    assert!(pair.document(&identity(20)).is_some() && pair.document(&identity(50)).is_none());
    pair.straight();
    pair.sync().unwrap();
    assert!(pair.document(&identity(50)).is_some() && pair.document(&identity(51)).is_some());
}

#[test]
fn a_server_that_changed_or_lost_our_anchor_is_listed_anew() {
    for code in ["ServerChanged", "InvalidParameters"] {
        let mut pair = Pair::new(server());
        pair.sync().unwrap();
        let before = pair.fetched(0).len();
        let lists = pair.lists().len();
        pair.bend(move |asked, _, reply| {
            if asked.operation() == "GetRevisionIdList" && asked.body.contains("<Anchor>") {
                return fault(code, "filter");
            }
            reply
        });
        let report = pair.sync().unwrap();
        assert!(!report.changed);
        assert!(pair.fetched(before).is_empty(), "listed, but held");
        let anew = pair.lists().split_off(lists);
        assert_eq!(anew.iter().filter(|filter| filter.value("Anchor").is_none()).count(), 2);
    }
}

#[test]
fn cookies_that_are_never_taken_end_the_run() {
    let mut pair = Pair::new(server());
    pair.uss.lock().unwrap().expired = usize::MAX;
    let error = pair.sync().unwrap_err().to_string();
    assert!(error.contains("InvalidCookie"), "{error}");
    assert_eq!(pair.mock.requests("GetCookie").len(), 3);
}

#[test]
fn answers_without_end_and_other_hosts_are_refused() {
    let mut pair = Pair::new(server());
    pair.bend(|asked, _, mut reply| {
        if asked.operation() == "GetConfigData" {
            reply.body = vec![b' '; 6 * 1024 * 1024];
            reply.unframed = true;
        }
        reply
    });
    let error = pair.sync().unwrap_err().to_string();
    assert!(error.contains("more than 4194304 bytes"), "{error}");

    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    pair.bend(move |_, _, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        let mut reply = Reply::soap("").with("Location", "https://elsewhere.example/x.asmx");
        reply.status = 307;
        reply
    });
    let error = pair.sync().unwrap_err().to_string();
    assert!(error.contains("https://elsewhere.example/x.asmx"), "{error}");
    assert_eq!(calls.load(Ordering::SeqCst), 1, "a redirect is not tried again");

    // The address of the authorization service leads elsewhere.
    pair.bend(|asked, _, mut reply| {
        if asked.operation() == "GetAuthConfig" {
            let text = String::from_utf8(reply.body).unwrap();
            let path = "DssAuthWebService/DssAuthWebService.asmx";
            reply.body = text.replace(path, "http://elsewhere.example/x.asmx").into_bytes();
        }
        reply
    });
    pair.forget();
    let error = pair.sync().unwrap_err().to_string();
    assert!(error.contains("another host"), "{error}");
    assert_eq!(revisions(&pair.catalog), 0);
}

#[test]
fn what_is_no_wsus_says_so() {
    let mut pair = Pair::new(server());
    pair.bend(|_, _, _| Reply::soap("<html>Welcome</html>"));
    let error = pair.sync().unwrap_err().to_string();
    assert!(error.contains("is the address that of a WSUS?"), "{error}");
    pair.bend(|_, _, _| {
        let mut reply = Reply::soap("");
        reply.status = 404;
        reply
    });
    assert!(pair.sync().unwrap_err().to_string().contains("8530 or 8531"));
    pair.options.upstream.connection.allow_http = false;
    assert!(pair.sync().unwrap_err().to_string().contains("--allow-http"));
}

#[test]
fn a_proxy_is_used_with_its_credentials() {
    let mut pair = Pair::new(server());
    let proxy = pair.mock.url.replace("http://", "http://me:secret@");
    pair.options.upstream.connection.proxy = Some(proxy);
    pair.bend(|asked, _, _| {
        let path = "ServerSyncWebService/ServerSyncWebService.asmx";
        assert_eq!(asked.line, format!("POST http://wsus.invalid:8530/{path} HTTP/1.1"));
        let credentials = STANDARD.encode("me:secret");
        let expected = format!("Basic {credentials}");
        assert_eq!(asked.header("proxy-authorization"), Some(expected.as_str()));
        fault("IncompatibleProtocolVersion", "1.20")
    });
    let error = pair.sync_from("http://wsus.invalid:8530").unwrap_err().to_string();
    assert!(error.contains("IncompatibleProtocolVersion 1.20"), "{error}");
}
