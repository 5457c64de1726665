//! Server and replica, both ours, over TCP: what is decided above holds below.

use std::{fs, process::Stdio, thread, time::Duration};

use jiff::Timestamp;
use tidegate::{
    agent::ProbeOptions,
    fleet::{ALL_COMPUTERS, ApprovalAction, Group, Origin},
    update::UpdateId,
};
use uuid::Uuid;

use super::{Tidegate, offered, probe};
use crate::support::{documents::samples_apart, program::messages, server::Running, sides};

/// A server with files, two groups and decisions of every kind.
fn upstream() -> (Tidegate, Group, Group, Vec<UpdateId>) {
    let (documents, payloads) = samples_apart();
    let upstream = Tidegate::new(1);
    upstream.sync(documents.path().to_str().unwrap());
    upstream.sync(payloads.path().to_str().unwrap());
    let mut fleet = upstream.fleet();
    let clients = fleet.create_group("Clients", None).unwrap();
    let pilot = fleet.create_group("Pilot", Some(clients.id)).unwrap();
    let mut updates = upstream.deployable();
    assert_eq!(updates.len(), 3, "{updates:?}");
    // One more, which no agent is offered.
    fs::write(documents.path().join("one-more.xml"), sides::document(1, 200, &[])).unwrap();
    upstream.sync(documents.path().to_str().unwrap());
    updates.push(sides::update(1));
    for update in &updates {
        upstream.install(*update, pilot.id);
    }
    (upstream, clients, pilot, updates)
}

fn decide(tidegate: &Tidegate, update: UpdateId, group: Uuid, action: ApprovalAction) {
    let deadline = "2026-12-01T20:00:00.125Z".parse().ok();
    let now = Timestamp::now();
    tidegate.fleet().approve(update, group, action, deadline, Origin::Local, now).unwrap();
}

/// What an agent is offered that asks for a group by name.
fn offers(server: &Running, group: Option<&str>) -> Vec<(String, String, u64)> {
    let report = probe(
        server,
        ProbeOptions {
            target_group: group.map(str::to_owned),
            download: true,
            report: false,
            ..ProbeOptions::default()
        },
    );
    assert!(report.digests_ok);
    offered(&report)
}

#[test]
fn a_replica_is_as_its_upstream_and_its_agents_see_the_same() {
    let (upstream, clients, pilot, updates) = upstream();
    decide(&upstream, updates[0], clients.id, ApprovalAction::Install);
    decide(&upstream, updates[1], ALL_COMPUTERS, ApprovalAction::OptionalInstall);
    decide(&upstream, updates[2], clients.id, ApprovalAction::Block);
    upstream.fleet().decline(updates[3], Origin::Local, Timestamp::now()).unwrap();
    let server = upstream.serve();
    let (replica, below) = (Tidegate::new(2), Tidegate::new(3));

    let told = replica.synced(&server.url, &["--replica", "--payloads"]);
    assert_eq!(told["replica"]["changed"], true, "{told}");
    assert!(told["download"].is_object(), "{told}");
    assert_eq!(replica.decided(), upstream.decided());
    assert_eq!(replica.decided().len(), 4 + updates.len() - 1 + 3 + 1, "{:?}", replica.decided());

    // Agents in the same group are offered the same, bytes and all.
    let replica_server = replica.serve();
    for group in [None, Some("Pilot"), Some("Clients")] {
        let above = offers(&server, group);
        assert_eq!(offers(&replica_server, group), above, "{group:?}");
        assert!(group != Some("Pilot") || above.len() >= 2, "{above:?}");
    }

    // A replica of the replica.
    below.synced(&replica_server.url, &["--replica"]);
    assert_eq!(below.decided(), upstream.decided());

    // Nothing new: nothing changes, and the flag need not be given again.
    let change = replica.fleet().change().unwrap();
    let told = replica.synced(&server.url, &[]);
    assert_eq!((&told["changed"], &told["replica"]["changed"]), (&false.into(), &false.into()));
    assert_eq!(replica.fleet().change().unwrap(), change);

    // Everything changes.
    let mut fleet = upstream.fleet();
    fleet.unapprove(updates[0], clients.id).unwrap();
    fleet.undecline(updates[3]).unwrap();
    fleet.decline(updates[2], Origin::Local, Timestamp::now()).unwrap();
    let late = fleet.create_group("Late", Some(pilot.id)).unwrap();
    decide(&upstream, updates[3], late.id, ApprovalAction::Install);
    decide(&upstream, updates[1], ALL_COMPUTERS, ApprovalAction::Install);
    let told = replica.synced(&server.url, &["--payloads"]);
    assert_eq!(told["replica"]["changed"], true, "{told}");
    assert_eq!(replica.decided(), upstream.decided());
    below.synced(&replica_server.url, &[]);
    assert_eq!(below.decided(), upstream.decided());

    // A group goes, with its approvals; its computers are unassigned.
    replica.fleet().introduce("pc-1", "pc-1", Some("Late"), Timestamp::now()).unwrap();
    fleet.remove_group(late.id).unwrap();
    replica.synced(&server.url, &[]);
    assert_eq!(replica.decided(), upstream.decided());
    let groups = replica.fleet().groups_of("pc-1").unwrap();
    assert!(groups.len() == 2 && !groups.contains(&late.id), "{groups:?}");
    below.synced(&replica_server.url, &[]);
    assert_eq!(below.decided(), upstream.decided());
    drop(replica_server);
    let replica_server = replica.serve();
    for group in [None, Some("Pilot"), Some("Clients")] {
        assert_eq!(offers(&replica_server, group), offers(&server, group), "{group:?}");
    }
}

