//! An upstream that changes while we read from it: its catalogue, its cookies, its clock.

use std::sync::Arc;

use tidegate::update::UpdateIdentity;

use super::{
    support::mock::{Asked, Mock},
    support::upstream_fake::{Pair, fault, plain},
    support::upstream_small::{document, identity, revisions, server},
};

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

/// Requests that carry a cookie, without it.
fn with_cookie(mock: &Mock) -> Vec<String> {
    mock.asked().iter().filter(|asked| has_cookie(asked)).map(without_cookie).collect()
}

fn has_cookie(asked: &Asked) -> bool {
    asked.body.contains("<cookie>")
}

fn without_cookie(asked: &Asked) -> String {
    let (head, rest) = asked.body.split_once("<EncryptedData>").unwrap();
    let (_, tail) = rest.split_once("</EncryptedData>").unwrap();
    format!("{head}{tail}")
}

/// At every call in turn: authorized anew, the same call is made again, and nothing else changes.
#[test]
fn a_cookie_may_expire_at_any_call() {
    let mut straight = Pair::new(server());
    straight.sync().unwrap();
    let expected = with_cookie(&straight.mock);
    assert!(expected.len() >= 9, "{}", expected.len());
    for code in ["InvalidCookie", "InvalidAuthorizationCookie"] {
        for at in 0..expected.len() {
            let mut pair = Pair::new(server());
            let uss = Arc::clone(&pair.uss);
            let mut seen = 0;
            pair.bend(move |asked, _, reply| {
                if !has_cookie(asked) {
                    return reply;
                }
                seen += 1;
                if seen != at + 1 {
                    return reply;
                }
                // From now on only the next cookie is good.
                uss.lock().unwrap().expired = 2;
                fault(code, "")
            });
            let report = pair.sync().unwrap();
            assert_eq!((report.new_revisions, report.problems.len()), (22, 0), "{code} at {at}");
            assert_eq!(pair.uss.lock().unwrap().refused, 0, "an old cookie was sent: {at}");
            assert_eq!(pair.mock.requests("GetCookie").len(), 2, "{at}");
            let mut again = expected.clone();
            again.insert(at, expected[at].clone());
            assert_eq!(with_cookie(&pair.mock), again, "{code} at {at}");
            assert!(same_numbers(&pair, &straight), "{code} at {at}");
        }
    }
}

fn same_numbers(one: &Pair, other: &Pair) -> bool {
    let number = |pair: &Pair, n| pair.catalog.revision_id(&identity(n)).unwrap().unwrap();
    (1..3).chain(10..30).all(|n| number(one, n) == number(other, n))
}

/// A server whose clock is wrong, or says nothing of use, does not make us authorize for ever; one
/// whose cookies live for a second is served as well.
#[test]
fn odd_clocks_do_no_harm() {
    for expiration in [
        "2001-01-01T00:00:00Z",
        "0001-01-01T00:00:00",
        "9999-12-31T23:59:59.9999999",
        "2026-10-04T20:33:26.65455Z",
        "soon",
    ] {
        let mut uss = server();
        uss.expiration = Some(expiration.to_owned());
        let mut pair = Pair::new(uss);
        assert_eq!(pair.sync().unwrap().new_revisions, 22, "{expiration}");
        assert_eq!(pair.mock.requests("GetCookie").len(), 1, "{expiration}");
    }
    // Our own clock goes back between two runs: what is new still comes, and nothing comes twice.
    let mut pair = Pair::new(server());
    pair.sync().unwrap();
    pair.options.now = "2001-01-01T00:00:00Z".parse().unwrap();
    let before = pair.fetched(0).len();
    {
        let mut uss = pair.uss.lock().unwrap();
        uss.updates.push(identity(40));
        uss.documents.insert(identity(40), plain(&document(40, "Software", "New", "")));
        uss.anchor = "2,2001-01-01 12:00:00.000".to_owned();
    }
    assert_eq!(pair.sync().unwrap().new_revisions, 1);
    assert_eq!(pair.fetched(before), [[identity(40)]]);
    assert!(!pair.sync().unwrap().changed);
}

fn newer(n: u128) -> UpdateIdentity {
    UpdateIdentity { revision: 101, ..identity(n) }
}

/// Between the list and the documents an update gets a new revision, and the old one is gone.
#[test]
fn a_revision_that_goes_while_we_read_is_replaced_by_the_new_one_at_once() {
    let mut pair = Pair::new(server());
    let uss = Arc::clone(&pair.uss);
    pair.bend(move |asked, count, reply| {
        if asked.operation() == "GetRevisionIdList" && count == 1 {
            let mut uss = uss.lock().unwrap();
            uss.documents.remove(&identity(17));
            uss.updates.retain(|id| *id != identity(17));
            uss.updates.push(newer(17));
            let document = document(17, "Software", "Newer", "").replace("\"100\"", "\"101\"");
            uss.documents.insert(newer(17), plain(&document));
            uss.anchor = "2,2026-10-04 13:00:00.000".to_owned();
        }
        reply
    });
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.problems), (22, Vec::new()));
    assert!(pair.document(&newer(17)).is_some());
    pair.straight();
    assert!(!pair.sync().unwrap().changed);
    assert_eq!(revisions(&pair.catalog), 22);
}

/// What appears after the first list, after the second, and while the documents come.
#[test]
fn what_appears_while_we_read_comes_with_the_next_run() {
    for operation in ["GetConfigData", "GetRevisionIdList", "GetUpdateData"] {
        for at in 0..6 {
            let mut pair = Pair::new(server());
            let uss = Arc::clone(&pair.uss);
            pair.bend(move |asked, count, reply| {
                if asked.operation() == operation && count == at {
                    let mut uss = uss.lock().unwrap();
                    uss.categories.push(identity(3));
                    uss.documents
                        .insert(identity(3), plain(&document(3, "Detectoid", "Later", "")));
                    uss.updates.push(identity(40));
                    let document = document(40, "Software", "Later", "");
                    uss.documents.insert(identity(40), plain(&document));
                    uss.anchor = "2,2026-10-04 13:00:00.000".to_owned();
                }
                reply
            });
            let report = pair.sync().unwrap();
            assert_eq!(report.problems, [], "{operation} {at}");
            pair.straight();
            pair.sync().unwrap();
            let appeared = pair.uss.lock().unwrap().updates.len() == 21;
            let expected = if appeared { 24 } else { 22 };
            assert_eq!(revisions(&pair.catalog), expected, "{operation} {at}");
            assert!(!pair.sync().unwrap().changed);
        }
    }
}

/// The limit is smaller than the server said a moment ago.
#[test]
fn a_limit_that_shrinks_is_found_by_halving() {
    let mut pair = Pair::new(server());
    let uss = Arc::clone(&pair.uss);
    pair.bend(move |asked, count, reply| {
        if asked.operation() == "GetUpdateData" && count == 1 {
            uss.lock().unwrap().limit = 1;
        }
        reply
    });
    let report = pair.sync().unwrap();
    assert_eq!((report.new_revisions, report.problems.len()), (22, 0));
}
