//! Strangers who invent computers, servers and reports, and an honest agent beside them that notices nothing.

use std::{sync::mpsc, thread, time::Duration};

use jiff::Timestamp;
use tidegate::{
    fleet::UNASSIGNED_COMPUTERS,
    protocol::{reporting, server_sync::ServerSyncFilter, simple_auth},
};
use uuid::Uuid;

use crate::support::program::{Program, messages, run, run_json};

use super::{
    Running, documents,
    documents::{PARENT, update},
    downstream::{Downstream, cookie_for},
    session::{REPORTING, SIMPLE_AUTH, Session, call, error_code},
};

#[test]
fn invented_computers_and_servers_are_bounded() {
    let site = documents::site();
    site.approve(update(PARENT));
    let server = Running::new(&site);
    let mut honest = Session::new(server.address, "honest", "2.50");
    honest.sync(&[], &[]);
    let dss = Downstream::new(server.address);
    dss.list(ServerSyncFilter::default()).unwrap();
    for n in 0..1200 {
        let who = format!("<clientId>x{n}</clientId><dnsName>x{n}</dnsName>");
        let namespace = simple_auth::NAMESPACE;
        call(server.address, SIMPLE_AUTH, namespace, "GetAuthorizationCookie", &who);
    }
    for n in 100..420 {
        cookie_for(server.address, Uuid::from_u128(n), "1.20").unwrap();
    }
    honest.sync(&[], &[]);
    dss.list(ServerSyncFilter::default()).unwrap();
    let fleet = site.fleet();
    let computers = fleet.computers().unwrap();
    assert!(computers.len() <= 1001, "{}", computers.len());
    assert!(computers.iter().any(|computer| computer.id == "honest"));
    let servers = fleet.downstreams().unwrap();
    assert_eq!(servers.len(), 300);
    assert!(servers.iter().any(|server| server.listed.is_some()));
    let what: Vec<String> = fleet.dropped().unwrap().into_iter().map(|one| one.what).collect();
    assert_eq!(what, ["computers", "servers"]);
    let status = run_json(site.data.root(), &["status"], 0);
    assert_eq!(status["dropped"][0]["what"], "computers");
    assert_eq!(status["dropped"][0]["address"], "127.0.0.1");
}

fn introduce(address: std::net::SocketAddr, id: &str) -> Option<String> {
    let who = format!("<clientId>{id}</clientId><dnsName>{id}</dnsName>");
    let namespace = simple_auth::NAMESPACE;
    error_code(&call(address, SIMPLE_AUTH, namespace, "GetAuthorizationCookie", &who).1)
}

#[test]
fn where_all_were_placed_a_new_computer_is_refused_and_status_says_so() {
    let site = documents::site();
    site.approve(update(PARENT));
    let server = Running::with(&site, |options| options.bounds.computers_of_address = 1);
    let mut honest = Session::new(server.address, "honest", "2.50");
    site.fleet().assign("honest", &[UNASSIGNED_COMPUTERS]).unwrap();
    assert_eq!(introduce(server.address, "new").as_deref(), Some("ServerBusy"));
    honest.sync(&[], &[]);
    Session::new(server.address, "honest", "2.50").sync(&[], &[]);
    let entry = super::turned_away::noted(&site, "no-room", 1);
    assert_eq!(entry.address, "127.0.0.1");
    let computers = site.fleet().computers().unwrap();
    assert_eq!(computers.len(), 1);
    let text = String::from_utf8(run(site.data.root(), &["status"]).stdout).unwrap();
    assert!(text.contains("1 time") && text.contains("there is no room"), "{text}");
}

