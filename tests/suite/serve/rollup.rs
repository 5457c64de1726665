//! What downstream servers report.

use std::{fs, net::SocketAddr};

use jiff::{SignedDuration, Timestamp};
use tidegate::{
    fleet::{DOWNSTREAMS_KEPT, Downstream as Known},
    protocol::{
        DateTime,
        rollup::{
            ChangedComputer, ClientActivity, ClientSummary, ComputerDetails, ComputerStatus,
            DownstreamServer, GetOutOfSyncComputers, GetRollupConfiguration, LastRollupNumber,
            REPORTING_PATH, RollupChange, RollupComputer, RollupComputerStatus, RollupComputers,
            RollupDownstreamServers, ServerSummary, SummarizationState, UpdateStatus,
        },
        server_sync::{AnswerError, Operation as _, ServerSyncFilter},
    },
    update::{UpdateId, UpdateIdentity},
};
use uuid::Uuid;

use super::{
    Running, Site, documents,
    downstream::{DSS, Downstream, ask, cookie_for},
};
use crate::support::{http::post, real_data::real_data};

const BELOW: Uuid = Uuid::from_u128(2);

fn at(minutes: i64) -> DateTime {
    let noon: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    DateTime(noon + SignedDuration::from_mins(minutes))
}

/// A clock that agrees with the server's.
fn now() -> DateTime {
    DateTime(Timestamp::now())
}

fn report(id: Uuid, parent: Uuid, rollup: i64) -> DownstreamServer {
    let activity = ClientActivity {
        identity: UpdateIdentity { id: UpdateId(Uuid::from_u128(7)), revision: 101 },
        succeeded: 2,
        failed: 1,
    };
    DownstreamServer {
        id,
        name: format!("dss-{}.example", id.as_u128()),
        last_sync: Some(at(-5)),
        parent,
        version: "10.0.26100.1".to_owned(),
        replica: id == BELOW,
        last_rollup: Some(at(rollup)),
        summary: ServerSummary { updates: 42, ..ServerSummary::default() },
        clients: vec![ClientSummary { count: 3, activity: vec![activity], ..Default::default() }],
    }
}

fn send(address: SocketAddr, servers: Vec<DownstreamServer>) -> Result<(), AnswerError> {
    ask(address, &RollupDownstreamServers { client_time: now(), servers })
}

fn known(site: &Site, id: Uuid) -> Option<Known> {
    site.fleet().downstreams().unwrap().into_iter().find(|server| server.id == id)
}

#[test]
fn servers_are_kept_with_what_they_report() {
    let site = documents::site();
    let server = Running::new(&site);
    let config = ask(server.address, &GetRollupConfiguration).unwrap();
    assert!(config.detailed);
    assert_eq!(ask(server.address, &GetRollupConfiguration).unwrap(), config, "it stands");

    // Children before the server itself, which is known since it shook hands.
    let child = report(BELOW, DSS, 0);
    assert!(send(server.address, vec![child.clone()]).is_err(), "its parent is not known");
    let dss = Downstream::new(server.address);
    let (anchor, _) = dss.list(ServerSyncFilter::default()).unwrap();
    send(server.address, vec![child, report(DSS, Uuid::nil(), 0)]).unwrap();
    let kept = known(&site, DSS).unwrap();
    assert_eq!(
        (kept.parent, kept.replica, kept.protocol.as_deref()),
        (None, Some(false), Some("1.20"))
    );
    assert_eq!((kept.last_sync, kept.last_rollup), (Some(at(-5).0), Some(at(0).0)));
    let told: u64 = anchor.split_once(',').unwrap().0.parse().unwrap();
    assert_eq!((kept.updates, kept.categories), (Some(told), None));
    assert_eq!(kept.summary.unwrap()["updates"], 42);
    let below = known(&site, BELOW).unwrap();
    assert_eq!((below.parent, below.replica), (Some(DSS), Some(true)));

    // An older report changes nothing, a newer one does; installations add up.
    let renamed = |minutes| DownstreamServer {
        name: "other.example".to_owned(),
        ..report(DSS, Uuid::nil(), minutes)
    };
    send(server.address, vec![renamed(-1)]).unwrap();
    assert_eq!(known(&site, DSS).unwrap().name, "dss-1.example");
    send(server.address, vec![renamed(1)]).unwrap();
    assert_eq!(known(&site, DSS).unwrap().name, "other.example");
    let activity = site.fleet().downstream_activity(DSS).unwrap();
    assert_eq!(activity.len(), 1);
    assert_eq!((activity[0].succeeded, activity[0].failed), (4, 2));

    // One report in several parts, since it had too many summaries for one.
    let part = |version: i32| {
        let mut part = report(DSS, Uuid::nil(), 2);
        part.clients[0].os_version[0] = version;
        part
    };
    send(server.address, vec![part(6), part(10)]).unwrap();
    send(server.address, vec![part(11)]).unwrap();
    let clients = known(&site, DSS).unwrap().clients.unwrap();
    assert_eq!(clients.as_array().unwrap().len(), 3, "{clients}");
    let many = (0..=config.servers_batch).map(|_| part(1)).collect();
    assert!(send(server.address, many).is_err(), "more than fit");
}

