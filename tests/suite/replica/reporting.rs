//! What a downstream reports to its upstream: first to ours, then to one that says anything.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tidegate::{
    agent::ProbeOptions,
    fleet::{ALL_COMPUTERS, Event, Fleet},
    soap::Element,
    update::UpdateId,
    upstream::{RollupError, RollupReport, Source, rollup},
};
use uuid::Uuid;

use super::{
    Tidegate,
    fake::{BUILT_IN, Decisions, Fake},
    probe, sync_options,
};
use crate::support::{
    documents::samples_apart,
    upstream_fake::{SYNC, answer, fault},
};

fn report(tidegate: &Tidegate, url: &str) -> Result<Option<RollupReport>, RollupError> {
    let Source::Server(base) = Source::detect(url).unwrap() else { panic!("{url}") };
    rollup(&base, &tidegate.catalog(), &mut tidegate.fleet(), &sync_options())
}

/// Something that happened to an update on a computer.
fn event(id: i32, update: UpdateId, hresult: i32) -> Event {
    Event {
        instance: Uuid::new_v4(),
        at_target: "2026-01-01T00:00:00".to_owned(),
        namespace_id: 1,
        event_id: id,
        source_id: 101,
        update: Some((update, 200)),
        hresult,
        app_name: None,
        strings: vec![],
        misc: vec![],
        extended: json!({}),
    }
}

/// A computer that found what it needs.
fn needs(fleet: &mut Fleet, computer: &str, updates: &[UpdateId]) {
    let now = Timestamp::now();
    let ids: Vec<_> = updates.iter().map(ToString::to_string).collect();
    let inventory = Event {
        misc: vec![format!("U={}", ids.join(";"))],
        update: None,
        ..event(156, updates[0], 0)
    };
    fleet.introduce(computer, &format!("{computer}.plant"), None, now).unwrap();
    let details = json!({
        "dns_name": computer, "os_major_version": 10, "os_build_number": 22631,
        "processor_architecture": "AMD64", "manufacturer": "Tidewater", "suite_mask": 272,
    });
    fleet.register(computer, &details, now).unwrap();
    fleet.report(computer, &[inventory], now).unwrap();
}

#[test]
fn our_upstream_knows_the_servers_below_and_their_computers() {
    let (documents, payloads) = samples_apart();
    let upstream = Tidegate::new(1);
    upstream.sync(documents.path().to_str().unwrap());
    upstream.sync(payloads.path().to_str().unwrap());
    for update in upstream.deployable() {
        upstream.install(update, ALL_COMPUTERS);
    }
    let server = upstream.serve();
    let (middle, leaf) = (Tidegate::new(2), Tidegate::new(3));
    middle.synced(&server.url, &["--replica", "--payloads", "--no-report"]);
    let middle_server = middle.serve();
    leaf.synced(&middle_server.url, &["--replica", "--payloads", "--no-report"]);
    let leaf_server = leaf.serve();

    // One agent at the leaf installs and reports; one at the middle needs what it cannot get.
    let options =
        ProbeOptions { download: true, install: true, report: true, ..ProbeOptions::default() };
    let agent = probe(&leaf_server, options);
    assert!(!agent.installed.is_empty());
    let updates = upstream.deployable();
    needs(&mut middle.fleet(), "pc-middle", &updates[..2]);

    // The leaf tells the middle, the middle tells the top.
    let told = leaf.synced(&middle_server.url, &[]);
    assert_eq!(told["report"]["computers"], 1, "{told}");
    assert_eq!(told["report"]["statuses"], 1, "{told}");
    let told = middle.synced(&server.url, &[]);
    assert_eq!((&told["report"]["servers"], &told["report"]["computers"]), (&2.into(), &2.into()));

    let fleet = upstream.fleet();
    let servers = fleet.downstreams().unwrap();
    let (middle_id, leaf_id) = (Uuid::from_u128(2), Uuid::from_u128(3));
    let of = |id| servers.iter().find(|server| server.id == id).unwrap();
    assert_eq!((of(middle_id).parent, of(leaf_id).parent), (None, Some(middle_id)));
    for server in [of(middle_id), of(leaf_id)] {
        assert_eq!(server.replica, Some(true));
        assert_eq!(server.version.as_deref(), Some("0.1.0"));
        assert!(server.last_sync.is_some() && server.last_rollup.is_some());
    }
    let summary = of(middle_id).summary.clone().unwrap();
    let number = updates.len();
    assert_eq!(
        (&summary["updates"], &summary["approved"], &summary["computers"], &summary["needed"]),
        (&number.into(), &number.into(), &1.into(), &2.into()),
        "{summary}"
    );
    assert_eq!(of(middle_id).clients.as_ref().unwrap()[0]["count"], 1);
    let summary = of(leaf_id).summary.clone().unwrap();
    assert_eq!((&summary["computers"], &summary["needing-files"]), (&1.into(), &0.into()));

    let computers = fleet.downstream_computers().unwrap();
    let at = |id: &str| computers.iter().find(|computer| computer.id == id).unwrap();
    assert_eq!(at("pc-middle").server, middle_id);
    assert_eq!(at("pc-middle").details["name"], "pc-middle.plant");
    assert_eq!(at("pc-middle").details["make"], "Tidewater");
    assert_eq!(at(&agent.computer_id).server, leaf_id);
    let states = |update: Uuid| fleet.downstream_compliance(UpdateId(update)).unwrap();
    let offer = agent.offered.iter().find(|offer| updates[2..].iter().any(|u| u.0 == offer.id));
    if let Some(offer) = offer {
        assert_eq!(states(offer.id), [("installed".to_owned(), 1)]);
    }
    let needed = states(updates[0].0);
    assert!(needed.iter().any(|(state, _)| state == "needed"), "{needed:?}");

    // Nothing happened: no states are told again.
    let told = middle.synced(&server.url, &[]);
    assert_eq!((&told["report"]["computers"], &told["report"]["statuses"]), (&2.into(), &0.into()));

    // A difference is told; what is not needed any more goes.
    needs(&mut middle.fleet(), "pc-middle", &updates[1..2]);
    let told = middle.synced(&server.url, &[]);
    assert_eq!(told["report"]["statuses"], 1, "{told}");
    assert_ne!(states(updates[0].0), needed);

    // Lost above: all of it is told again.
    upstream.fleet().remove_downstream(leaf_id).unwrap();
    upstream.fleet().remove_downstream(middle_id).unwrap();
    assert!(fleet.downstream_computers().unwrap().is_empty());
    let told = middle.synced(&server.url, &[]);
    assert_eq!((&told["report"]["computers"], &told["report"]["statuses"]), (&2.into(), &2.into()));
    assert_eq!(fleet.downstream_computers().unwrap(), {
        let mut again = fleet.downstream_computers().unwrap();
        again.sort_by(|a, b| a.id.cmp(&b.id));
        again
    });
    assert_eq!(fleet.downstream_computers().unwrap().len(), 2);
    // Not if it is told not to.
    let told = middle.synced(&server.url, &["--no-report"]);
    assert!(told.get("report").is_none(), "{told}");
}

