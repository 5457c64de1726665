//! What a server gives badly, or not yet, must neither be lost nor stand in the way of the rest.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bundle_format::segment::KEY_MAX;
use uuid::Uuid;

use super::{
    support::driver_sets::{driver_set_list, driver_sets, with_hardware},
    support::upstream_fake::{Pair, SYNC, answer, fault, operation, plain},
    upstream_depth::{config, document, identity, prerequisites, server, sha1, software, update},
};

/// Such a key could not be packed, and no bundle could be made any more.
#[test]
fn a_key_among_the_addresses_that_is_too_long_is_not_kept() {
    let mut uss = server(&[software(10)]);
    let url = |n: u8, key: &[u8]| {
        format!(
            "<ServerSyncUrlData><FileDigest>{}</FileDigest><DecryptionKey>{}</DecryptionKey></ServerSyncUrlData>",
            sha1(n).to_base64(),
            STANDARD.encode(key)
        )
    };
    uss.urls = url(1, &[7; KEY_MAX]) + &url(2, &[7; KEY_MAX + 1]);
    let mut pair = Pair::new(uss);
    let report = pair.sync().unwrap();
    assert_eq!(pair.catalog.key_of(&sha1(1)).unwrap().unwrap(), [7; KEY_MAX]);
    assert_eq!(pair.catalog.key_of(&sha1(2)).unwrap(), None);
    assert!(report.problems[0].what.contains("4097 bytes"), "{report:?}");
}

/// The next answer tells changes only: with its anchor the set would be lost.
#[test]
fn a_driver_set_that_was_not_given_is_asked_for_again() {
    let mut uss = server(&[software(10)]);
    uss.config = Some(config(2, 1, 5, 100));
    let mut calls = 0;
    uss.other = Some(Box::new(move |name, operation| {
        let (good, late) = (Uuid::from_u128(1), Uuid::from_u128(2));
        if name == "GetDriverSetData" {
            calls += 1;
            let asked = operation.items("driverSets", "guid");
            let given = asked.filter(|id| calls > 2 || id.text == good.to_string());
            return driver_sets(given.map(|id| id.text.as_str()));
        }
        let known = operation.child("filter").unwrap().value("Anchor").is_some();
        let new = if known { vec![] } else { vec![good, late] };
        driver_set_list(name, &new)
    }));
    let mut pair = with_hardware(Pair::new(uss));
    let report = pair.sync().unwrap();
    assert_eq!((report.driver_sets, report.problems.len()), (1, 1));
    // The hardware is remembered all the same.
    pair.options.upstream.selection.hardware = None;
    let report = pair.sync().unwrap();
    assert_eq!((report.driver_sets, report.problems.len()), (1, 0));
    let before = pair.mock.requests("GetDriverSetData").len();
    assert_eq!(pair.sync().unwrap().driver_sets, 0);
    assert_eq!(pair.mock.requests("GetDriverSetData").len(), before, "now it has an anchor");
}

/// Not even by many that are refused each time: they are at the front of the next run.
#[test]
fn what_is_refused_for_ever_does_not_keep_the_rest_back() {
    const REFUSED: u128 = 1100;
    let mut uss = server(&[]);
    uss.limit = 20;
    for n in 0..REFUSED {
        uss.updates.push(identity(10_000 + n));
        // So that they are never too many in a row.
        if n % 500 == 0 {
            let (good, text) = software(20_000 + n);
            uss.updates.push(good);
            uss.documents.insert(good, plain(&text));
        }
    }
    let mut pair = Pair::new(uss);
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.problems.len()), (5, 1100));
    let (fresh, text) = software(30_000);
    let given = identity(10_000 + REFUSED - 1);
    {
        let mut uss = pair.uss.lock().unwrap();
        uss.updates = vec![fresh];
        uss.documents.insert(fresh, plain(&text));
        uss.documents.insert(given, plain(&software(10_000 + REFUSED - 1).1));
        uss.anchor = "2,2026-10-04 12:00:01.000".to_owned();
    }
    let report = pair.sync().unwrap();
    assert!(pair.document(&fresh).is_some());
    assert_eq!(report.problems.len(), 1099);
    assert!(pair.document(&given).is_some(), "the last of them is asked for, too");
    pair.sync().unwrap();
    let anchor = pair.lists().last().unwrap().value("Anchor").map(str::to_owned);
    assert_eq!(anchor.as_deref(), Some("2,2026-10-04 12:00:01.000"));
}

/// What came before a break is no news for the run after it, but was not looked after yet.
#[test]
fn what_documents_need_is_asked_for_after_a_break_too() {
    let needy =
        document(identity(10), "Software", "Needs 70 and 71", "", &prerequisites(&[70, 71]));
    let mut uss = server(&[(identity(10), needy)]);
    let (found, text) = software(70);
    uss.documents.insert(found, plain(&text));
    uss.other = Some(Box::new(|name, _| {
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
    pair.bend(|asked, count, reply| {
        // The list of categories that follows the documents.
        match (asked.operation().as_str(), count) {
            ("GetRevisionIdList", 2) => fault("InternalServerError", ""),
            _ => reply,
        }
    });
    pair.sync().unwrap_err();
    assert_eq!(
        operation(&pair.mock.requests("GetUpdateData").last().unwrap().body)
            .items("updateIds", "UpdateIdentity")
            .count(),
        1
    );
    pair.straight();
    let report = pair.sync().unwrap();
    assert_eq!(pair.mock.requests("GetRelatedRevisionsForUpdates").len(), 1);
    assert!(pair.document(&found).is_some());
    assert_eq!(report.unresolved.len(), 1, "{report:?}");
}

/// As after `init --seed`, or when the documents came in a package: the document is here, but nothing
/// says where its files are, and only a server that has none itself knows.
#[test]
fn where_files_are_is_asked_for_of_documents_that_are_here() {
    let file = sha1(10);
    let more = format!(
        "<upd:Files><upd:File Digest=\"{}\" DigestAlgorithm=\"SHA1\" FileName=\"a.cab\" Size=\"5\" Modified=\"2026-01-01T00:00:00\"/></upd:Files>",
        file.to_base64()
    );
    let text = document(identity(10), "Software", "Update 10", "", &more);
    let mut uss = server(&[(identity(10), text), software(11)]);
    uss.config = Some(config(0, 0, 0, 100));
    let mut pair = Pair::new(uss);
    pair.sync().unwrap();
    pair.uss.lock().unwrap().urls = format!(
        "<ServerSyncUrlData><FileDigest>{}</FileDigest><MUUrl>http://dl.example/a.cab</MUUrl></ServerSyncUrlData>",
        file.to_base64()
    );
    for asked in [vec![vec![identity(10)]], vec![]] {
        let mut writer = pair.catalog.write().unwrap();
        writer.set_note(&format!("upstream/{}/", pair.mock.url.trim_end_matches('/')), "").unwrap();
        writer.commit().unwrap();
        let before = pair.fetched(0).len();
        let report = pair.sync().unwrap();
        assert_eq!((report.new_revisions, report.problems.len()), (0, 0), "{report:?}");
        assert_eq!(pair.fetched(before), asked);
        let url = pair.catalog.file_url(&file).unwrap();
        assert_eq!(url.as_deref(), Some("http://dl.example/a.cab"));
    }
}
