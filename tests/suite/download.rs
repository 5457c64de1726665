//! Downloading payloads over real connections, with everything that may go wrong on the way.

use std::{fs, sync::Arc, time::Duration};

use bundle_format::digest::{PayloadDigests, Sha1};
use tidegate::{
    content::ContentStore,
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin},
    upstream::{
        Base, ConnectionOptions, DownloadError, DownloadOptions, DownloadReport, Which, download,
        forecast,
    },
};

use super::{
    download_server::{Asked, Body, FileServer, Reply, digests},
    sides::{Mirror, bytes, document, now, update},
};

/// Bytes of a payload: more than a cut has to bring for the same place to be asked again.
const SIZE: usize = 3 * 1024 * 1024;

/// A mirror with one approved update for each payload, and no payloads.
pub(crate) struct Side {
    pub(crate) mirror: Mirror,
    pub(crate) payloads: Vec<Vec<u8>>,
}

impl Side {
    pub(crate) fn new(payloads: Vec<Vec<u8>>) -> Self {
        let mirror = Mirror::new(1);
        let side = Self { mirror, payloads };
        for (n, payload) in side.payloads.iter().enumerate() {
            side.mirror.add_document(&document(n as u128, 1, &[digests(payload)]));
            side.approve(n as u128, ApprovalAction::Install);
        }
        side
    }

    /// One payload.
    fn one() -> Self {
        Self::new(vec![bytes(1, SIZE)])
    }

    fn approve(&self, n: u128, action: ApprovalAction) {
        let local = Origin::Local;
        self.fleet().approve(update(n), ALL_COMPUTERS, action, None, local, now()).unwrap();
    }

    fn fleet(&self) -> Fleet {
        Fleet::open(&self.mirror.data.fleet()).unwrap()
    }

    pub(crate) fn content(&self) -> ContentStore {
        ContentStore::open(&self.mirror.data.content()).unwrap()
    }

    pub(crate) fn digests(&self, n: usize) -> PayloadDigests {
        digests(&self.payloads[n])
    }

    /// Tells where each payload is on a server.
    pub(crate) fn told(&self, server: &FileServer) {
        self.told_at(&server.url(""));
    }

    fn told_at(&self, server: &str) {
        let mut catalog = self.mirror.catalog();
        let mut writer = catalog.write().unwrap();
        for (n, payload) in self.payloads.iter().enumerate() {
            let url = format!("{server}/d/{n}.cab");
            writer.put_file_url(&Sha1::of(payload), &url).unwrap();
        }
        writer.commit().unwrap();
    }

    fn run(&self) -> DownloadReport {
        self.run_with(&options()).unwrap()
    }

    fn run_with(&self, options: &DownloadOptions) -> Result<DownloadReport, DownloadError> {
        let mut catalog = self.mirror.catalog();
        download(&mut catalog, &mut self.fleet(), &self.content(), options, &mut |_| {})
    }

    /// All payloads are in the store, whole, and the catalogue knows; no partial is left.
    #[track_caller]
    pub(crate) fn assert_all_here(&self) {
        self.assert_here();
        assert_eq!(self.partials(), Vec::<String>::new());
    }

    #[track_caller]
    fn assert_here(&self) {
        let catalog = self.mirror.catalog();
        for (n, payload) in self.payloads.iter().enumerate() {
            let digests = self.digests(n);
            let row = catalog.payload(&digests.sha256).unwrap().expect("a row");
            assert!(row.present);
            assert_eq!(row.chunks, digests.chunks);
            let stored = fs::read(self.content().path(&digests.sha256)).unwrap();
            assert!(stored == *payload, "payload {n} has other bytes");
        }
    }

    /// Names of what is in the folder of partials.
    pub(crate) fn partials(&self) -> Vec<String> {
        let folder = self.mirror.data.content().join("partial");
        let mut names: Vec<String> = fs::read_dir(folder)
            .map(|entries| entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())
            .unwrap_or_default();
        names.retain(|name| name != ".lock");
        names.sort();
        names
    }
}

/// Without pauses that a test would have to wait for.
pub(crate) fn options() -> DownloadOptions {
    DownloadOptions {
        first_pause: Duration::from_millis(1),
        attempts: 3,
        reserve: 0,
        connection: ConnectionOptions {
            proxy: Some("none".to_owned()),
            allow_http: true,
            ..ConnectionOptions::default()
        },
        ..DownloadOptions::new(Which::Approved)
    }
}

/// A server that gives one payload, bent by a test.
fn serve(
    side: &Side,
    bend: impl Fn(&[u8], &Asked, usize) -> Reply + Send + Sync + 'static,
) -> FileServer {
    let payload = side.payloads[0].clone();
    let server = FileServer::start(move |asked, before| bend(&payload, asked, before));
    side.told(&server);
    server
}

fn good(payload: &[u8], asked: &Asked) -> Reply {
    Reply::file(payload, "\"1\"", asked)
}