/// The configuration that a server answers: batch sizes for summaries, computers, numbers, statuses.
fn configuration(detailed: bool, reset: u128, sizes: [usize; 4]) -> String {
    let [servers, computers, numbers, statuses] = sizes;
    format!(
        "<DoDetailedRollup>{detailed}</DoDetailedRollup><RollupResetGuid>{}</RollupResetGuid><ServerId>{}</ServerId><RollupDownstreamServersMaxBatchSize>{servers}</RollupDownstreamServersMaxBatchSize><RollupComputersMaxBatchSize>{computers}</RollupComputersMaxBatchSize><GetOutOfSyncComputersMaxBatchSize>{numbers}</GetOutOfSyncComputersMaxBatchSize><RollupComputerStatusMaxBatchSize>{statuses}</RollupComputerStatusMaxBatchSize>",
        Uuid::from_u128(reset),
        Uuid::from_u128(77)
    )
}

/// What a server answers in its reporting service, and what it heard.
#[derive(Default)]
struct Service {
    configuration: String,
    /// Inside of the result of the next RollupComputers.
    changed: Vec<String>,
    lacking: String,
    /// So many times it is busy.
    busy: usize,
    fault_at: Option<&'static str>,
    heard: Vec<Element>,
}

fn service(fake: &Fake, configuration: String) -> Arc<Mutex<Service>> {
    let service = Arc::new(Mutex::new(Service { configuration, ..Service::default() }));
    let own = Arc::clone(&service);
    *fake.hook.lock().unwrap() = Some(Box::new(move |name, operation| {
        let mut service = own.lock().unwrap();
        if service.fault_at == Some(name) {
            return Some(fault("InternalServerError", "not today"));
        }
        let inside = match name {
            "GetRollupConfiguration" => service.configuration.clone(),
            "RollupDownstreamServers" => String::new(),
            "RollupComputers" => service.changed.pop().unwrap_or_default(),
            "GetOutOfSyncComputers" => service.lacking.clone(),
            "RollupComputerStatus" => {
                let taken = service.busy == 0;
                service.busy = service.busy.saturating_sub(1);
                taken.to_string()
            }
            _ => return None,
        };
        service.heard.push(operation.clone());
        Some(answer(name, SYNC, &inside))
    }));
    service
}

