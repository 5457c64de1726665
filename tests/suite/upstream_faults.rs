//! An upstream that breaks off, is busy, lies or changes: nothing half, a clear message, and the
//! next run finishes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    support::mock::Reply,
    support::upstream_fake::{OPERATIONS, Pair, fault},
    support::upstream_small::{identity, revisions, server},
};

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

fn status(status: u16, body: &str) -> Reply {
    let mut reply = Reply::soap(body).with("Retry-After", "0");
    reply.status = status;
    reply
}

type Failure = fn(Reply) -> Reply;

/// Breaks off after so many bytes of what was announced.
fn cut(mut reply: Reply, at: usize) -> Reply {
    reply.length = Some(reply.body.len());
    reply.body.truncate(at);
    reply
}

/// Each call in turn, in each way. Once: it is borne. For ever: the call is named, and when the server
/// is well again the next run finishes.
#[test]
fn any_call_may_fail_in_any_way() {
    let ways: [(&str, Failure); 8] = [
        ("no answer", |reply| cut(reply, 0)),
        ("cut in the envelope", |reply| cut(reply, 40)),
        ("cut in the middle", |reply| {
            let half = reply.body.len() / 2;
            cut(reply, half)
        }),
        ("cut before the last byte", |reply| {
            let end = reply.body.len() - 1;
            cut(reply, end)
        }),
        ("a page", |_| status(500, "<html>Runtime Error</html>")),
        ("an empty page", |_| status(500, "")),
        ("busy", |_| status(503, "<html>Service Unavailable</html>")),
        ("busy, as a fault", |_| fault("ServerBusy", "")),
    ];
    for operation in OPERATIONS {
        for (way, fail) in ways {
            let what = format!("{operation}: {way}");
            let mut once = Pair::new(server());
            once.bend(move |asked, count, reply| {
                let here = asked.operation() == operation && count == 0;
                if here { fail(reply) } else { reply }
            });
            let report = once.sync().unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!((report.new_revisions, report.problems.len()), (22, 0), "{what}");

            let mut ever = Pair::new(server());
            ever.bend(
                move |asked, _, reply| {
                    if asked.operation() == operation { fail(reply) } else { reply }
                },
            );
            let error = ever.sync().unwrap_err().to_string();
            assert!(error.contains(operation), "{what}: {error}");
            assert_eq!(ever.mock.requests(operation).len(), 3, "{what}: attempts");
            assert_eq!(revisions(&ever.catalog), 0, "{what}");
            ever.straight();
            assert_eq!(ever.sync().unwrap().new_revisions, 22, "{what}");
        }
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
