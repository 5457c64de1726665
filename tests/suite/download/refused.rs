//! What is not taken: wrong bytes, other sizes, other hosts; and who is asked again.

use super::*;

#[test]
fn wrong_bytes_are_thrown_away_named_and_taken_from_the_next_place() {
    let side = Side::one();
    let wrong = bytes(99, SIZE);
    let liar = FileServer::start(move |asked, _| Reply::file(&wrong, "\"x\"", asked));
    let _server = serve(&side, |payload, asked, _| good(payload, asked));
    let options = DownloadOptions {
        locations: vec![ContentBase::detect(&liar.url("/mirror")).unwrap()],
        ..options()
    };
    let report = side.run_with(&options).unwrap();
    assert!(report.is_complete(), "{report:?}");
    side.assert_all_here();
    let [rejected] = &report.rejected[..] else { panic!("{report:?}") };
    let expected = side.digests(0).sha1.to_string();
    assert_eq!((rejected.what, &rejected.expected), ("SHA-1", &expected));
    assert_eq!(rejected.found, Sha1::hash(&bytes(99, SIZE)).to_string());
    let upper = expected.to_ascii_uppercase();
    let path = format!("/mirror/{}/{upper}.cab", &upper[38..]);
    assert_eq!(rejected.location, liar.url(&path));
    assert_eq!(liar.asked().len(), 1, "who lies is not asked again");
}

/// The SHA-1 alone is no proof.
#[test]
fn the_sha256_is_compared_too() {
    let payload = bytes(1, 10_000);
    let side = Side::new(vec![payload.clone()]);
    let mut promised = digests(&payload);
    promised.sha256 = digests(b"other").sha256;
    let other = Mirror::new(2);
    other.add_document(&document(1, 1, &[promised.clone()]));
    let side = Side { mirror: other, ..side };
    side.approve(1, ApprovalAction::Install);
    let _server = serve(&side, |payload, asked, _| good(payload, asked));
    let report = side.run();
    assert_eq!((report.missing, report.fetched), (1, 0));
    assert_eq!(report.rejected[0].what, "SHA-256");
    assert_eq!(report.rejected[0].expected, promised.sha256.to_string());
    assert!(!side.content().contains(&digests(&payload).sha256, 10_000).unwrap());
}

#[test]
fn an_endless_answer_is_stopped_at_the_size() {
    let side = Side::one();
    let _server = serve(&side, |_, _, _| Reply::ok(Body::Endless));
    let report = side.run();
    assert_eq!(report.missing, 1);
    assert_eq!(report.rejected[0].what, "size");
    assert!(report.rejected[0].found.contains("more than"), "{report:?}");
    assert!(report.received_bytes <= SIZE as u64, "{}", report.received_bytes);
}

#[test]
fn another_announced_size_is_not_even_read() {
    for size in [SIZE - 1, SIZE + 1, 10] {
        let side = Side::one();
        let _server = serve(&side, move |_, _, _| Reply::ok(Body::Whole(vec![0; size])));
        let report = side.run();
        assert_eq!((report.missing, report.received_bytes), (1, 0));
        let rejected = &report.rejected[0];
        assert_eq!((rejected.what, rejected.found.as_str()), ("size", size.to_string().as_str()));
    }
}

#[test]
fn a_busy_server_is_asked_again_when_it_says() {
    for status in [429, 503] {
        let side = Side::one();
        let server = serve(&side, move |payload, asked, before| match before {
            0 => Reply::status(status).with("Retry-After", "0"),
            1 => Reply::status(500),
            _ => good(payload, asked),
        });
        let report = side.run();
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(server.asked().len(), 3);
        side.assert_all_here();
    }
}

