//! A disk that is full: scans and downloads need no writing, reports come again.

use std::{fs, net::SocketAddr, thread, time::Duration};

use tidegate::protocol::reporting;

use super::{
    Running, Site,
    documents::{self, CHILD, PARENT, PAYLOAD, update},
    session::{REPORTING, Session, call, error_code},
};
use crate::{
    faults::preload::library,
    support::{
        http::get,
        program::{Program, Server, number, text},
    },
};

/// A site with an approved update whose file is here.
fn site() -> Site {
    let site = documents::site();
    site.approve(update(PARENT));
    site.add_payload(PAYLOAD);
    // Once with free space: afterwards everything is packed and recorded.
    drop(Running::new(&site));
    site
}

/// The program on a site, and a folder beside it.
fn program(site: &Site) -> (tempfile::TempDir, Program) {
    let root = tempfile::tempdir().unwrap();
    let mut program = Program::at(root.path(), "data");
    program.data = site.data.root().to_owned();
    (root, program)
}

/// The program on a site; the disk below its folder is full while the file exists.
fn serve(program: &Program, library: &std::path::Path, full: &std::path::Path) -> Server {
    program.serve_with(&[], |command| {
        command
            .env("LD_PRELOAD", library)
            .env("FAULTS_BELOW", &program.data)
            .env("FAULTS_FULL", full)
            .stderr(fs::File::create(full.with_extension("log")).unwrap());
    })
}

fn address(server: &Server) -> SocketAddr {
    server.said("/address").parse().unwrap()
}

/// A computer scans until it is offered something, and fetches the file.
fn scan_and_download(address: SocketAddr, computer: &str) {
    let mut session = Session::new(address, computer, "2.50");
    let mut known = Vec::new();
    while !known.contains(&CHILD) {
        let answer = session.sync(&known, &[]);
        let new = super::session::ids(&answer, "NewUpdates");
        assert!(!new.is_empty(), "{computer} was offered {known:?} only");
        known.extend(new);
    }
    let asked = format!(
        "<revisionIDs><int>{CHILD}</int></revisionIDs><infoTypes><XmlUpdateFragmentType>Extended\
         </XmlUpdateFragmentType></infoTypes>"
    );
    let info = session.with_cookie("GetExtendedUpdateInfo", &asked);
    let url = super::session::between(&info, "Url");
    let path = url.splitn(4, '/').nth(3).unwrap();
    assert_eq!(get(address, "GET", &format!("/{path}"), &[]).body, PAYLOAD);
}

/// Reports nothing; gives the error code.
fn report(address: SocketAddr, computer: &str) -> Option<String> {
    let session = Session::new(address, computer, "2.50");
    let batch = format!(
        "<cookie>{}</cookie><clientTime>2026-01-01T00:00:00Z</clientTime><eventBatch/>",
        session.cookie
    );
    error_code(&call(address, REPORTING, reporting::NAMESPACE, "ReportEventBatch", &batch).1)
}

#[test]
fn a_server_starts_on_a_full_disk() {
    let Some(library) = library() else { return };
    let site = site();
    let (root, program) = program(&site);
    let full = root.path().join("full");
    fs::write(&full, "").unwrap();
    let server = serve(&program, library, &full);
    scan_and_download(address(&server), "pc-new");
}

#[test]
fn a_server_starts_on_a_file_system_that_is_read_only() {
    let Some(library) = library() else { return };
    let site = site();
    let (root, program) = program(&site);
    let server = program.serve_with(&[], |command| {
        command
            .env("LD_PRELOAD", library)
            .env("FAULTS_BELOW", &program.data)
            .env("FAULTS_READ_ONLY", "1")
            .stderr(fs::File::create(root.path().join("log")).unwrap());
    });
    scan_and_download(address(&server), "pc-new");
    assert_eq!(report(address(&server), "pc-new").as_deref(), Some("ServerBusy"));
}

/// As after a change of the configuration: what a server keeps of itself is not there yet.
#[test]
fn a_server_that_has_something_to_note_starts_on_a_full_disk() {
    let Some(library) = library() else { return };
    let site = site();
    let database = rusqlite::Connection::open(site.data.fleet()).unwrap();
    let count = "SELECT count(*) FROM meta WHERE key IN ('cookie-key', 'server-id')";
    let count = || database.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(), 2);
    let forget = "DELETE FROM meta WHERE key IN ('cookie-key', 'server-id') OR key LIKE 'config%'";
    database.execute(forget, []).unwrap();
    let (root, program) = program(&site);
    let full = root.path().join("full");
    fs::write(&full, "").unwrap();
    let server = serve(&program, library, &full);
    scan_and_download(address(&server), "pc-new");
    assert_eq!(count(), 0);
    fs::remove_file(&full).unwrap();
    let mut left = 600;
    while count() < 2 {
        left -= 1;
        assert!(left > 0, "nothing was noted");
        thread::sleep(Duration::from_millis(100));
    }
    // The server goes by the same values.
    scan_and_download(address(&server), "pc-new");
}

#[test]
fn a_full_disk_stops_no_scan_and_what_was_said_is_noted_later() {
    let Some(library) = library() else { return };
    let site = site();
    site.fleet().introduce("pc-old", "pc-old", None, jiff::Timestamp::now()).unwrap();
    let (root, program) = program(&site);
    let full = root.path().join("full");
    let server = serve(&program, library, &full);
    let address = address(&server);
    scan_and_download(address, "pc-before");
    assert_eq!(report(address, "pc-before"), None);
    fs::write(&full, "").unwrap();
    for computer in ["pc-old", "pc-before", "pc-new"] {
        scan_and_download(address, computer);
        assert_eq!(report(address, computer).as_deref(), Some("ServerBusy"), "it comes again");
    }
    assert_eq!(get(address, "GET", "/selfupdate/wuident.cab", &[]).status, 404);
    let log = fs::read_to_string(full.with_extension("log")).unwrap();
    assert_eq!(log.matches("the fleet database cannot be written").count(), 1, "once: {log}");
    fs::remove_file(&full).unwrap();
    let mut left = 600;
    loop {
        let computers = site.fleet().computers().unwrap();
        let new = computers.iter().find(|computer| computer.id == "pc-new");
        let is_noted = new.is_some_and(|new| new.last_sync.is_some() && new.details.is_some());
        // An old agent that was turned away meanwhile is noted, too.
        if is_noted && site.fleet().turned_away().unwrap().len() == 1 {
            break;
        }
        left -= 1;
        assert!(left > 0, "pc-new was never noted: {computers:?}");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(report(address, "pc-new"), None);
    let status = program.run(&["status"]);
    assert_eq!(number(&status, "/computers"), 3);
    assert_eq!(text(&status, "/side/site"), "plant-7");
}
