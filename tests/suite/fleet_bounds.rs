//! What anybody on the network may occupy: invented computers, servers and reports push out each other, and
//! nobody else.

use jiff::SignedDuration;
use serde_json::json;
use tidegate::{
    fleet::{
        Computer, DOWNSTREAMS_KEPT, Event, Fleet, FleetBounds, Introduction, ServerReport,
        UNASSIGNED_COMPUTERS,
    },
    update::UpdateId,
};
use uuid::Uuid;

use crate::support::{clock::exactly_now, stores};

const HONEST: &str = "192.0.2.1";
const STRANGER: &str = "192.0.2.66";

fn bounded(bounds: FleetBounds) -> (tempfile::TempDir, Fleet) {
    let (folder, fleet) = stores::fleet();
    (folder, fleet.with_bounds(bounds))
}

/// A computer comes, so many seconds after the first.
fn comes(fleet: &mut Fleet, id: &str, address: &str, second: i64) {
    let introduction = Introduction {
        id: id.to_owned(),
        dns_name: format!("{id}.example"),
        requested_group: None,
        address: Some(address.to_owned()),
    };
    let at = exactly_now() + SignedDuration::from_secs(second);
    fleet.introduce_as(&introduction, at).unwrap();
    fleet.register_from(id, &json!({}), Some(address), at).unwrap();
}

fn event(text: usize) -> Event {
    Event {
        instance: Uuid::new_v4(),
        at_target: "2026-01-02T03:04:05.678Z".to_owned(),
        namespace_id: 1,
        event_id: 147,
        source_id: 101,
        update: None,
        hresult: 0,
        app_name: None,
        strings: vec!["x".repeat(text)],
        misc: Vec::new(),
        extended: json!({}),
    }
}

fn reports(fleet: &mut Fleet, id: &str, address: &str, events: usize) {
    let events: Vec<Event> = (0..events).map(|_| event(1000)).collect();
    fleet.report_from(id, Some(address), &events, exactly_now()).unwrap();
}

fn names(fleet: &Fleet) -> Vec<String> {
    let mut names: Vec<String> =
        fleet.computers().unwrap().into_iter().map(|computer: Computer| computer.id).collect();
    names.sort();
    names
}

#[test]
fn invented_computers_push_out_each_other() {
    let (_folder, mut fleet) =
        bounded(FleetBounds { never_scanned_of_address: 10, ..FleetBounds::default() });
    comes(&mut fleet, "honest", HONEST, 0);
    // One behind the same address, which did more than to say its name.
    comes(&mut fleet, "neighbour", STRANGER, 0);
    reports(&mut fleet, "neighbour", STRANGER, 1);
    comes(&mut fleet, "placed", STRANGER, 0);
    fleet.assign("placed", &[UNASSIGNED_COMPUTERS]).unwrap();
    for n in 1..=50 {
        comes(&mut fleet, &format!("x{n:02}"), STRANGER, n);
    }
    let newest: Vec<String> = (41..=50).map(|n| format!("x{n}")).collect();
    let kept = [&["honest", "neighbour", "placed"].map(str::to_owned)[..], &newest].concat();
    assert_eq!(names(&fleet), kept);
    let dropped = fleet.dropped().unwrap();
    assert_eq!((dropped[0].what.as_str(), dropped[0].times), ("computers", 40));
    assert_eq!(dropped[0].address.as_deref(), Some(STRANGER));
}

#[test]
fn the_address_with_most_computers_gives_way() {
    let (_folder, mut fleet) = bounded(FleetBounds { computers: 20, ..FleetBounds::default() });
    for n in 0..5 {
        comes(&mut fleet, &format!("honest{n}"), HONEST, n);
    }
    for n in 0..40 {
        let id = format!("x{n:02}");
        comes(&mut fleet, &id, STRANGER, n);
        // They do all that a real one does.
        reports(&mut fleet, &id, STRANGER, 1);
    }
    comes(&mut fleet, "late", "192.0.2.2", 60);
    let kept = names(&fleet);
    assert_eq!(kept.len(), 20);
    assert_eq!(kept.iter().filter(|name| name.starts_with("honest")).count(), 5);
    assert!(kept.contains(&"late".to_owned()), "nobody new is refused");
}