#[test]
fn the_bounds_are_those_of_the_configuration() {
    let root = tempfile::tempdir().unwrap();
    let config = "[bounds]\nnever-scanned-per-address = 3\nreports-per-computer = \"1MiB\"\n";
    let program = Program::init(root.path(), "site", &["--site", "plant-7"], config);
    let server = program.serve(&[]);
    let address = server.said("/address").parse().unwrap();
    for n in 0..10 {
        assert_eq!(introduce(address, &format!("x{n}")), None);
    }
    assert_eq!(program.run(&["computers"]).as_array().unwrap().len(), 3);
    let wrong = Program::init(
        root.path(),
        "wrong",
        &["--site", "plant-7"],
        "[bounds]\nreports = \"much\"\n",
    );
    let output = wrong.command(&["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(messages(&output).contains("[bounds] reports"), "{}", messages(&output));
}

#[test]
fn reports_leave_a_part_of_the_disk_free() {
    let site = documents::site();
    let server = Running::with(&site, |options| options.report_reserve = u64::MAX);
    let mut honest = Session::new(server.address, "honest", "2.50");
    honest.sync(&[], &[]);
    let batch = format!(
        "<cookie>{}</cookie><clientTime>2026-01-01T00:00:00Z</clientTime><eventBatch/>",
        honest.cookie
    );
    let namespace = reporting::NAMESPACE;
    let (_, answer) = call(server.address, REPORTING, namespace, "ReportEventBatch", &batch);
    assert_eq!(error_code(&answer).as_deref(), Some("ServerBusy"));
    honest.sync(&[], &[]);
}

/// A report without a cookie; the error code of the answer, if it is a fault.
fn report_without_cookie(server: &Running, computer: &str) -> Option<String> {
    let batch = format!(
        "<computerId>{computer}</computerId><clientTime>2026-01-01T00:00:00Z</clientTime>\
         <eventBatch/>"
    );
    let namespace = reporting::NAMESPACE;
    error_code(&call(server.address, REPORTING, namespace, "ReportEventBatch2", &batch).1)
}

#[test]
fn a_report_without_a_cookie_counts_for_a_computer_of_that_address_only() {
    let site = documents::site();
    let server = Running::new(&site);
    Session::new(server.address, "here", "2.50");
    let mut fleet = site.fleet();
    let details = serde_json::json!({});
    let elsewhere = Some("192.0.2.7");
    fleet.register_from("elsewhere", &details, elsewhere, Timestamp::now()).unwrap();
    fleet.register("from-where", &details, Timestamp::now()).unwrap();
    let refused = Some("RegistrationRequired".to_owned());
    assert_eq!(report_without_cookie(&server, "here"), None);
    // Nothing is lost in silence: the agent keeps the report.
    for computer in ["elsewhere", "from-where", "nobody"] {
        assert_eq!(report_without_cookie(&server, computer), refused, "{computer}");
    }
    let reported = |computer: &&tidegate::fleet::Computer| computer.last_report.is_some();
    let computers = fleet.computers().unwrap();
    let reported: Vec<&str> =
        computers.iter().filter(reported).map(|one| one.id.as_str()).collect();
    assert_eq!(reported, ["here"]);
    assert!(fleet.was_at("elsewhere", elsewhere).unwrap(), "such a report moves no computer");
    // The laptop that moved introduces itself from here: its report counts then.
    Session::new(server.address, "elsewhere", "2.50");
    assert_eq!(report_without_cookie(&server, "elsewhere"), None);
}

#[test]
fn a_computer_that_moves_with_its_cookie_is_known_at_the_new_address() {
    let site = documents::site();
    let server = Running::new(&site);
    let mut laptop = Session::new(server.address, "laptop", "2.50");
    let mut fleet = site.fleet();
    let old = Some("192.0.2.7");
    let now = Timestamp::now();
    fleet.contact_from("laptop", tidegate::fleet::Contact::Seen, old, now).unwrap();
    laptop.sync(&[], &[]);
    for _ in 0..600 {
        if fleet.was_at("laptop", Some("127.0.0.1")).unwrap() {
            assert_eq!(report_without_cookie(&server, "laptop"), None);
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("the new address was never noted");
}

#[test]
fn a_scan_does_not_wait_for_a_report_that_waits() {
    let site = documents::site();
    site.approve(update(PARENT));
    let server = Running::new(&site);
    let mut honest = Session::new(server.address, "honest", "2.50");
    // Another process writes.
    let mut fleet = site.fleet();
    let (locked, is_locked) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let holder = thread::spawn(move || {
        fleet.at_once(|_| {
            locked.send(()).unwrap();
            // Until the sender is dropped.
            released.recv().unwrap_err();
            Ok::<_, tidegate::fleet::FleetError>(())
        })
    });
    is_locked.recv().unwrap();
    let (done, is_done) = mpsc::channel();
    let address = server.address;
    let newcomer = thread::spawn(move || {
        Session::new(address, "newcomer", "2.50");
        done.send(()).unwrap();
    });
    thread::sleep(Duration::from_millis(300));
    for _ in 0..20 {
        honest.sync(&[], &[]);
    }
    // While the one that has to be written still waits.
    assert!(is_done.try_recv().is_err());
    drop(release);
    holder.join().unwrap().unwrap();
    newcomer.join().unwrap();
}