#[test]
fn a_replica_is_killed_anywhere_and_goes_on() {
    let (upstream, clients, _, updates) = upstream();
    let server = upstream.serve();
    let replica = Tidegate::new(2);
    for round in 0..8_u64 {
        let action =
            if round % 2 == 0 { ApprovalAction::Install } else { ApprovalAction::Uninstall };
        decide(&upstream, updates[0], clients.id, action);
        let name = format!("Group {round}");
        let group = upstream.fleet().create_group(&name, Some(clients.id)).unwrap();
        upstream.install(updates[1], group.id);
        let args = ["sync", "--replica", "--allow-http", "--proxy", "none", "--from", &server.url];
        let mut child = replica.command(&args).stdout(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(15 * round * round));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    replica.synced(&server.url, &["--replica"]);
    assert_eq!(replica.decided(), upstream.decided());
    let told = replica.synced(&server.url, &["--replica"]);
    assert_eq!(told["replica"]["changed"], false, "{told}");
}

#[test]
fn the_program_says_what_a_replica_may_not() {
    let (upstream, _, _, updates) = upstream();
    let server = upstream.serve();
    let replica = Tidegate::new(2);
    let run = |args: &[&str]| replica.command(args).output().unwrap();
    let refused = |args: &[&str], code, says: &str| {
        let output = run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", messages(&output));
        assert!(messages(&output).contains(says), "{args:?}: {}", messages(&output));
    };
    refused(&["sync", "--replica", "--from", "."], 2, "--replica");
    replica.synced(&server.url, &["--replica"]);
    let status = run(&["status"]);
    let status = String::from_utf8_lossy(&status.stdout);
    assert!(status.contains(&format!("Replica of {}/", server.url)), "{status}");
    let update = updates[0].to_string();
    refused(
        &["approve", &update, "--group", "Clients"],
        1,
        &format!("this is a replica of {}/", server.url),
    );
    refused(&["approve", "--remove", &update, "--group", "Pilot"], 1, "this is a replica");
    refused(&["decline", &update], 1, "this is a replica");
    refused(&["groups", "add", "New"], 1, "this is a replica");
    refused(&["groups", "remove", "Pilot"], 1, "this is a replica");
    let other = ["sync", "--allow-http", "--from", "http://127.0.0.1:9/"];
    refused(&other, 2, &server.url);

    // Rules are not run here, whichever source comes in.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("rules.toml");
    fs::write(&config, "[rules]\nafter-sync = true\n").unwrap();
    let added = run(&["rules", "add", "All", "--title", "*", "--group", "Clients"]);
    assert!(added.status.success(), "{}", messages(&added));
    let source = folder.path().join("source");
    fs::create_dir(&source).unwrap();
    let (config, source) = (config.to_str().unwrap(), source.to_str().unwrap());
    let synced = run(&["--config", config, "sync", "--from", source]);
    assert!(synced.status.success(), "{}", messages(&synced));
    assert!(run(&["rules", "remove", "All"]).status.success());

    // Alone again: what was taken over stays, and is decided here.
    let before = replica.decided();
    let told = replica.synced(&server.url, &["--autonomous"]);
    assert!(told.get("replica").is_none(), "{told}");
    assert_eq!(replica.decided(), before);
    let output = run(&["groups", "add", "New"]);
    assert!(output.status.success(), "{}", messages(&output));
    assert!(replica.synced(&server.url, &[]).get("replica").is_none());
    assert_eq!(replica.fleet().groups().unwrap().len(), 5);
}