#[test]
fn what_is_approved_arrives_and_the_rest_stays_where_it_is() {
    let side = Side::new((0..6).map(|n| bytes(n, 100_000)).collect());
    for n in 6..9 {
        side.mirror.add_document(&document(n, 1, &[digests(&bytes(50, 50_000))]));
    }
    side.approve(6, ApprovalAction::Detect);
    side.approve(7, ApprovalAction::Install);
    side.fleet().decline(update(7), Origin::Local, now()).unwrap();
    let payloads = side.payloads.clone();
    let server = FileServer::start(move |asked, _| {
        let n: usize = asked.path[3..].trim_end_matches(".cab").parse().unwrap();
        good(&payloads[n], asked)
    });
    side.told(&server);

    let planned = forecast(&side.mirror.catalog(), &side.fleet(), &side.content(), &options());
    let planned = planned.unwrap().forecast;
    let total: u64 = side.payloads.iter().map(|p| p.len() as u64).sum();
    assert_eq!((planned.revisions, planned.files, planned.fetch), (6, 6, 6));
    assert_eq!((planned.bytes, planned.fetch_bytes, planned.here), (total, total, 0));
    assert!(planned.fits && planned.nowhere == 0 && planned.sha1_only == 0);

    let report = side.run();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!((report.fetched, report.fetched_bytes, report.received_bytes), (6, total, total));
    side.assert_all_here();
    assert_eq!(server.asked().len(), 6, "each once");

    let again = side.run();
    assert_eq!((again.fetched, again.forecast.here, again.forecast.fetch), (0, 6, 0));
    assert_eq!(server.asked().len(), 6, "nothing is asked for twice");
}

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

