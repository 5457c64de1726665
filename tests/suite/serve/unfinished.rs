//! An import that ends between the switch of the catalogue and the policy: agents have the old state
//! until it is finished, everybody is told, and whoever comes next finishes it.

#![cfg(unix)]

use std::{path::PathBuf, thread, time::Duration};

use rusqlite::Connection;
use tidegate::{
    error_chain::chain,
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin},
    server::view::{View, ViewOptions},
    transfer::{
        Blame, KeyRotation, check, finish_import, keys_rotate, policy_show, unfinished_import,
    },
};

use super::{
    Running,
    session::Session,
    switch::{scan, until},
};
use crate::support::{
    clock::now,
    program::{Program, messages, tidegate},
    sides::{Mirror, Site, update},
};

/// A site with snapshot 1, and the volumes of snapshots 1 and 2: the second has new keys, an update
/// more, and declines one that the first approves.
struct Scenario {
    site: Site,
    first: Vec<PathBuf>,
    second: Vec<PathBuf>,
    /// Where the second was imported without a fault.
    twin: Site,
    /// Keeps the volumes.
    _mirror: Mirror,
}

impl Scenario {
    fn new() -> Self {
        let mirror = Mirror::new(7);
        (1..4).for_each(|n| mirror.add(n, 1, &[]));
        let mut fleet = Fleet::open(&mirror.data.fleet()).unwrap();
        let mut approve = |n| {
            let (install, local) = (ApprovalAction::Install, Origin::Local);
            fleet.approve(update(n), ALL_COMPUTERS, install, None, local, now()).unwrap();
        };
        approve(1);
        approve(2);
        let first = mirror.export("plant-7").volumes;
        mirror.add(4, 1, &[]);
        approve(4);
        fleet.decline(update(1), Origin::Local, now()).unwrap();
        let all = KeyRotation { root: true, content: true, policy: true, clock_is_right: false };
        keys_rotate(&mirror.data, all, None, now()).unwrap();
        let second = mirror.export("plant-7").volumes;
        let site = Site::new("plant-7", &mirror.root);
        site.import(&first).unwrap();
        let twin = site.copy();
        twin.import(&second).unwrap();
        Self { site, first, second, twin, _mirror: mirror }
    }

    /// Sites on which the import of the second snapshot was killed after the switch and before the
    /// end of the policy, one for each step. `before` is called before the kill.
    fn killed<T>(&self, args: &[&str], mut before: impl FnMut(&Site) -> T) -> Vec<(Site, T)> {
        let mut unfinished = Vec::new();
        for at in 1.. {
            let site = self.site.copy();
            let made = before(&site);
            let mut command = tidegate(site.data.root());
            command.args(args).arg("import").args(&self.second);
            let output = command.env("TIDEGATE_KILL_AT", at.to_string()).output().unwrap();
            if output.status.success() {
                break;
            }
            assert_eq!(output.status.code(), None, "{}", messages(&output));
            if unfinished_import(&site.data).unwrap().is_some() {
                unfinished.push((site, made));
            }
        }
        assert!(unfinished.len() >= 3, "only {} steps", unfinished.len());
        unfinished
    }
}

fn sees(server: &Running) -> Vec<(i32, String)> {
    scan(&mut Session::new(server.address, "pc-1", "2.90"))
}

fn program(site: &Site) -> Program {
    Program::at(site.folder.path(), "data")
}

#[test]
fn agents_see_the_old_state_until_the_next_start_finishes_it() {
    let scenario = Scenario::new();
    let new = sees(&Running::on(&scenario.twin.data, |_| ()));
    for (site, (running, old)) in scenario.killed(&[], |site| {
        let running = Running::on(&site.data, |_| ());
        let old = sees(&running);
        (running, old)
    }) {
        assert_ne!(old, new);
        // Long enough for the server to look at the stores again and again.
        thread::sleep(Duration::from_millis(100));
        assert_eq!(sees(&running), old);
        let error = View::load(&site.data, &ViewOptions::default(), None).unwrap_err();
        let error = chain(&error);
        assert!(error.contains("snapshot 2 is not finished"), "{error}");

        let started = program(&site).serve(&[]);
        let mut session = Session::new(started.said("/address").parse().unwrap(), "pc-2", "2.90");
        assert_eq!(scan(&mut session), new);
        until(&new, || sees(&running));
        assert_eq!(site.served().lines().count(), scenario.twin.served().lines().count());
    }
}

