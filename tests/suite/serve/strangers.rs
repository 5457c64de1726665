//! A stranger of another address claims and reports without end; an honest computer beside it notices nothing.

use std::net::SocketAddr;

use tidegate::{
    fleet::{Fleet, FleetBounds},
    protocol::{reporting, simple_auth},
};
use uuid::Uuid;

use super::{
    Running, documents,
    documents::{PARENT, update},
    session::{REPORTING, SIMPLE_AUTH, Session, call, error_code, message},
};
use crate::support::http::Connection;

const STRANGER: [u8; 4] = [127, 0, 0, 2];

/// Sends a message from another address than 127.0.0.1; the error code of the answer, if it is a fault.
fn call_as_stranger(
    to: SocketAddr,
    path: &str,
    namespace: &str,
    operation: &str,
    inner: &str,
) -> Option<String> {
    let body = message(namespace, operation, inner);
    let mut connection = Connection::open_from(STRANGER, to);
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: text/xml; charset=utf-8\r\n\
         SOAPAction: \"{namespace}/{operation}\"\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.send(head.as_bytes());
    connection.try_send(body.as_bytes());
    error_code(connection.answer(false).text())
}

fn batch(events: usize, text: &str) -> String {
    let event = || {
        format!(
            "<ReportingEvent><BasicData><TargetID><Sid>x</Sid></TargetID><SequenceNumber>0\
             </SequenceNumber><TimeAtTarget>2026-01-01T00:00:00Z</TimeAtTarget><EventInstanceID>{}\
             </EventInstanceID><NamespaceID>1</NamespaceID><EventID>147</EventID><SourceID>101\
             </SourceID></BasicData><ExtendedData><ReplacementStrings><string>{text}</string>\
             </ReplacementStrings></ExtendedData></ReportingEvent>",
            Uuid::new_v4()
        )
    };
    let events: String = (0..events).map(|_| event()).collect();
    format!("<clientTime>2026-01-01T00:00:00Z</clientTime><eventBatch>{events}</eventBatch>")
}

/// The honest computer reports with its cookie.
fn report(session: &Session, events: usize) {
    let inner = format!("<cookie>{}</cookie>{}", session.cookie, batch(events, "all is well"));
    let namespace = reporting::NAMESPACE;
    let (_, answer) = call(session.address, REPORTING, namespace, "ReportEventBatch", &inner);
    assert_eq!(error_code(&answer), None);
}

fn events(fleet: &Fleet, computer: &str) -> usize {
    fleet.events(computer, u32::MAX).unwrap().len()
}

#[cfg(target_os = "linux")]
#[test]
fn reports_without_end_take_nothing_from_an_honest_computer() {
    let site = documents::site();
    site.approve(update(PARENT));
    let server = Running::with(&site, |options| {
        options.bounds = FleetBounds {
            bytes_of_computer: 60_000,
            bytes_of_address: 200_000,
            ..FleetBounds::default()
        };
    });
    let to = server.address;
    let mut honest = Session::new(to, "honest", "2.50");
    report(&honest, 5);
    let large = "x".repeat(1 << 20);
    let text = "x".repeat(4000);
    for n in 0..8 {
        let id = format!("x{n}");
        // Introduced and registered from the stranger's address, as far as the fleet knows.
        let from = Some("127.0.0.2");
        site.fleet()
            .register_from(&id, &serde_json::json!({}), from, jiff::Timestamp::now())
            .unwrap();
        for content in [batch(2, &large), batch(40, &text), batch(40, &text)] {
            let inner = format!("<computerId>{id}</computerId>{content}");
            let namespace = reporting::NAMESPACE;
            let taken = call_as_stranger(to, REPORTING, namespace, "ReportEventBatch2", &inner);
            assert_eq!(taken, None);
        }
        honest.sync(&[], &[]);
    }
    report(&honest, 5);
    let fleet = site.fleet();
    assert_eq!(events(&fleet, "honest"), 10);
    let stored: usize = (0..8).map(|n| events(&fleet, &format!("x{n}"))).sum();
    assert!((1..=50).contains(&stored), "{stored} events of 4 kB in 200 kB");
    let dropped = fleet.dropped().unwrap();
    assert_eq!(
        (dropped[0].what.as_str(), dropped[0].address.as_deref()),
        ("events", Some("127.0.0.2"))
    );
}

#[cfg(target_os = "linux")]
#[test]
fn nobody_reports_for_a_computer_of_another_address_or_pushes_it_out() {
    let site = documents::site();
    site.approve(update(PARENT));
    let server = Running::with(&site, |options| {
        options.bounds = FleetBounds { computers: 20, ..FleetBounds::default() };
    });
    let to = server.address;
    let mut honest = Session::new(to, "honest", "2.50");
    report(&honest, 5);
    let forged = format!("<computerId>honest</computerId>{}", batch(40, "forged"));
    for _ in 0..3 {
        let namespace = reporting::NAMESPACE;
        let answer = call_as_stranger(to, REPORTING, namespace, "ReportEventBatch2", &forged);
        assert_eq!(answer.as_deref(), Some("RegistrationRequired"));
    }
    for n in 0..60 {
        let who = format!("<clientId>x{n}</clientId><dnsName>x{n}</dnsName>");
        let namespace = simple_auth::NAMESPACE;
        call_as_stranger(to, SIMPLE_AUTH, namespace, "GetAuthorizationCookie", &who);
    }
    honest.sync(&[], &[]);
    report(&honest, 5);
    let fleet = site.fleet();
    assert_eq!(events(&fleet, "honest"), 10);
    assert!(fleet.was_at("honest", Some("127.0.0.1")).unwrap());
    assert_eq!(fleet.computer_count().unwrap(), 20);
}