#[test]
fn a_server_that_wants_to_be_left_alone_for_a_day_is_named() {
    let side = Side::one();
    let server = serve(&side, |_, _, _| Reply::status(503).with("Retry-After", "86400"));
    let report = side.run();
    assert_eq!(report.missing, 1);
    assert!(report.problems[0].what.contains("wait too long"), "{report:?}");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn redirects_are_not_followed() {
    let side = Side::one();
    let payload = side.payloads[0].clone();
    let elsewhere = FileServer::start(move |asked, _| good(&payload, asked));
    let to = elsewhere.url("/x.cab");
    let _server = serve(&side, move |_, _, _| Reply::status(302).with("Location", &to));
    let report = side.run();
    assert_eq!(report.missing, 1);
    assert!(report.problems[0].what.contains("redirected to"), "{report:?}");
    assert_eq!(elsewhere.asked().len(), 0, "nobody went there");
}

#[test]
fn nothing_is_taken_in_another_encoding() {
    let side = Side::one();
    let _server =
        serve(&side, |payload, asked, _| good(payload, asked).with("Content-Encoding", "gzip"));
    let report = side.run();
    assert!(report.problems[0].what.contains("another encoding"), "{report:?}");
}

#[test]
fn what_does_not_fit_is_refused_before_the_first_byte() {
    let side = Side::one();
    let server = serve(&side, |payload, asked, _| good(payload, asked));
    let options = DownloadOptions { reserve: u64::MAX / 2, ..options() };
    let refused = side.run_with(&options).unwrap_err();
    assert!(matches!(refused, DownloadError::NoRoom { .. }), "{refused}");
    assert!(refused.to_string().contains("Nothing was downloaded"));
    assert_eq!(server.asked().len(), 0);
    let planned = forecast(&side.mirror.catalog(), &side.fleet(), &side.content(), &options);
    assert!(!planned.unwrap().forecast.fits);
}

#[test]
fn documents_with_sha1_only_are_taken_counted_and_can_be_refused() {
    let payload = bytes(1, 10_000);
    let side = Side { mirror: Mirror::new(1), payloads: vec![payload] };
    let xml = document(0, 1, &[side.digests(0)]);
    let (a, b) = (xml.find("<Additional").unwrap(), xml.find("</Additional").unwrap());
    let end = b + "</AdditionalDigest>".len();
    side.mirror.add_document(&format!("{}{}", &xml[..a], &xml[end..]));
    side.approve(0, ApprovalAction::Install);
    let server = serve(&side, |payload, asked, _| good(payload, asked));

    let refused = side.run_with(&DownloadOptions { require_sha256: true, ..options() }).unwrap();
    assert!(!refused.is_complete());
    assert!(refused.problems[0].what.contains("no SHA-256"), "{refused:?}");
    assert_eq!(server.asked().len(), 0);

    let report = side.run();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!((report.sha1_only, report.forecast.sha1_only), (1, 1));
    side.assert_all_here();
}

/// One SHA-1, two SHA-256: only one of them can be true, and it is found.
#[test]
fn documents_that_contradict_each_other_are_named() {
    let side = Side::one();
    let mut lie = side.digests(0);
    lie.sha256 = digests(b"lie").sha256;
    side.mirror.add_document(&document(1, 1, &[lie]));
    side.approve(1, ApprovalAction::Install);
    let _server = serve(&side, |payload, asked, _| good(payload, asked));
    let report = side.run();
    assert!(report.warnings[0].what.contains("contradict"), "{report:?}");
    assert_eq!((report.fetched, report.missing), (1, 1));
    assert_eq!(report.rejected[0].what, "SHA-256");
    side.assert_here();
}

#[test]
fn a_proxy_that_cannot_be_used_is_told_before_anything_is_begun() {
    let side = Side::one();
    let mut options = options();
    options.connection.proxy = Some("ftp://proxy.example".to_owned());
    let refused = side.run_with(&options).unwrap_err();
    assert!(refused.to_string().contains("ftp://proxy.example"), "{refused}");
}

/// Nobody waits for it with each of a thousand files.
#[test]
fn a_host_that_is_not_reached_is_left_alone() {
    let side = Side::new((0..12).map(|n| bytes(n, 1000)).collect());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    side.told_at(&nobody);
    let options = DownloadOptions { attempts: 1, parallel: 1, ..options() };
    let report = side.run_with(&options).unwrap();
    assert_eq!((report.missing, report.problems.len()), (12, 12));
    let left_alone = report.problems.iter().filter(|p| p.what.contains("left alone")).count();
    assert_eq!(left_alone, 9, "{report:?}");
}
