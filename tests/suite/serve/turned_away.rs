//! Clients that are turned away leave a trace in `tidegate status`.

use std::{net::SocketAddr, thread, time::Duration};

use tidegate::{
    fleet::TurnedAway,
    protocol::{client, reporting, server_sync},
    server::TlsOptions,
    soap,
};
use uuid::Uuid;

use super::{
    Running, Site, documents,
    downstream::{cookie_for, cookie_of},
    session::{CLIENT, REPORTING, call, get_cookie, message},
};
use crate::support::{
    http::{Connection, get, post, request},
    pki::{Authority, Wish},
    program::{messages, run, run_json},
};

/// Waits until the fleet has this entry so often.
#[track_caller]
pub(super) fn noted(site: &Site, reason: &str, times: u64) -> TurnedAway {
    for _ in 0..600 {
        let found = site.fleet().turned_away().unwrap();
        if let Some(found) = found.iter().find(|one| one.reason == reason && one.times == times) {
            return found.clone();
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("{reason}: {:?}", site.fleet().turned_away());
}

#[test]
fn an_old_agent_is_in_status_with_its_address() {
    let site = documents::site();
    let server = Running::new(&site);
    for path in ["/selfupdate/wuident.cab", "/SelfUpdate/wuident.cab?2603", "/selfupdate/a/b.cab"] {
        assert_eq!(get(server.address, "GET", path, &[]).status, 404);
    }
    let old = noted(&site, "old-agent", 3);
    assert_eq!(old.address, "127.0.0.1");
    let status = run_json(site.data.root(), &["status"], 0);
    let entry = &status["turned-away"][0];
    assert_eq!((&entry["reason"], &entry["times"]), (&"old-agent".into(), &3.into()));
    assert_eq!(entry["address"], "127.0.0.1");
    let text = String::from_utf8(run(site.data.root(), &["status"]).stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("Turned away: 127.0.0.1, 3 times"));
    assert!(line.is_some_and(|line| line.contains("Windows 8.1 or older")), "{text}");
}

#[test]
fn whoever_else_is_turned_away_is_noted_with_the_reason() {
    let site = documents::site();
    let server =
        Running::with(&site, |options| options.downstreams = Some(vec![super::downstream::DSS]));
    let address = server.address;
    assert!(cookie_of(address, "1.20").is_ok());
    assert!(cookie_of(address, "2.0").is_err());
    noted(&site, "protocol-version", 1);
    assert!(cookie_for(address, Uuid::from_u128(7), "1.20").is_err());
    noted(&site, "not-listed", 1);

    let config = message(client::NAMESPACE, "GetConfig", "");
    let wrong = config.replace(soap::ENVELOPE, soap::ENVELOPE_12);
    assert_eq!(post(address, CLIENT, wrong.as_bytes(), &[]).status, 500);
    noted(&site, "soap-version", 1);
    let head = format!(
        "POST {CLIENT} HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: {}",
        config.len()
    );
    assert_eq!(request(address, &head, config.as_bytes()).status, 415);
    noted(&site, "encoding", 1);

    let forged = get_cookie("AAAA", "", "2026-01-01T00:00:00Z", "1.8");
    assert_eq!(call(address, CLIENT, client::NAMESPACE, "GetCookie", &forged).0, 500);
    noted(&site, "authorization", 1);
    let batch = "<computerId>nobody</computerId><clientTime>2026-01-01T00:00:00Z</clientTime>\
                 <eventBatch/>";
    let (status, _) = call(address, REPORTING, reporting::NAMESPACE, "ReportEventBatch2", batch);
    assert_eq!(status, 500, "the agent keeps the report");
    noted(&site, "unknown-computer", 1);

    // What belongs to every day is not noted: a cookie that does not hold starts a handshake.
    let stale = call(address, CLIENT, client::NAMESPACE, "SyncUpdates", "").0;
    assert_eq!(stale, 500);
    let lists = message(server_sync::NAMESPACE, "GetRevisionIdList", "");
    let path = "/ServerSyncWebService/ServerSyncWebService.asmx";
    assert_eq!(post(address, path, lists.as_bytes(), &[]).status, 500);
    // Everything before this one is written by then.
    get(address, "GET", "/selfupdate/wuident.cab", &[]);
    noted(&site, "old-agent", 1);
    assert_eq!(site.fleet().turned_away().unwrap().len(), 7);

    // Every reason has a sentence of its own.
    let output = run(site.data.root(), &["status"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("Turned away")).collect();
    assert_eq!(lines.len(), 7, "{text} {}", messages(&output));
    assert!(lines.iter().all(|line| line.rsplit(": ").next().unwrap().contains(' ')), "{text}");
}

#[test]
fn an_address_without_connections_left_and_a_failed_handshake_are_noted() {
    let site = documents::site();
    let files = Authority::new("Plant").sign(&Wish::default());
    let server = Running::with(&site, |options| {
        options.connections_per_address = 1;
        options.tls = Some(TlsOptions {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            certificate: files.certificate.clone(),
            key: files.key.clone(),
        });
    });
    // In the middle of a request: it is not closed for others.
    let mut open = Connection::open(server.address);
    open.send(
        format!(
            "POST {CLIENT} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )
        .as_bytes(),
    );
    assert_eq!(open.head().status, 100);
    let mut second = Connection::open(server.address);
    second.try_send(b"GET / HTTP/1.0\r\n\r\n");
    assert!(second.try_head().is_none(), "it was closed");
    noted(&site, "connections", 1);
    drop((open, second));

    // The one place of this address is free when the server has seen that the first connection has ended:
    // until then another one is turned away for that.
    let is_noted = || site.fleet().turned_away().unwrap().iter().any(|one| one.reason == "tls");
    for _ in 0..100 {
        let mut plain = Connection::open(server.tls.unwrap());
        plain.try_send(b"GET / HTTP/1.0\r\n\r\n");
        assert!(plain.try_head().is_none(), "that is no HTTP");
        thread::sleep(Duration::from_millis(200));
        if is_noted() {
            break;
        }
    }
    assert!(is_noted(), "{:?}", site.fleet().turned_away());
    let text = String::from_utf8(run(site.data.root(), &["status"]).stdout).unwrap();
    assert!(text.contains("all connections open that one address may have"), "{text}");
    assert!(text.contains("no TLS connection came about"), "{text}");
}
