//! An upstream that changes while we read from it: its catalogue, its cookies, its clock.

use super::{
    upstream_fake::{Pair, fault},
    upstream_small::server,
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
