//! The counters that bounds rest on, and the table of sets of groups, say what is there whatever happens.

use jiff::SignedDuration;
use rusqlite::Connection;
use serde_json::json;
use tidegate::{
    fleet::{
        ComplianceState, ComputerReport, Event, Fleet, FleetBounds, Introduction, MissingGroup,
        ServerReport, StatusReport,
    },
    update::UpdateId,
};
use uuid::Uuid;

use crate::support::{
    clock::exactly_now,
    program::{run, run_json},
    stores,
};

/// Each counted value beside what it counts.
const COUNTED: &[(&str, &str)] = &[
    (
        "SELECT address, computers, may_go, never_scanned, bytes FROM occupied
         WHERE computers > 0 ORDER BY 1",
        "SELECT coalesce(address, ''), count(*), sum(placed <> 'administrator'),
            sum(placed <> 'administrator' AND last_sync IS NULL AND last_report IS NULL),
            sum((SELECT coalesce(sum(bytes), 0) FROM event e WHERE e.computer_id = c.computer_id)
                + 100 * (SELECT count(*) FROM compliance s WHERE s.computer_id = c.computer_id))
         FROM computer c GROUP BY 1 ORDER BY 1",
    ),
    (
        "SELECT computers, bytes FROM occupied_in_all WHERE whose = 'here'",
        "SELECT sum(computers), sum(bytes) FROM occupied",
    ),
    (
        "SELECT hex(server_id), computers, bytes FROM occupied_below ORDER BY 1",
        "SELECT hex(server_id), count(*), 80 * sum((SELECT count(*) FROM rolled_compliance s
            WHERE s.computer_id = c.computer_id)) FROM rolled_computer c GROUP BY 1 ORDER BY 1",
    ),
    (
        "SELECT computers, bytes FROM occupied_in_all WHERE whose = 'below'",
        "SELECT count(*), 80 * (SELECT count(*) FROM rolled_compliance) FROM rolled_computer",
    ),
    (
        "SELECT group_set, computers FROM group_set ORDER BY 1",
        "SELECT groups, count(*) FROM (
            SELECT group_concat(hex(group_id), ',' ORDER BY group_id) AS groups FROM membership
            GROUP BY computer_id) GROUP BY 1 ORDER BY 1",
    ),
];

fn table(db: &Connection, sql: &str) -> Vec<String> {
    let mut statement = db.prepare(sql).unwrap();
    let columns = statement.column_count();
    let line = |row: &rusqlite::Row<'_>| {
        let values = (0..columns).map(|at| format!("{:?}", row.get_ref_unwrap(at)));
        Ok(values.collect::<Vec<_>>().join(" "))
    };
    statement.query_map([], line).unwrap().collect::<Result<_, _>>().unwrap()
}

#[track_caller]
fn assert_counted(folder: &tempfile::TempDir) {
    let db = Connection::open(folder.path().join("fleet.sqlite")).unwrap();
    for (counted, counts) in COUNTED {
        assert_eq!(table(&db, counted), table(&db, counts), "{counted}");
    }
}

fn introduction(n: u64, groups: Option<&str>) -> Introduction {
    Introduction {
        id: format!("c{}", n % 40),
        dns_name: format!("c{}.example", n % 40),
        requested_group: groups.map(str::to_owned),
        address: (!n.is_multiple_of(5)).then(|| format!("192.0.2.{}", n % 7)),
    }
}

fn event(n: u64) -> Event {
    Event {
        instance: Uuid::from_u128(n.into()),
        at_target: "2026-01-02T03:04:05.678Z".to_owned(),
        namespace_id: 1,
        event_id: if n.is_multiple_of(3) { 156 } else { 147 },
        source_id: 101,
        update: None,
        hresult: 0,
        app_name: None,
        strings: vec!["x".repeat(usize::try_from(n % 900).unwrap_or_default())],
        misc: vec![format!("U={}", UpdateId(Uuid::from_u128((n % 11 + 1).into())))],
        extended: json!({}),
    }
}