#[test]
fn reports_are_bounded_for_a_computer_an_address_and_in_all() {
    let bounds = FleetBounds {
        bytes_of_computer: 20_000,
        bytes_of_address: 50_000,
        bytes: 90_000,
        ..FleetBounds::default()
    };
    let (_folder, mut fleet) = bounded(bounds);
    reports(&mut fleet, "honest", HONEST, 5);
    let events = |fleet: &Fleet, id: &str| fleet.events(id, u32::MAX).unwrap().len();
    reports(&mut fleet, "x1", STRANGER, 100);
    assert!((10..20).contains(&events(&fleet, "x1")), "{}", events(&fleet, "x1"));
    for n in 2..30 {
        reports(&mut fleet, &format!("x{n}"), STRANGER, 10);
    }
    let all: usize = (1..30).map(|n| events(&fleet, &format!("x{n}"))).sum();
    assert!(all * 1200 <= 50_000 && all > 20, "{all} events of the address");
    assert_eq!(events(&fleet, "x29"), 10, "the oldest go");
    // From many addresses: that which has most gives way.
    for n in 0..10 {
        reports(&mut fleet, &format!("y{n}"), &format!("198.51.100.{n}"), 4);
    }
    assert_eq!(events(&fleet, "honest"), 5);
    assert_eq!(events(&fleet, "y9"), 4);
    let what: Vec<String> = fleet.dropped().unwrap().into_iter().map(|one| one.what).collect();
    assert_eq!(what, ["events"]);
}

#[test]
fn invented_states_are_bounded_too() {
    let bounds = FleetBounds { bytes_of_address: 50_000, ..FleetBounds::default() };
    let (_folder, mut fleet) = bounded(bounds);
    let states = |fleet: &Fleet, id: &str| fleet.compliance(Some(id)).unwrap().len();
    let inventory = |updates: u128| {
        let ids: Vec<String> =
            (1..=updates).map(|n| UpdateId(Uuid::from_u128(n)).to_string()).collect();
        Event { event_id: 156, misc: vec![format!("U={}", ids.join(";"))], ..event(1) }
    };
    let mut report = |id: &str, address: &str, updates| {
        fleet.report_from(id, Some(address), &[inventory(updates)], exactly_now()).unwrap();
    };
    report("honest", HONEST, 100);
    for n in 0..10 {
        report(&format!("x{n}"), STRANGER, 200);
    }
    assert_eq!(states(&fleet, "honest"), 100);
    let all: usize = (0..10).map(|n| states(&fleet, &format!("x{n}"))).sum();
    assert!(all <= 500, "{all} states of the address");
    fleet.remove_computer("honest").unwrap();
    assert_eq!(states(&fleet, "honest"), 0);
}

#[test]
fn a_new_server_is_never_refused_because_of_invented_ones() {
    let (_folder, mut fleet) =
        bounded(FleetBounds { servers_of_address: 100, ..FleetBounds::default() });
    let report = |n: u128| ServerReport {
        id: Uuid::from_u128(n),
        name: format!("dss-{n}"),
        parent: None,
        version: "10".to_owned(),
        replica: false,
        last_sync: Some(exactly_now()),
        last_rollup: Some(exactly_now()),
        summary: json!({}),
        clients: Vec::new(),
        activity: Vec::new(),
    };
    fleet.report_servers_from(&[report(1)], Some(HONEST), exactly_now()).unwrap();
    let kept = |fleet: &Fleet| fleet.downstreams().unwrap().len();
    for n in 100..300 {
        fleet.report_servers_from(&[report(n)], Some(STRANGER), exactly_now()).unwrap();
    }
    assert_eq!(kept(&fleet), 101, "of one address");
    for n in 1000..2100_u128 {
        let address = format!("198.51.{}.{}", n / 200, n % 200);
        fleet.report_servers_from(&[report(n)], Some(&address), exactly_now()).unwrap();
    }
    assert_eq!(kept(&fleet), DOWNSTREAMS_KEPT as usize);
    fleet.report_servers_from(&[report(2)], Some("192.0.2.2"), exactly_now()).unwrap();
    assert!(fleet.downstreams().unwrap().iter().any(|server| server.name == "dss-2"));
}
