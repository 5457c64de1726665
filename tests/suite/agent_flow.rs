//! The stand-in from handshake to report, against a small server of our own writing.

use std::sync::{Arc, Mutex};

use tidegate::agent::{Probe, ProbeEvent, ProbeOptions, ProbeReport};

use super::{
    support::agent_fake::Fake,
    support::mock::{Asked, Mock, Reply},
};

/// Serves the fake server, with `bend` between it and the agent.
pub(crate) async fn serve(bend: impl Fn(&Asked, Reply) -> Reply + Send + 'static) -> Mock {
    Mock::serve(|host| {
        let fake = Fake::new(host);
        Box::new(move |asked| bend(asked, fake.answer(asked)))
    })
    .await
}

pub(crate) fn full() -> ProbeOptions {
    ProbeOptions { download: true, install: true, seed: Some(7), ..ProbeOptions::default() }
}

pub(crate) async fn probe(mock: &Mock, options: ProbeOptions) -> ProbeReport {
    Probe::new(&mock.url, options).unwrap().run(&mut |_| {}).await.unwrap()
}

fn errors(report: &ProbeReport) -> Vec<String> {
    report
        .findings
        .iter()
        .filter(|f| f.rule != "xpress-not-offered")
        .map(|f| f.to_string())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn finds_downloads_installs_and_reports() {
    let mock = serve(|_, reply| reply).await;
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("agent.json");
    let options = ProbeOptions {
        // A folder that is not there yet is made.
        keep: Some(folder.path().join("kept").join("files")),
        state_file: Some(state.clone()),
        ..full()
    };
    let mut events = Vec::new();
    let mut agent = Probe::new(&mock.url, options.clone()).unwrap();
    let report = agent.run(&mut |event| events.push(event)).await.unwrap();
    assert_eq!(errors(&report), Vec::<String>::new());
    assert!(report.is_clean() && report.digests_ok);
    assert_eq!((report.rounds, report.updates_received, report.updates_seen), (4, 5, 5));
    let [offer] = report.offered.as_slice() else { panic!("{:?}", report.offered) };
    assert_eq!(
        (offer.id.to_string().as_str(), offer.title.as_str()),
        (crate::support::agent_fake::BUNDLE, "Sample bundle")
    );
    assert_eq!((offer.kb.as_deref(), offer.action.as_str()), (Some("5000001"), "Install"));
    let size = crate::support::agent_fake::payload().len() as u64;
    assert_eq!((offer.files, offer.bytes), (1, size));
    assert_eq!((report.downloaded_files, report.downloaded_bytes), (1, size));
    assert_eq!(report.reported, 6);
    assert!(events.contains(&ProbeEvent::Reported { events: vec![147, 156, 167, 162, 181] }));
    assert!(events.contains(&ProbeEvent::Reported { events: vec![183] }));
    assert_eq!(
        mock.operations(),
        [
            "GetConfig",
            "GetAuthorizationCookie",
            "GetCookie",
            "RegisterComputer",
            "SyncUpdates",
            "SyncUpdates",
            "SyncUpdates",
            "SyncUpdates",
            "GetExtendedUpdateInfo",
            "ReportEventBatch",
            "ReportEventBatch"
        ],
    );
    // The kept file is the payload, pieces back in order.
    let kept: Vec<_> = std::fs::read_dir(folder.path().join("kept").join("files"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with("-sample.exe"))
        .collect();
    assert_eq!(std::fs::read(&kept[0]).unwrap(), crate::support::agent_fake::payload());
    // Pieces: closed, all of them, not in order; the headers of the downloader.
    let pieces = mock.requests("Content");
    let mut ranges: Vec<_> = pieces.iter().map(Asked::range).collect();
    assert!(!ranges.is_sorted(), "{ranges:?}");
    ranges.sort_unstable();
    assert_eq!(
        ranges,
        [(0, 1_048_575), (1_048_576, 2_097_151), (2_097_152, 3_145_727), (3_145_728, 3_149_999)]
    );

    // A second scan by another process: no handshake, cached ids, nothing more to do.
    let report = Probe::new(&mock.url, options).unwrap().run(&mut |_| {}).await.unwrap();
    assert_eq!(errors(&report), Vec::<String>::new());
    assert!(report.offered.is_empty() && report.installed.is_empty() && report.needed.is_empty());
    let second = mock.operations().split_off(11);
    assert_eq!(second, ["SyncUpdates", "SyncUpdates", "ReportEventBatch"]);
    let sync = &mock.requests("SyncUpdates")[4].body;
    assert!(sync.contains("<InstalledNonLeafUpdateIDs><int>1</int><int>2</int></InstalledNonLeafUpdateIDs><OtherCachedUpdateIDs><int>3</int><int>10</int><int>11</int></OtherCachedUpdateIDs>"), "{sync}");
    let status = &mock.requests("ReportEventBatch")[2].body;
    assert!(
        status.contains(&format!(
            "<string>V={}</string>",
            crate::support::agent_fake::BUNDLE.to_uppercase()
        )),
        "{status}"
    );
    assert!(!status.contains("<string>U="), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn assume_all_sees_everything_without_rules() {
    let mock = serve(|_, reply| {
        let body = String::from_utf8(reply.body.clone()).unwrap_or_default();
        let body = body.replace("b.Processor Architecture=\"9\"", "b.Processor Architecture=\"0\"");
        if body.is_empty() { reply } else { Reply { body: body.into_bytes(), ..reply } }
    })
    .await;
    let by_rules = probe(&mock, ProbeOptions::default()).await;
    assert!(by_rules.offered.is_empty());
    assert_eq!(by_rules.updates_seen, 3);
    let all = probe(&mock, ProbeOptions { assume_all: true, ..ProbeOptions::default() }).await;
    assert_eq!((all.offered.len(), all.updates_seen), (1, 5));
    assert_eq!(errors(&all), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_payload_is_reported_as_failed() {
    let mock = serve(|asked, mut reply| {
        if asked.operation() == "Content" && asked.range().0 == 0 {
            reply.body[5] ^= 1;
        }
        reply
    })
    .await;
    let report = probe(&mock, full()).await;
    assert!(!report.digests_ok && !report.is_clean());
    assert!(report.installed.is_empty());
    assert!(report.offered[0].failure.as_deref().unwrap().contains("SHA-1"));
    let bodies: String =
        mock.requests("ReportEventBatch").into_iter().map(|asked| asked.body).collect();
    let ids: Vec<&str> =
        bodies.split("<EventID>").skip(1).map(|part| part.split('<').next().unwrap()).collect();
    assert_eq!(ids, ["147", "156", "167", "161", "181", "182"]);
    assert!(bodies.contains("<Win32HResult>-2145099774</Win32HResult>"), "0x80246002");
    assert!(bodies.contains("<ReplacementStrings><string>0x80246007</string><string>Sample bundle</string></ReplacementStrings>"));
}

/// Runs a scan where the first call of `operation` after a first, good scan gets a fault.
async fn after_fault(
    code: &'static str,
    operation: &'static str,
    bend_config: bool,
) -> (Mock, ProbeReport) {
    let armed = Arc::new(Mutex::new(false));
    let trigger = Arc::clone(&armed);
    let changed = Arc::new(Mutex::new(false));
    let mock = serve(move |asked, reply| {
        if asked.operation() == operation && std::mem::take(&mut *trigger.lock().unwrap()) {
            *changed.lock().unwrap() = bend_config;
            return Reply::fault(code);
        }
        if *changed.lock().unwrap() && asked.operation() == "GetConfig" {
            let body = String::from_utf8(reply.body.clone()).unwrap();
            return Reply { body: body.replace("03:04:05", "04:04:05").into_bytes(), ..reply };
        }
        reply
    })
    .await;
    let mut agent = Probe::new(&mock.url, ProbeOptions { report: false, ..full() }).unwrap();
    let first = agent.run(&mut |_| {}).await.unwrap();
    assert_eq!(first.installed.len(), 1);
    *armed.lock().unwrap() = true;
    let report = agent.run(&mut |_| {}).await.unwrap();
    (mock, report)
}

#[tokio::test(flavor = "multi_thread")]
async fn recovers_from_each_fault_as_an_agent_does() {
    let handshake = ["GetAuthorizationCookie", "GetCookie"];
    for (code, bend, expected) in [
        (
            "InvalidCookie",
            false,
            vec!["SyncUpdates", "GetConfig", handshake[0], handshake[1], "RefreshCache"],
        ),
        (
            "ServerChanged",
            false,
            vec!["SyncUpdates", "GetConfig", handshake[0], handshake[1], "RefreshCache"],
        ),
        ("ConfigChanged", true, vec!["SyncUpdates", "GetConfig", handshake[0], handshake[1]]),
        ("CookieExpired", false, vec!["SyncUpdates", handshake[0], handshake[1]]),
        ("RegistrationRequired", false, vec!["SyncUpdates", "RegisterComputer"]),
    ] {
        let (mock, report) = after_fault(code, "SyncUpdates", bend).await;
        let second = mock.operations().split_off(9);
        assert_eq!(second[..expected.len()], expected, "{code}");
        assert_eq!(second[expected.len()], "SyncUpdates", "{code}");
        assert_eq!(errors(&report), Vec::<String>::new(), "{code}");
        // The bundle was dropped by RefreshCache and came again; it is still installed.
        assert_eq!(report.updates_seen, 5, "{code}");
        assert!(report.offered.is_empty(), "{code}");
        if code == "CookieExpired" {
            let cookie = &mock.requests("GetCookie")[1].body;
            assert!(cookie.contains("<oldCookie><Expiration>2999-01-01T00:00:00.5Z</Expiration><EncryptedData>BBBB</EncryptedData></oldCookie>"), "{cookie}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_last_change_is_noticed() {
    let (_, report) = after_fault("InvalidCookie", "SyncUpdates", true).await;
    assert!(report.findings.iter().any(|finding| finding.rule == "config-last-change-moves"));
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_and_unknown_faults_stop_the_probe() {
    for (code, rule, message) in [
        ("InvalidCookie", "fault-endless", "again after its recovery"),
        ("InternalServerError", "fault-unexpected", "InternalServerError"),
        ("Nonsense", "fault-code-unknown", "Nonsense"),
    ] {
        let mock =
            serve(
                move |asked, reply| {
                    if asked.operation() == "SyncUpdates" { Reply::fault(code) } else { reply }
                },
            )
            .await;
        let mut agent = Probe::new(&mock.url, ProbeOptions::default()).unwrap();
        let error = agent.run(&mut |_| {}).await.unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert!(agent.report().findings.iter().any(|finding| finding.rule == rule), "{code}");
    }
}

/// As the server's log says of a full disk: computers send it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_the_server_is_too_busy_for_waits_and_the_scan_is_good() {
    let mock = serve(|asked, reply| {
        if asked.operation() == "ReportEventBatch" { Reply::fault("ServerBusy") } else { reply }
    })
    .await;
    let report = probe(&mock, full()).await;
    assert_eq!((report.reported, report.installed.len()), (0, 1));
    let found: Vec<String> = errors(&report);
    let says_so = |text: &String| text.contains("keeps the events and sends them again");
    assert!(!found.is_empty() && found.iter().all(says_so), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_cookie_that_is_refused_is_dropped() {
    let expired = Arc::new(Mutex::new(false));
    let trigger = Arc::clone(&expired);
    let mock = serve(move |asked, reply| match asked.operation().as_str() {
        "SyncUpdates" if std::mem::take(&mut *trigger.lock().unwrap()) => {
            Reply::fault("CookieExpired")
        }
        "GetCookie" if asked.body.contains("<EncryptedData>BBBB") => Reply::fault("InvalidCookie"),
        _ => reply,
    })
    .await;
    let mut agent = Probe::new(&mock.url, ProbeOptions::default()).unwrap();
    agent.run(&mut |_| {}).await.unwrap();
    *expired.lock().unwrap() = true;
    let report = agent.run(&mut |_| {}).await.unwrap();
    assert_eq!(errors(&report), Vec::<String>::new());
    let cookies = mock.requests("GetCookie");
    assert_eq!(cookies.len(), 3);
    assert!(cookies[1].body.contains("<EncryptedData>BBBB"));
    assert!(!cookies[2].body.contains("EncryptedData"));
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_compressed_answers() {
    let mock = serve(|asked, reply| {
        if asked.operation() == "Content" {
            return reply;
        }
        assert_eq!(asked.header("accept-encoding"), Some("xpress"));
        let body = tidegate::protocol::xpress::compress(&reply.body);
        Reply { body, ..reply }.with("Content-Encoding", "xpress")
    })
    .await;
    let report = probe(&mock, full()).await;
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(report.installed.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn scans_by_category_and_asks_for_a_group() {
    let mock = serve(|_, reply| reply).await;
    let options = ProbeOptions {
        categories: vec![crate::support::agent_fake::COMPANY.parse().unwrap()],
        target_group: Some("Lab & Test".into()),
        ..ProbeOptions::default()
    };
    let report = probe(&mock, options).await;
    assert_eq!(errors(&report), Vec::<String>::new());
    let scan = &mock.requests("StartCategoryScan")[0].body;
    assert!(scan.contains(
        "<requestedCategories><CategoryRelationship><IndexOfAndGroup>0</IndexOfAndGroup>"
    ));
    assert!(!scan.contains("cookie"));
    for sync in mock.requests("SyncUpdates") {
        assert!(sync.body.contains(&format!(
            "<FilterCategoryIds><CategoryIdentifier><Id>{}</Id>",
            crate::support::agent_fake::COMPANY
        )));
    }
    let auth = &mock.requests("GetAuthorizationCookie")[0].body;
    assert!(auth.contains("<targetGroupName>Lab &amp; Test</targetGroupName><dnsName>"), "{auth}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_server_is_borne_within_limits() {
    let mut options = ProbeOptions::default();
    options.limits.answer = 100_000;
    options.limits.trips = 5;
    let mock = serve(|asked, reply| match asked.operation().as_str() {
        "SyncUpdates" => Reply { body: vec![b' '; 200_000], ..reply },
        _ => reply,
    })
    .await;
    let mut agent = Probe::new(&mock.url, options.clone()).unwrap();
    let error = agent.run(&mut |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("more than 100000 bytes"), "{error}");
    assert!(agent.report().findings.iter().any(|finding| finding.rule == "body-too-large"));
    // Ever new non-leaf revisions: the scan ends after the trips that an agent makes.
    let count = Arc::new(Mutex::new(100));
    let mock = serve(move |asked, reply| {
        if asked.operation() != "SyncUpdates" {
            return reply;
        }
        let mut n = count.lock().unwrap();
        *n += 1;
        let body = String::from_utf8(reply.body.clone()).unwrap();
        let first = body.find("<NewUpdates>").unwrap_or(0);
        let page = format!("<NewUpdates><UpdateInfo><ID>{n}</ID><Deployment><ID>1</ID><Action>Evaluate</Action><IsAssigned>true</IsAssigned><LastChangeTime>2026-10-04</LastChangeTime><AutoSelect>0</AutoSelect><AutoDownload>0</AutoDownload><SupersedenceBehavior>0</SupersedenceBehavior></Deployment><IsLeaf>false</IsLeaf><Xml>&lt;UpdateIdentity UpdateID=\"c0000000-0000-4000-8000-{:012}\" RevisionNumber=\"1\" /&gt;&lt;Properties UpdateType=\"Detectoid\" /&gt;</Xml></UpdateInfo></NewUpdates>", *n);
        let end = body.find("</NewUpdates>").map_or(first, |end| end + "</NewUpdates>".len());
        let body = if first == 0 {
            body.replace("<SyncUpdatesResult>", &format!("<SyncUpdatesResult>{page}"))
        } else {
            format!("{}{page}{}", &body[..first], &body[end..])
        };
        Reply { body: body.into_bytes(), ..reply }
    })
    .await;
    let report = probe(&mock, options).await;
    assert_eq!(report.rounds, 5);
    assert!(report.findings.iter().any(|finding| finding.rule == "too-many-trips"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error =
        Probe::new(&url, ProbeOptions::default()).unwrap().run(&mut |_| {}).await.unwrap_err();
    assert!(error.to_string().contains(&url), "{error}");
}