fn step(fleet: &mut Fleet, n: u64, groups: &[Uuid]) {
    let now = exactly_now() + SignedDuration::from_secs((n % 100_000) as i64);
    let name = format!("c{}", n % 40);
    let at = |length: usize| usize::try_from(n).unwrap_or_default() % length;
    let group = groups[at(groups.len())];
    let server = |n: u64| Uuid::from_u128((n % 6 + 1).into());
    match n % 9 {
        0 | 1 => {
            let asked = ["A;B", "b; c", "A", "", "nowhere;A"][at(5)];
            fleet.introduce_as(&introduction(n, Some(asked)), now).unwrap();
        }
        2 => fleet.introduce_as(&introduction(n, None), now).unwrap(),
        3 | 4 => {
            let from = introduction(n, None).address;
            let _ = fleet.report_from(&name, from.as_deref(), &[event(n), event(n + 1)], now);
        }
        // What does not exist is refused.
        5 => {
            let chosen = [group];
            drop(fleet.assign(&name, &chosen[..at(2)]));
        }
        6 => drop(fleet.remove_computer(&name)),
        7 => {
            let report = ServerReport {
                id: server(n),
                name: String::new(),
                parent: None,
                version: String::new(),
                replica: false,
                last_sync: None,
                last_rollup: Some(now),
                summary: json!({}),
                clients: Vec::new(),
                activity: Vec::new(),
            };
            fleet.report_servers_from(&[report], Some("192.0.2.1"), now).unwrap();
            let computer = ComputerReport {
                id: format!("r{}", n % 13),
                server: server(n),
                last_sync: Some(now),
                last_sync_result: 1,
                last_reboot: None,
                last_report: None,
                last_inventory: None,
                details: Some(json!({})),
            };
            fleet.report_computers(&[computer], now).unwrap();
        }
        _ => {
            let updates = (0..n % 30)
                .map(|u| (UpdateId(Uuid::from_u128(u.into())), Some(ComplianceState::Needed), None))
                .collect();
            let status = StatusReport {
                computer: format!("r{}", n % 13),
                last_detection: None,
                number: 1,
                full: n.is_multiple_of(2),
                updates,
            };
            (1..7).for_each(|id| {
                fleet.report_status(server(id), std::slice::from_ref(&status), now).unwrap();
            });
        }
    }
}

#[test]
fn counters_say_what_is_there() {
    let (folder, fleet) = stores::fleet();
    let mut fleet = fleet.with_bounds(FleetBounds {
        computers: 30,
        computers_of_address: 12,
        never_scanned_of_address: 4,
        bytes_of_computer: 20_000,
        bytes_of_address: 30_000,
        bytes: 60_000,
        ..FleetBounds::default()
    });
    let groups: Vec<Uuid> =
        ["A", "B", "C"].map(|name| fleet.create_group(name, None).unwrap().id).into();
    for n in 0..900_u64 {
        // Spread, and the same each time.
        let n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n) >> 20;
        fleet
            .at_once(|fleet| {
                step(fleet, n, &groups);
                Ok::<_, tidegate::fleet::FleetError>(())
            })
            .unwrap();
    }
    assert!(!fleet.dropped().unwrap().is_empty());
    assert_counted(&folder);
    fleet.remove_group(groups[0]).unwrap();
    fleet.remove_downstream(Uuid::from_u128(2)).unwrap();
    assert_counted(&folder);
    assert_eq!(fleet.computer_count().unwrap(), fleet.computers().unwrap().len() as u64);
}

#[test]
fn states_of_computers_below_are_bounded() {
    let (folder, fleet) = stores::fleet();
    let mut fleet = fleet.with_bounds(FleetBounds { bytes: 80 * 40, ..FleetBounds::default() });
    let groups = [fleet.create_group("A", None).unwrap().id];
    for n in 0..400_u64 {
        step(&mut fleet, n * 9 + 7, &groups);
        step(&mut fleet, n * 9 + 8, &groups);
        assert_counted(&folder);
    }
    let db = Connection::open(folder.path().join("fleet.sqlite")).unwrap();
    let states: u32 =
        db.query_row("SELECT count(*) FROM rolled_compliance", [], |row| row.get(0)).unwrap();
    assert!((1..=40).contains(&states), "{states}");
    let dropped = fleet.dropped().unwrap();
    assert!(dropped.iter().any(|one| one.what == "server states"), "{dropped:?}");
}

#[test]
fn groups_that_computers_ask_for_and_that_do_not_exist_are_named() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().join("isolated");
    assert!(run(&data, &["init", "--site", "plant-7"]).status.success());
    let mut fleet = Fleet::open(&data.join("fleet.sqlite")).unwrap();
    fleet.create_group("Pilot", None).unwrap();
    for (n, asked) in (1..).zip(["Pilto;PILOT;pilto", "pilto", "Gruppe Ö; pilot", "pilot", ""]) {
        fleet.introduce_as(&introduction(n, Some(asked)), exactly_now()).unwrap();
    }
    let group = |name: &str, computers| MissingGroup { name: name.to_owned(), computers };
    let all = fleet.missing_groups().unwrap();
    assert_eq!(all.iter().map(|group| group.computers).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(all[1], group("Gruppe Ö", 1));
    assert!(all[0].name.eq_ignore_ascii_case("pilto"));
    let status = run_json(&data, &["status"], 0);
    assert_eq!(status["missing-groups"][0]["computers"], 2);
    let text = |args: &[&str]| String::from_utf8(run(&data, args).stdout).unwrap();
    assert!(text(&["status"]).contains("\"Gruppe Ö\", which 1 computer asked for"));
    assert_eq!(
        run_json(&data, &["computers", "show", "c1"], 0)["missing-groups"],
        json!(["Pilto"])
    );
    assert!(text(&["computers", "show", "c1"]).contains("not here: Pilto;"));
    fleet.create_group("gruppe ö", None).unwrap();
    fleet.create_group("PILTO", None).unwrap();
    assert_eq!(fleet.missing_groups().unwrap(), []);
}