impl Service {
    fn take(&mut self, name: &str) -> Vec<Element> {
        let heard = self.heard.iter().filter(|e| &*e.name == name).cloned().collect();
        self.heard.retain(|e| &*e.name != name);
        heard
    }
}

/// Attribute of an element.
fn attribute<'a>(element: &'a Element, name: &str) -> &'a str {
    let found = element.attributes.iter().find(|attribute| &*attribute.name == name);
    &found.unwrap_or_else(|| panic!("{name}: {element:?}")).value
}

/// Computer and whether it came with details, of one RollupComputers.
fn computers(request: &Element) -> Vec<(String, bool)> {
    request
        .items("computers", "ComputerRollupInfo")
        .map(|c| (attribute(c, "ComputerId").to_owned(), c.child("Details").is_some()))
        .collect()
}

/// Computer, number, full, states with updates, of one RollupComputerStatus.
fn statuses(request: &Element) -> Vec<(String, String, bool, Vec<String>)> {
    request
        .items("computers", "ComputerStatusRollupInfo")
        .map(|c| {
            let states = c
                .items("UpdateStatus", "ComputerStatusRollupUpdateStatus")
                .map(|s| s.value("SummarizationState").unwrap().to_owned());
            (
                c.value("ComputerId").unwrap().to_owned(),
                c.value("RollupNumber").unwrap().to_owned(),
                c.value("IsFullRollup") == Some("true"),
                states.collect(),
            )
        })
        .collect()
}

#[test]
fn differences_are_told_in_batches_and_a_busy_server_is_waited_for() {
    let fake = Fake::new(Decisions {
        anchor: "a".to_owned(),
        groups: BUILT_IN.to_owned(),
        ..Decisions::default()
    });
    let service = service(&fake, configuration(true, 1, [1, 2, 2, 2]));
    let heard = |name: &str| service.lock().unwrap().take(name);
    let dss = Tidegate::new(2);
    dss.sync(&fake.mock.url);
    let mut fleet = dss.fleet();
    let updates: Vec<UpdateId> = (1..4).map(|n| UpdateId(Uuid::from_u128(n))).collect();
    for n in 1..=3 {
        needs(&mut fleet, &format!("pc-{n}"), &updates[..2]);
    }
    fleet
        .report(
            "pc-1",
            &[event(183, updates[0], 0), event(182, updates[1], -1), event(182, updates[1], -1)],
            Timestamp::now(),
        )
        .unwrap();
    service.lock().unwrap().busy = 2;
    // It lost the first batch's first computer.
    service.lock().unwrap().changed = vec![
        String::new(),
        String::new(),
        "<ChangedComputer ComputerId=\"PC-1\" Change=\"NewParent\" />".to_owned(),
    ];
    let done = report(&dss, &fake.mock.url).unwrap().unwrap();
    assert_eq!((done.servers, done.computers, done.statuses), (1, 3, 3), "{done:?}");

    let servers = heard("RollupDownstreamServers");
    assert_eq!(servers.len(), 1);
    let own = servers[0].items("downstreamServers", "DownstreamServerRollupInfo").next().unwrap();
    assert_eq!(own.value("ServerId"), Some(&*Uuid::from_u128(2).to_string()));
    assert_eq!(own.value("IsReplica"), Some("false"));
    let clients: Vec<_> =
        own.items("ClientSummaries", "DownstreamServerRollupClientSummary").collect();
    assert_eq!((clients.len(), clients[0].value("Count")), (1, Some("3")));
    let activity: Vec<_> = clients[0]
        .items("ActivitySummaries", "DownstreamServerRollupClientActivitySummary")
        .map(|a| (a.value("InstallSuccessCount").unwrap(), a.value("InstallFailureCount").unwrap()))
        .collect();
    assert_eq!(activity, [("1", "0"), ("0", "2")]);

    let told: Vec<_> = heard("RollupComputers").iter().map(computers).collect();
    let with = |n: u32| (format!("pc-{n}"), true);
    assert_eq!(told, [vec![with(1), with(2)], vec![with(1)], vec![with(3)]]);
    assert_eq!(heard("GetOutOfSyncComputers").len(), 2);
    let told: Vec<_> = heard("RollupComputerStatus").iter().map(statuses).collect();
    assert_eq!(told.len(), 4, "twice busy, then two batches");
    assert_eq!(told[0], told[2]);
    let ids: Vec<_> = told[0].iter().map(|told| told.0.as_str()).collect();
    assert_eq!(ids, ["pc-2", "pc-1"], "the one that was asked for again comes last");
    assert_eq!((told[0][1].1.as_str(), told[0][1].2), ("1", true));
    assert_eq!(told[0][1].3, ["4", "5"]);
    assert_eq!(told[3], [("pc-3".to_owned(), "1".to_owned(), true, vec!["2".to_owned(); 2])]);

    // Again: no details, no states, no installations.
    report(&dss, &fake.mock.url).unwrap();
    let told: Vec<_> = heard("RollupComputers").iter().flat_map(computers).collect();
    assert_eq!(told, [1, 2, 3].map(|n| (format!("pc-{n}"), false)));
    assert_eq!(heard("RollupComputerStatus"), []);
    let text = format!("{:?}", heard("RollupDownstreamServers"));
    assert!(!text.contains("InstallSuccessCount"), "{text}");

    // One computer changes: a delta with what is needed no more. Of another it lacks a report: full.
    needs(&mut fleet, "pc-2", &updates[1..3]);
    service.lock().unwrap().lacking = "<string>pc-3</string><string>nobody</string>".to_owned();
    report(&dss, &fake.mock.url).unwrap();
    let told: Vec<_> = heard("RollupComputerStatus").iter().flat_map(statuses).collect();
    let texts = |states: &[&str]| states.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        told,
        [
            ("pc-2".to_owned(), "2".to_owned(), false, texts(&["2", "0"])),
            ("pc-3".to_owned(), "2".to_owned(), true, texts(&["2", "2"])),
        ]
    );
    service.lock().unwrap().lacking.clear();

    // Deleted above: silent until it comes again.
    service.lock().unwrap().changed = vec![
        String::new(),
        "<ChangedComputer ComputerId=\"pc-2\" Change=\"Deleted\" />".to_owned(),
    ];
    report(&dss, &fake.mock.url).unwrap();
    heard("RollupComputers");
    report(&dss, &fake.mock.url).unwrap();
    let told: Vec<_> = heard("RollupComputers").iter().flat_map(computers).collect();
    assert_eq!(told, [1, 3].map(|n| (format!("pc-{n}"), false)));
    assert!(fleet.computers().unwrap().len() == 3, "here it stays");
    let later = Timestamp::now() + SignedDuration::from_secs(1);
    fleet.introduce("pc-2", "pc-2.plant", None, later).unwrap();
    report(&dss, &fake.mock.url).unwrap();
    let told: Vec<_> = heard("RollupComputers").iter().flat_map(computers).collect();
    assert!(told.contains(&("pc-2".to_owned(), true)), "{told:?}");

    // Another reset id: everything is told again.
    heard("RollupComputerStatus");
    service.lock().unwrap().configuration = configuration(true, 2, [50, 100, 100, 100]);
    report(&dss, &fake.mock.url).unwrap();
    let told: Vec<_> = heard("RollupComputers").iter().flat_map(computers).collect();
    assert_eq!(told, [1, 2, 3].map(|n| (format!("pc-{n}"), true)));
    let told: Vec<_> = heard("RollupComputerStatus").iter().flat_map(statuses).collect();
    assert!(told.len() == 3 && told.iter().all(|told| told.1 == "1" && told.2), "{told:?}");
}

