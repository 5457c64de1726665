//! Broken off anywhere, a download goes on with what is here.

use super::*;

#[test]
fn a_connection_that_is_cut_goes_on_where_it_was() {
    let side = Side::one();
    let cut = 2 * 1024 * 1024;
    let server = serve(&side, move |payload, asked, before| match before {
        0 => Reply::cut_file(payload, "\"1\"", asked, cut),
        _ => good(payload, asked),
    });
    let report = side.run();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.received_bytes, SIZE as u64, "nothing came twice");
    side.assert_all_here();
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!((asked[0].header("range"), asked[0].header("if-range")), (None, None));
    assert_eq!(asked[1].header("range"), Some(format!("bytes={cut}-").as_str()));
    assert_eq!(asked[1].header("if-range"), Some("\"1\""));
}

#[test]
fn an_end_before_the_end_goes_on_where_it_was() {
    let side = Side::one();
    let server = serve(&side, |payload, asked, before| match before {
        0 => Reply::ok(Body::Unannounced(payload[..2_000_000].to_vec())),
        _ => good(payload, asked),
    });
    let report = side.run();
    assert!(report.is_complete(), "{report:?}");
    side.assert_all_here();
    assert_eq!(server.asked()[1].from(), Some(2_000_000));
}

#[test]
fn a_server_that_ignores_ranges_sends_the_whole_again() {
    let side = Side::one();
    let _server = serve(&side, |payload, _, before| match before {
        0 => Reply::ok(Body::Cut(payload[..2_000_000].to_vec(), payload.len())),
        _ => Reply::ok(Body::Whole(payload.to_vec())),
    });
    let report = side.run();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.received_bytes, SIZE as u64 + 2_000_000);
    side.assert_all_here();
}

#[test]
fn a_file_that_changed_meanwhile_is_begun_anew() {
    let side = Side::one();
    let server = serve(&side, |payload, asked, before| match before {
        // Another version, of the same size.
        0 => {
            let other = bytes(99, SIZE);
            Reply::cut_file(&other, "\"old\"", asked, 2_000_000)
        }
        _ => Reply::file(payload, "\"new\"", asked),
    });
    let report = side.run();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.rejected, []);
    side.assert_all_here();
    let asked = server.asked();
    assert_eq!((asked[1].from(), asked[1].header("if-range")), (Some(2_000_000), Some("\"old\"")));
    assert_eq!(asked.len(), 2, "If-Range brings the whole at once");
}

/// It has no If-Range, or does not look at it: only the digest can tell.
#[test]
fn a_mixed_file_is_fetched_once_more_before_anybody_is_blamed() {
    let side = Side::one();
    let server = serve(&side, |payload, asked, before| match before {
        0 => {
            let other = bytes(99, SIZE);
            Reply::ok(Body::Cut(other[..2_000_000].to_vec(), other.len()))
        }
        _ => good(payload, asked),
    });
    let report = side.run();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(report.rejected, []);
    let from: Vec<_> = server.asked().iter().map(Asked::from).collect();
    assert_eq!(from, [None, Some(2_000_000), None]);
    side.assert_all_here();
}

/// The next run goes on with what an earlier one has left, whatever became of it.
#[test]
fn what_an_earlier_run_left_is_used() {
    let side = Side::one();
    let server = serve(&side, |payload, asked, before| match before {
        0 => Reply::cut_file(payload, "\"1\"", asked, 2_000_000),
        1..=3 => Reply::status(500),
        _ => good(payload, asked),
    });
    let first = side.run();
    assert_eq!((first.missing, first.fetched), (1, 0));
    let name = side.digests(0).sha256.to_string();
    assert_eq!(side.partials(), [name.clone(), format!("{name}.from")]);
    let planned =
        forecast(&side.mirror.catalog(), &side.fleet(), &side.content(), &options()).unwrap();
    assert_eq!(planned.forecast.resumed_bytes, 2_000_000);
    assert_eq!(planned.forecast.fetch_bytes, SIZE as u64 - 2_000_000);

    let second = side.run();
    assert!(second.is_complete(), "{second:?}");
    assert_eq!(second.received_bytes, SIZE as u64 - 2_000_000);
    let last = server.asked().pop().unwrap();
    assert_eq!((last.from(), last.header("if-range")), (Some(2_000_000), Some("\"1\"")));
    side.assert_all_here();
}

#[test]
fn a_damaged_rest_of_an_earlier_run_costs_one_more_download_and_nobody_is_blamed() {
    for damage in ["other bytes", "too long", "complete but wrong", "complete and right"] {
        let side = Side::one();
        let server = serve(&side, |payload, asked, _| good(payload, asked));
        let folder = side.mirror.data.content().join("partial");
        fs::create_dir_all(&folder).unwrap();
        let left = match damage {
            "other bytes" => bytes(5, 1000),
            "too long" => bytes(5, SIZE + 1),
            "complete but wrong" => bytes(5, SIZE),
            _ => side.payloads[0].clone(),
        };
        fs::write(folder.join(side.digests(0).sha256.to_string()), left).unwrap();
        let report = side.run();
        assert!(report.is_complete(), "{damage}: {report:?}");
        assert_eq!(report.rejected, [], "{damage}");
        side.assert_all_here();
        let asked = server.asked().len();
        let expected = match damage {
            "other bytes" => 2,
            "complete and right" => 0,
            _ => 1,
        };
        assert_eq!(asked, expected, "{damage}");
    }
}

#[test]
fn partials_that_nobody_needs_are_removed() {
    let side = Side::one();
    let _server = serve(&side, |payload, asked, _| good(payload, asked));
    let folder = side.mirror.data.content().join("partial");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(digests(b"unnamed").sha256.to_string()), "unn").unwrap();
    fs::write(folder.join(format!("sha1-{}", Sha1::hash(b"unnamed"))), "unn").unwrap();
    side.run();
    side.assert_all_here();
}

#[test]
fn a_file_that_a_killed_run_stored_is_only_noted() {
    let side = Side::one();
    let server = serve(&side, |payload, asked, _| good(payload, asked));
    let source = side.mirror.folder.path().join("source");
    fs::write(&source, &side.payloads[0]).unwrap();
    side.content().add_file(&source, &mut |_| {}).unwrap();
    let report = side.run();
    assert!(report.is_complete() && report.fetched == 1, "{report:?}");
    assert_eq!(server.asked().len(), 0);
    side.assert_all_here();
}

#[test]
fn a_silent_server_is_given_up() {
    let side = Side::one();
    let server = serve(&side, |payload, asked, before| match before {
        0 => Reply::ok(Body::Stall(payload[..2_000_000].to_vec(), payload.len())),
        _ => good(payload, asked),
    });
    let options = DownloadOptions { idle_limit: Duration::from_millis(300), ..options() };
    let report = side.run_with(&options).unwrap();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(server.asked()[1].from(), Some(2_000_000));
    side.assert_all_here();
}

#[test]
fn one_download_at_a_time() {
    let side = Side::one();
    let _held = side.content().partials().unwrap();
    let refused = side.run_with(&options()).unwrap_err();
    assert!(refused.to_string().contains("another process downloads"), "{refused}");
}
