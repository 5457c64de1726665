//! What anybody on the network may occupy: invented computers, servers and reports push out each other, and
//! nobody else.

use jiff::SignedDuration;
use serde_json::json;
use tidegate::{
    fleet::{
        Computer, Contact, DOWNSTREAMS_KEPT, Event, Fleet, FleetBounds, FleetError, Introduction,
        ServerReport, UNASSIGNED_COMPUTERS,
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
        let id = format!("honest{n}");
        comes(&mut fleet, &id, HONEST, n);
        reports(&mut fleet, &id, HONEST, 1);
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
fn many_computers_behind_one_address_outlast_strangers_that_only_say_their_names() {
    let (_folder, mut fleet) = bounded(FleetBounds { computers: 20, ..FleetBounds::default() });
    for n in 0..15 {
        let id = format!("honest{n}");
        comes(&mut fleet, &id, HONEST, n);
        reports(&mut fleet, &id, HONEST, 1);
    }
    for n in 0..100 {
        comes(&mut fleet, &format!("x{n}"), &format!("198.51.100.{n}"), n);
    }
    let kept = names(&fleet);
    assert_eq!(kept.len(), 20);
    assert_eq!(kept.iter().filter(|name| name.starts_with("honest")).count(), 15);
    assert_eq!(fleet.dropped().unwrap()[0].times, 95);
}

#[test]
fn of_one_address_those_go_that_were_silent_longest() {
    let (_folder, mut fleet) =
        bounded(FleetBounds { computers_of_address: 3, ..FleetBounds::default() });
    for (n, id) in (0..).zip(["a", "b", "c", "d", "e"]) {
        comes(&mut fleet, id, HONEST, n);
        let at = exactly_now() + SignedDuration::from_secs(n);
        fleet.contact_from(id, Contact::Synced, Some(HONEST), at).unwrap();
        fleet.contact_from("a", Contact::Synced, Some(HONEST), at).unwrap();
    }
    assert_eq!(names(&fleet), ["a", "d", "e"]);
}

#[test]
fn where_an_administrator_placed_all_nobody_new_is_noted() {
    let bounds = FleetBounds { computers_of_address: 3, computers: 5, ..FleetBounds::default() };
    let (_folder, mut fleet) = bounded(bounds);
    for n in 0..3 {
        let id = format!("placed{n}");
        comes(&mut fleet, &id, HONEST, n);
        fleet.assign(&id, &[UNASSIGNED_COMPUTERS]).unwrap();
    }
    let new = |id: &str, address: &str| Introduction {
        id: id.to_owned(),
        dns_name: String::new(),
        requested_group: None,
        address: Some(address.to_owned()),
    };
    let refused = fleet.introduce_as(&new("new", HONEST), exactly_now());
    assert!(matches!(refused, Err(FleetError::NoRoom)), "{refused:?}");
    assert_eq!(names(&fleet).len(), 3);
    // Those that are known come as ever, and other addresses have their own room.
    fleet.introduce_as(&new("placed1", HONEST), exactly_now()).unwrap();
    for n in 0..4 {
        comes(&mut fleet, &format!("elsewhere{n}"), &format!("198.51.100.{n}"), n);
    }
    let kept = names(&fleet);
    assert_eq!(kept.len(), 5);
    assert!(kept.contains(&"elsewhere3".to_owned()), "{kept:?}");
    assert!(kept.ends_with(&["placed0", "placed1", "placed2"].map(str::to_owned)), "{kept:?}");
    // One that is known and moves to where there is no room stays counted where it was.
    fleet.introduce_as(&new("elsewhere3", HONEST), exactly_now()).unwrap();
    assert!(fleet.was_at("elsewhere3", Some("198.51.100.3")).unwrap());
}

#[test]
fn a_computer_that_moves_to_another_address_counts_there() {
    let bounds = FleetBounds {
        never_scanned_of_address: 2,
        computers_of_address: 4,
        bytes_of_address: 20_000,
        ..FleetBounds::default()
    };
    let (_folder, mut fleet) = bounded(bounds);
    for n in 0..10 {
        let own = format!("198.51.100.{n}");
        let id = format!("x{n}");
        comes(&mut fleet, &id, &own, n);
        if n >= 5 {
            reports(&mut fleet, &id, &own, 10);
        }
    }
    assert_eq!(names(&fleet).len(), 10);
    for n in 0..10 {
        comes(&mut fleet, &format!("x{n}"), STRANGER, 10 + n);
    }
    assert_eq!(names(&fleet).len(), 4, "{:?}", names(&fleet));
    let events = |id: &String| fleet.events(id, 100).unwrap().len();
    let all: usize = names(&fleet).iter().map(events).sum();
    assert!(all * 1200 <= 20_000 && all > 5, "{all}");
}

#[test]
fn a_bound_that_was_lowered_is_reached_with_those_that_come() {
    // So many that not all go for one that comes.
    for bounds in [
        FleetBounds { computers: 50, ..FleetBounds::default() },
        FleetBounds { computers_of_address: 50, ..FleetBounds::default() },
    ] {
        let (folder, fleet) = stores::fleet();
        drop(fleet);
        let path = folder.path().join("fleet.sqlite");
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute_batch(&format!(
                "WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 2500)
                 INSERT INTO computer (computer_id, dns_name, first_seen, last_seen, address)
                 SELECT 'x' || n, '', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z', '{HONEST}' FROM n"
            ))
            .unwrap();
        let mut fleet = Fleet::open(&path).unwrap().with_bounds(bounds);
        for n in 0..4 {
            comes(&mut fleet, &format!("new{n}"), HONEST, 300 + n);
        }
        assert_eq!(names(&fleet).len(), 50);
    }
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