#[test]
fn a_refusal_ends_the_phase_and_nothing_else() {
    let fake = Fake::new(Decisions {
        anchor: "a".to_owned(),
        groups: BUILT_IN.to_owned(),
        ..Decisions::default()
    });
    let service = service(&fake, configuration(true, 1, [1, 1, 1, 1]));
    let dss = Tidegate::new(2);
    dss.sync(&fake.mock.url);
    needs(&mut dss.fleet(), "pc-1", &[UpdateId(Uuid::from_u128(1))]);
    for operation in [
        "GetRollupConfiguration",
        "RollupDownstreamServers",
        "RollupComputers",
        "GetOutOfSyncComputers",
        "RollupComputerStatus",
    ] {
        service.lock().unwrap().fault_at = Some(operation);
        let error = report(&dss, &fake.mock.url).unwrap_err().to_string();
        assert!(error.contains(operation) && error.contains("not today"), "{error}");
        // The program goes on.
        let told = dss.synced(&fake.mock.url, &[]);
        assert!(told.get("report").is_none(), "{told}");
    }
    service.lock().unwrap().fault_at = None;
    service.lock().unwrap().busy = 1000;
    assert!(matches!(report(&dss, &fake.mock.url), Err(RollupError::Busy)));
    service.lock().unwrap().busy = 0;
    assert_eq!(report(&dss, &fake.mock.url).unwrap().unwrap().statuses, 1);

    // One that wants no details.
    service.lock().unwrap().configuration = configuration(false, 1, [1, 1, 1, 1]);
    let done = report(&dss, &fake.mock.url).unwrap().unwrap();
    assert_eq!((done.detailed, done.computers), (false, 0));
}