#[test]
fn wrong_bytes_are_thrown_away_named_and_taken_from_the_next_place() {
    let side = Side::one();
    let wrong = bytes(99, SIZE);
    let liar = FileServer::start(move |asked, _| Reply::file(&wrong, "\"x\"", asked));
    let _server = serve(&side, |payload, asked, _| good(payload, asked));
    let options = DownloadOptions {
        locations: vec![Base::detect(&liar.url("/mirror")).unwrap()],
        ..options()
    };
    let report = side.run_with(&options).unwrap();
    assert!(report.is_complete(), "{report:?}");
    side.assert_all_here();
    let [rejected] = &report.rejected[..] else { panic!("{report:?}") };
    let expected = side.digests(0).sha1.to_string();
    assert_eq!((rejected.what, &rejected.expected), ("SHA-1", &expected));
    assert_eq!(rejected.found, Sha1::of(&bytes(99, SIZE)).to_string());
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
fn nothing_is_taken_in_another_encoding() {
    let side = Side::one();
    let _server =
        serve(&side, |payload, asked, _| good(payload, asked).with("Content-Encoding", "gzip"));
    let report = side.run();
    assert!(report.problems[0].what.contains("another encoding"), "{report:?}");
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
    fs::write(folder.join(format!("sha1-{}", Sha1::of(b"unnamed"))), "unn").unwrap();
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
fn one_download_at_a_time() {
    let side = Side::one();
    let _held = side.content().partials().unwrap();
    let refused = side.run_with(&options()).unwrap_err();
    assert!(refused.to_string().contains("another process downloads"), "{refused}");
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
fn a_folder_with_the_layout_of_wsus_will_do() {
    let side = Side::new(vec![bytes(1, SIZE), bytes(2, 10), bytes(3, 10)]);
    let root = side.mirror.folder.path().join("WsusContent");
    for n in [0, 1] {
        let name = side.digests(n).sha1.to_string().to_ascii_uppercase();
        let folder = root.join(&name[38..]);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.cab")), &side.payloads[n]).unwrap();
    }
    let options = DownloadOptions {
        locations: vec![Base::detect(root.to_str().unwrap()).unwrap()],
        ..options()
    };
    let report = side.run_with(&options).unwrap();
    assert_eq!((report.fetched, report.missing), (2, 1));
    assert!(report.problems[0].what.contains("no such file"), "{report:?}");
}

#[test]
fn a_file_of_no_known_place_says_how_to_name_one() {
    let side = Side::one();
    let report = side.run();
    assert_eq!((report.missing, report.forecast.nowhere), (1, 1));
    assert!(report.problems[0].what.contains("--location"), "{report:?}");
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

/// Of what was asked for by digest: SHA-256 or SHA-1, with or without a name behind it.
#[test]
fn a_list_of_what_is_missing_elsewhere() {
    let side = Side::new((0..3).map(|n| bytes(n, 1000)).collect());
    let payloads = Arc::new(side.payloads.clone());
    let server = FileServer::start(move |asked, _| {
        let n: usize = asked.path[3..].trim_end_matches(".cab").parse().unwrap();
        good(&payloads[n], asked)
    });
    side.told(&server);
    let list = side.mirror.folder.path().join("needs");
    let text = format!(
        "# from plant-7\n\n{}  a.cab\n{}\n{}\nnonsense\n",
        side.digests(0).sha256,
        side.digests(2).sha1.to_string().to_uppercase(),
        digests(b"unknown").sha256,
    );
    fs::write(&list, text).unwrap();
    let report = side.run_with(&DownloadOptions { which: Which::Needs(list), ..options() });
    let report = report.unwrap();
    assert_eq!((report.fetched, report.missing, report.problems.len()), (2, 0, 2));
    assert!(report.problems[0].what.contains("no document"), "{report:?}");
    assert!(report.problems[1].at.ends_with("line 6"), "{report:?}");
    let mut paths: Vec<String> = server.asked().into_iter().map(|asked| asked.path).collect();
    paths.sort();
    assert_eq!(paths, ["/d/0.cab", "/d/2.cab"]);
}

/// What an approved update bundles comes with it, in exactly the revision that it names.
#[test]
fn members_come_along_in_the_revision_that_is_named() {
    let side = Side { mirror: Mirror::new(1), payloads: vec![bytes(1, 1000)] };
    let newer = bytes(2, 1000);
    side.mirror.add_document(&document(1, 1, &[side.digests(0)]));
    side.mirror.add_document(&document(1, 2, &[digests(&newer)]));
    let parent = document(2, 1, &[]).replace(
        "<Files>",
        &format!(
            "<Relationships><BundledUpdates><UpdateIdentity UpdateID=\"{}\" RevisionNumber=\"1\" /></BundledUpdates></Relationships><Files>",
            update(1)
        ),
    );
    side.mirror.add_document(&parent);
    side.approve(2, ApprovalAction::Uninstall);
    let server = serve(&side, |payload, asked, _| good(payload, asked));
    let report = side.run();
    assert!(report.is_complete(), "{report:?}");
    assert_eq!((report.fetched, report.forecast.revisions), (1, 2));
    assert_eq!(server.asked().len(), 1);
    side.assert_all_here();
}

/// [MS-WSUSSS] 3.2.4.4: what a server below us asked for is fetched as if it was approved.
#[test]
fn what_servers_below_asked_for_comes_too_and_is_waited_for_no_longer() {
    let side = Side { mirror: Mirror::new(1), payloads: vec![bytes(1, 1000)] };
    side.mirror.add_document(&document(0, 1, &[side.digests(0)]));
    let sha1 = side.digests(0).sha1;
    side.fleet().want_files(&[sha1, Sha1::of(b"gone")], now()).unwrap();
    let _server = serve(&side, |payload, asked, _| good(payload, asked));
    let report = side.run();
    assert!(report.is_complete() && report.fetched == 1, "{report:?}");
    side.assert_all_here();
    let left: Vec<Sha1> = side.fleet().wanted_files().unwrap().iter().map(|f| f.sha1).collect();
    assert_eq!(left, [Sha1::of(b"gone")]);
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

/// A server that keeps only the catalogue is not asked for files; another is, before the Internet.
#[test]
fn the_content_of_upstream_servers_is_asked_if_they_keep_some() {
    for catalog_only in [true, false] {
        let side = Side::one();
        let payload = side.payloads[0].clone();
        let upstream = FileServer::start(move |asked, _| good(&payload, asked));
        let internet = serve(&side, |payload, asked, _| good(payload, asked));
        let mut catalog = side.mirror.catalog();
        let mut writer = catalog.write().unwrap();
        let note = format!("{{\"facts\": {{\"catalog-only\": {catalog_only}}}}}");
        writer.set_note(&format!("upstream/{}", upstream.url("/")), &note).unwrap();
        writer.commit().unwrap();
        let report = side.run();
        assert!(report.is_complete(), "{report:?}");
        let asked = (upstream.asked().len(), internet.asked().len());
        assert_eq!(asked, if catalog_only { (0, 1) } else { (1, 0) });
        if !catalog_only {
            let name = side.digests(0).sha1.to_string().to_ascii_uppercase();
            let path = format!("/Content/{}/{name}.cab", &name[38..]);
            assert_eq!(upstream.asked()[0].path, path);
        }
    }
}

#[test]
fn updates_by_id_and_by_article() {
    let side = Side { mirror: Mirror::new(1), payloads: vec![bytes(1, 1000)] };
    let xml = document(0, 1, &[side.digests(0)]).replace(
        "CreationDate=\"2026-01-01T00:00:00Z\" />",
        "CreationDate=\"2026-01-01T00:00:00Z\"><KBArticleID>5030219</KBArticleID></Properties>",
    );
    side.mirror.add_document(&xml);
    let plan = |which| {
        let options = DownloadOptions { which, ..options() };
        forecast(&side.mirror.catalog(), &side.fleet(), &side.content(), &options).unwrap()
    };
    assert_eq!(plan(Which::Approved).forecast.fetch, 0);
    assert_eq!(plan(Which::All).forecast.fetch, 1);
    assert_eq!(plan(Which::Kb("KB5030219".to_owned())).forecast.fetch, 1);
    assert_eq!(plan(Which::Updates(vec![update(0)])).forecast.fetch, 1);
    for which in [Which::Kb("4".to_owned()), Which::Updates(vec![update(9)])] {
        let none = plan(which);
        assert_eq!((none.forecast.fetch, none.problems.len()), (0, 1), "{none:?}");
    }
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