fn computer(id: &str, server: Uuid, synced: i64, details: bool) -> RollupComputer {
    let details = details.then(|| ComputerDetails {
        name: Some(format!("{id}.example")),
        os_version: [10, 0, 26100, 0, 0],
        ..ComputerDetails::default()
    });
    RollupComputer {
        id: id.to_owned(),
        last_sync: Some(at(synced)),
        last_sync_result: 1,
        last_reboot: None,
        last_report: Some(at(synced)),
        last_inventory: None,
        parent: server,
        details,
    }
}

fn status(
    id: &str,
    number: i32,
    full: bool,
    states: &[(u128, SummarizationState, i64)],
) -> RollupComputerStatus {
    let updates = states.iter().map(|(n, state, minutes)| UpdateStatus {
        update: UpdateId(Uuid::from_u128(*n)),
        state: *state,
        changed: Some(at(*minutes)),
    });
    let computer = ComputerStatus {
        instance: Uuid::new_v4(),
        computer: id.to_owned(),
        last_detection: Some(at(0)),
        number,
        full,
        updates: updates.collect(),
    };
    RollupComputerStatus { client_time: now(), parent: DSS, computers: vec![computer] }
}

#[test]
fn computers_and_their_states_are_kept() {
    let site = documents::site();
    let server = Running::new(&site);
    let send = |computers| ask(server.address, &RollupComputers { client_time: now(), computers });
    let changed = |id: &str, change| vec![ChangedComputer { id: id.to_owned(), change }];
    assert!(send(vec![computer("pc-1", DSS, 0, true)]).is_err(), "its server is not known");
    let _dss = Downstream::new(server.address);
    super::rollup::send(server.address, vec![report(BELOW, DSS, 0)]).unwrap();

    // Without details a new computer is asked for again.
    assert_eq!(
        send(vec![computer("pc-1", DSS, 0, false)]).unwrap(),
        changed("pc-1", RollupChange::NewParent)
    );
    assert_eq!(send(vec![computer("pc-1", DSS, 0, true)]).unwrap(), []);
    assert_eq!(send(vec![computer("PC-1", DSS, 1, false)]).unwrap(), []);
    let kept = &site.fleet().downstream_computers().unwrap()[0];
    assert_eq!((kept.server, kept.last_sync), (DSS, Some(at(1).0)));
    assert_eq!(kept.details["name"], "pc-1.example");
    assert!(site.fleet().computers().unwrap().is_empty(), "it does not come here itself");

    // States: first all, then what changed; the later of two counts.
    use SummarizationState::{Failed, Installed, NotInstalled, NothingToDo};
    let ask_status = |request: &RollupComputerStatus| ask(server.address, request).unwrap();
    let count = |n: u128| site.fleet().downstream_compliance(UpdateId(Uuid::from_u128(n))).unwrap();
    let full = [(7, NotInstalled, 0), (8, Installed, 0), (9, NothingToDo, 0)];
    assert!(ask_status(&status("pc-1", 1, true, &full)));
    assert_eq!((count(7), count(9)), (vec![("needed".to_owned(), 1)], vec![]));
    ask_status(&status("pc-1", 2, false, &[(7, Installed, 5), (8, Failed, -5)]));
    assert_eq!(count(7), [("installed".to_owned(), 1)]);
    assert_eq!(count(8), [("installed".to_owned(), 1)], "older than what is known");
    ask_status(&status("pc-1", 3, true, &[(8, Failed, 9)]));
    assert_eq!((count(7), count(8)), (vec![], vec![("failed".to_owned(), 1)]));
    ask_status(&status("pc-2", 1, true, &[(8, Failed, 9)]));
    assert_eq!(count(8), [("failed".to_owned(), 1)], "nobody knows that computer");

    // Who lost count?
    let lost = |number, parent| {
        let computer = |id: &str, number| LastRollupNumber { computer: id.to_owned(), number };
        let computers = vec![computer("pc-1", number), computer("pc-2", 1)];
        ask(server.address, &GetOutOfSyncComputers { parent, computers }).unwrap()
    };
    assert_eq!(lost(3, DSS), Vec::<String>::new());
    assert_eq!(lost(2, DSS), ["pc-1"]);
    assert_eq!(lost(2, Uuid::from_u128(77)), Vec::<String>::new());

    // It goes to another server: that one is asked for details, the old one told to forget it.
    assert_eq!(
        send(vec![computer("pc-1", BELOW, 9, false)]).unwrap(),
        changed("pc-1", RollupChange::NewParent)
    );
    assert_eq!(send(vec![computer("pc-1", BELOW, 9, true)]).unwrap(), []);
    assert_eq!(count(8), [], "what the other server said of it is gone");
    assert_eq!(lost(0, DSS), Vec::<String>::new(), "0 is what is known of it");
    assert_eq!(
        send(vec![computer("pc-1", DSS, 5, true)]).unwrap(),
        changed("pc-1", RollupChange::Deleted)
    );
    // And then it comes here itself.
    site.fleet().introduce("pc-1", "pc-1", None, Timestamp::now()).unwrap();
    site.fleet().contact("pc-1", tidegate::fleet::Contact::Synced, Timestamp::now()).unwrap();
    assert_eq!(
        send(vec![computer("pc-1", BELOW, 10, true)]).unwrap(),
        changed("pc-1", RollupChange::Deleted)
    );
    let many = (0..=1000).map(|n| computer(&n.to_string(), DSS, 0, false)).collect();
    assert!(send(many).is_err(), "more than fit");
}