#[test]
fn check_and_status_say_it_and_the_same_import_ends_it() {
    let scenario = Scenario::new();
    for (site, ()) in scenario.killed(&[], |_| ()) {
        let program = program(&site);
        assert_eq!(program.run(&["status"])["unfinished-import"], 2);
        assert_eq!(program.run_to(&["check"], 1)["unfinished-import"], 2);
        let report = check(&site.data, now(), false, &()).unwrap();
        assert!(report.problems[0].contains("have not taken effect yet"), "{report:?}");
        let status = tidegate(site.data.root()).arg("status").output().unwrap();
        let status = String::from_utf8_lossy(&status.stdout).into_owned();
        assert!(
            status.contains("run `tidegate import`") || status.contains("Run `tidegate import`")
        );

        let report = site.import(&scenario.second).unwrap();
        assert!(report.warnings[0].contains("had not ended"), "{report:?}");
        assert_eq!(site.served(), scenario.twin.served());
        assert!(check(&site.data, now(), false, &()).unwrap().is_good());
        assert!(program.run(&["status"])["unfinished-import"].is_null());
    }
}

/// Also one that is refused itself.
#[test]
fn any_import_finishes_it() {
    let scenario = Scenario::new();
    for (site, ()) in scenario.killed(&[], |_| ()) {
        assert_eq!(site.import(&scenario.first).unwrap_err().blame(), Blame::Refused);
        assert_eq!(site.served(), scenario.twin.served());
        assert_eq!(unfinished_import(&site.data).unwrap(), None);
    }
}

#[test]
fn a_policy_that_was_to_be_held_is_held() {
    let scenario = Scenario::new();
    let config = scenario.site.folder.path().join("hold.toml");
    std::fs::write(&config, "[import]\npolicy = \"hold\"\n").unwrap();
    for (site, ()) in scenario.killed(&["--config", config.to_str().unwrap()], |_| ()) {
        assert!(!finish_import(&site.data, now()).unwrap().is_empty());
        assert_eq!(policy_show(&site.data).unwrap().held.unwrap().snapshot, 2);
        assert_eq!(Fleet::open(&site.data.fleet()).unwrap().declined().unwrap(), []);
        assert!(check(&site.data, now(), false, &()).unwrap().is_good());
        View::load(&site.data, &ViewOptions::default(), None).unwrap();
    }
}

#[test]
fn a_policy_that_cannot_be_written_is_no_success() {
    let scenario = Scenario::new();
    let site = scenario.site.copy();
    let fleet = Connection::open(site.data.fleet()).unwrap();
    let fault = "CREATE TRIGGER fault BEFORE INSERT ON declined
                 BEGIN SELECT RAISE(ABORT, 'a fault'); END";
    fleet.execute_batch(fault).unwrap();
    for _ in 0..2 {
        let output =
            tidegate(site.data.root()).arg("import").args(&scenario.second).output().unwrap();
        let said = messages(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("snapshot 2 is here, but its approvals and declines"), "{said}");
        assert_eq!(unfinished_import(&site.data).unwrap(), Some(2));
    }
    let serve = tidegate(site.data.root()).args(["serve", "--listen", "127.0.0.1:0"]).output();
    assert_eq!(serve.unwrap().status.code(), Some(1));
    fleet.execute_batch("DROP TRIGGER fault").unwrap();
    site.import(&scenario.second).unwrap();
    assert_eq!(site.served(), scenario.twin.served());
}
