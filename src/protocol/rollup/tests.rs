use std::convert::Infallible;

use super::*;
use crate::{
    soap::{MessageLimits, Style, body_of, read, whole},
    update::{UpdateId, UpdateIdentity},
};

/// The upstream reads what the downstream wrote.
fn read_request<O: Operation>(request: &O) -> O {
    let message = request.message();
    let body = body_of(read(message.as_bytes(), &MessageLimits::default()).unwrap()).unwrap();
    assert_eq!((&*body.name, &*body.namespace), (O::NAME, O::NAMESPACE));
    O::read(&body).unwrap()
}

/// The downstream reads what the upstream wrote.
fn back<O: Operation>(content: impl FnOnce(&mut Writer<Infallible>)) -> O::Answer {
    O::answer(whole(Style::Asmx, content).as_bytes(), &MessageLimits::default()).unwrap()
}

fn at(text: &str) -> DateTime {
    text.parse().unwrap()
}

fn server() -> DownstreamServer {
    let activity = ClientActivity {
        identity: UpdateIdentity { id: UpdateId(Uuid::from_u128(7)), revision: 101 },
        succeeded: 3,
        failed: 1,
    };
    let client = ClientSummary {
        os_version: [10, 0, 26100, 0, 0],
        os_locale: "de-DE".to_owned(),
        suite_mask: -256,
        old_product_type: 3,
        architecture: "AMD64".to_owned(),
        count: 12,
        activity: vec![activity],
        ..ClientSummary::default()
    };
    DownstreamServer {
        id: Uuid::from_u128(1),
        name: "dss <1>.example".to_owned(),
        last_sync: None,
        parent: Uuid::nil(),
        version: "10.0.26100.1".to_owned(),
        replica: true,
        last_rollup: Some(at("2026-11-23T03:28:01.894503Z")),
        summary: ServerSummary { updates: 1002, computers_up_to_date: 9, ..Default::default() },
        clients: vec![client, ClientSummary::default()],
    }
}

#[test]
fn servers_go_there_and_back() {
    let config = RollupConfiguration {
        detailed: true,
        reset: Uuid::from_u128(1),
        server: Uuid::from_u128(2),
        servers_batch: 5000,
        computers_batch: 1500,
        out_of_sync_batch: 20000,
        status_batch: 500,
    };
    assert_eq!(back::<GetRollupConfiguration>(|w| config.write(w)), config);
    read_request(&GetRollupConfiguration);
    let report = RollupDownstreamServers {
        client_time: at("2026-11-23T03:28:02Z"),
        servers: vec![server(), server()],
    };
    assert_eq!(read_request(&report), report);
    assert!(report.message().contains("<LastSyncTime>1753-01-01T00:00:00Z</LastSyncTime>"));
    back::<RollupDownstreamServers>(RollupDownstreamServers::write_answer);
}

#[test]
fn a_configuration_without_room_is_malformed() {
    let config = RollupConfiguration {
        detailed: true,
        reset: Uuid::nil(),
        server: Uuid::nil(),
        servers_batch: 0,
        computers_batch: 1,
        out_of_sync_batch: 1,
        status_batch: 1,
    };
    let text = whole(Style::Asmx, |w| config.write(w));
    assert!(GetRollupConfiguration::answer(text.as_bytes(), &MessageLimits::default()).is_err());
}

#[test]
fn versions_are_numbers_with_dots() {
    let read = |version: &str| {
        let servers = vec![DownstreamServer { version: version.to_owned(), ..server() }];
        let report = RollupDownstreamServers { client_time: at("2026-11-23T03:28:02Z"), servers };
        let message = report.message();
        let body = body_of(soap_read(&message)).unwrap();
        RollupDownstreamServers::read(&body).is_ok()
    };
    for good in ["3", "3.2", "3.2.7600.226", "10.0.26100.1"] {
        assert!(read(good), "{good}");
    }
    for bad in ["", "a", "1.2.3.4.5", "1..2", ".1", "1.2.3.45678901234567890123456789012"] {
        assert!(!read(bad), "{bad}");
    }
}

fn soap_read(message: &str) -> Element {
    read(message.as_bytes(), &MessageLimits::default()).unwrap()
}

#[test]
fn computers_are_attributes() {
    let details = ComputerDetails {
        ip_address: Some("192.0.2.7".to_owned()),
        name: Some("pc \"7\" & <8>".to_owned()),
        os_version: [10, 0, 22631, 0, 0],
        suite_mask: 256,
        bios_release: Some("2024-02-01T00:00:00Z".to_owned()),
        groups: vec![Uuid::from_u128(5)],
        requested_groups: vec!["Büro".to_owned()],
        ..ComputerDetails::default()
    };
    let computer = RollupComputer {
        id: "0d6c7d0a-pc".to_owned(),
        last_sync: Some(at("2026-11-23T01:02:03Z")),
        last_sync_result: 1,
        last_reboot: None,
        last_report: Some(at("2026-11-23T01:02:04Z")),
        last_inventory: None,
        parent: Uuid::from_u128(1),
        details: Some(details),
    };
    let bare = RollupComputer { details: None, ..computer.clone() };
    let report = RollupComputers {
        client_time: at("2026-11-23T03:28:02Z"),
        computers: vec![computer, bare],
    };
    assert_eq!(read_request(&report), report);
    let changed = vec![
        ChangedComputer { id: "a".to_owned(), change: RollupChange::Deleted },
        ChangedComputer { id: "b".to_owned(), change: RollupChange::NewParent },
    ];
    assert_eq!(back::<RollupComputers>(|w| RollupComputers::write_answer(&changed, w)), changed);
}

#[test]
fn states_go_there_and_back() {
    let request = GetOutOfSyncComputers {
        parent: Uuid::from_u128(1),
        computers: vec![LastRollupNumber { computer: "a".to_owned(), number: 3 }],
    };
    assert_eq!(read_request(&request), request);
    let answer = vec!["a".to_owned(), "b & c".to_owned()];
    let read = back::<GetOutOfSyncComputers>(|w| GetOutOfSyncComputers::write_answer(&answer, w));
    assert_eq!(read, answer);

    let states = [
        SummarizationState::NothingToDo,
        SummarizationState::NotInstalled,
        SummarizationState::Downloaded,
        SummarizationState::Installed,
        SummarizationState::Failed,
        SummarizationState::RestartPending,
    ];
    let updates = (1..).zip(states).map(|(n, state)| UpdateStatus {
        update: UpdateId(Uuid::from_u128(n)),
        state,
        changed: Some(at("2026-11-22T00:00:00Z")),
    });
    let status = ComputerStatus {
        instance: Uuid::from_u128(9),
        computer: "a".to_owned(),
        last_detection: Some(at("2026-11-23T00:00:00Z")),
        number: 4,
        full: true,
        updates: updates.collect(),
    };
    let report = RollupComputerStatus {
        client_time: at("2026-11-23T03:28:02Z"),
        parent: Uuid::from_u128(1),
        computers: vec![status],
    };
    assert_eq!(read_request(&report), report);
    for taken in [true, false] {
        let read = back::<RollupComputerStatus>(|w| RollupComputerStatus::write_answer(taken, w));
        assert_eq!(read, taken);
    }
    // Not known and not needed are both nothing to do, and so is what nobody knows yet.
    for number in [0, 1, 7, -1] {
        assert_eq!(SummarizationState::of_wire(number), SummarizationState::NothingToDo);
    }
}