#[test]
fn a_first_report_may_tell_of_every_update_that_there_is() {
    let site = documents::site();
    let server = Running::new(&site);
    let _dss = Downstream::new(server.address);
    let computers = vec![computer("pc-1", DSS, 0, true)];
    ask(server.address, &RollupComputers { client_time: now(), computers }).unwrap();
    // Nearly all of it does not concern the computer.
    let states: Vec<_> = (1..=60_000)
        .map(|n| match n % 10 {
            0 => (n, SummarizationState::Installed, 0),
            _ => (n, SummarizationState::NothingToDo, 0),
        })
        .collect();
    let report = status("pc-1", 1, true, &states);
    assert!(report.message().len() > 10_000_000, "over the usual bound of a request");
    assert!(ask(server.address, &report).unwrap());
    let last = UpdateId(Uuid::from_u128(60_000));
    assert_eq!(site.fleet().downstream_compliance(last).unwrap(), [("installed".to_owned(), 1)]);
    // The other services keep theirs.
    let path = format!("/{}", tidegate::protocol::server_sync::SERVER_SYNC_PATH);
    let reply = post(server.address, &path, report.message().as_bytes(), &[]);
    assert_eq!(reply.status, 413);
}

#[test]
fn a_clock_that_is_wrong_is_put_right() {
    let site = documents::site();
    let server = Running::new(&site);
    let hour = SignedDuration::from_hours(1);
    let wrong = DateTime(Timestamp::now() - hour);
    let reported = DownstreamServer { last_sync: Some(wrong), ..report(DSS, Uuid::nil(), 0) };
    let servers = vec![reported];
    ask(server.address, &RollupDownstreamServers { client_time: wrong, servers }).unwrap();
    let last_sync = known(&site, DSS).unwrap().last_sync.unwrap();
    let off = last_sync.duration_since(wrong.0) - hour;
    assert!(off.abs() < SignedDuration::from_secs(50), "{off:?}");
    // A little is no error.
    let little = DateTime(Timestamp::now() - SignedDuration::from_secs(20));
    let servers = vec![report(BELOW, Uuid::nil(), 0)];
    ask(server.address, &RollupDownstreamServers { client_time: little, servers }).unwrap();
    assert_eq!(known(&site, BELOW).unwrap().last_sync, Some(at(-5).0));
}

#[test]
fn only_listed_servers_are_welcome_where_there_is_a_list() {
    let site = documents::site();
    let server = Running::with(&site, |options| options.downstreams = Some(vec![DSS]));
    cookie_for(server.address, DSS, "1.20").unwrap();
    assert!(cookie_for(server.address, BELOW, "1.20").is_err());
    assert!(send(server.address, vec![report(BELOW, Uuid::nil(), 0)]).is_err());
    send(server.address, vec![report(BELOW, DSS, 0), report(DSS, Uuid::nil(), 0)]).unwrap();
    assert!(known(&site, BELOW).is_some(), "below one that is in the list");
}

#[test]
fn strangers_do_not_fill_the_fleet() {
    let site = documents::site();
    let server = Running::new(&site);
    let dss = Downstream::new(server.address);
    dss.list(ServerSyncFilter::default()).unwrap();
    cookie_for(server.address, Uuid::nil(), "1.20").unwrap();
    assert!(known(&site, Uuid::nil()).is_none(), "everybody's id is nobody's");
    let mut fleet = site.fleet();
    let now = Timestamp::now();
    for n in 10..u128::from(DOWNSTREAMS_KEPT) + 200 {
        assert!(fleet.note_downstream(Uuid::from_u128(n), "stranger", now).unwrap());
    }
    let all = fleet.downstreams().unwrap();
    assert_eq!(all.len(), usize::try_from(DOWNSTREAMS_KEPT).unwrap());
    assert!(all.iter().any(|server| server.id == DSS), "one that synchronized stays");
}

/// The specification's own messages.
#[test]
fn the_samples_of_the_specification_are_taken() {
    let Some(real) = real_data() else { return };
    let site = documents::site();
    let server = Running::new(&site);
    let folder = real.join("protocol/examples-server-sync");
    let path = format!("/{REPORTING_PATH}");
    for name in ["08-GetRollupConfiguration", "09-RollupDownstreamServers"] {
        let request = fs::read(folder.join(format!("{name}-request.xml"))).unwrap();
        let reply = post(server.address, &path, &request, &[]);
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let sample = known(&site, Uuid::from_u128(0x050c_ee4a_aaff_470c_8fc3_7a94_cb3a_4293)).unwrap();
    assert_eq!((sample.replica, sample.last_sync), (Some(true), None));
    assert_eq!(sample.version.as_deref(), Some("3.0.6000.354"));
}
