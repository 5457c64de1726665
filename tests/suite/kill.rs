//! The built program, killed with SIGKILL while it imports: run again, it finishes, and what is
//! served is what an uninterrupted run serves.

#![cfg(unix)]

use std::{
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tidegate::{
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin},
    server::{
        pack::FragmentKind,
        view::{SyncQuery, View, ViewOptions},
    },
    transfer::{SealOptions, TransferError, check, seal},
};

use crate::support::{
    clock::now,
    program::{messages, tidegate},
    sides::{Mirror, Site, bytes, copy_folder, tree, update},
};

/// Payloads in each bundle: enough steps for more than a hundred points at which to kill.
const PAYLOADS: u64 = 32;

/// A site before an import, the bundle, and a twin that has imported it without interruption.
struct Scenario {
    name: &'static str,
    site: Site,
    bundle: PathBuf,
    twin: String,
    scan: String,
    takes: Duration,
}

fn run(site: &Site, bundle: &Path, kill_at: Option<u64>) -> ExitStatus {
    let mut command = importer(site, bundle);
    if let Some(at) = kill_at {
        command.env("TIDEGATE_KILL_AT", at.to_string());
    }
    command.status().unwrap()
}

/// By SIGKILL; or by SIGABRT, when the program could not start `kill` on a machine that is busy: no
/// destructor runs either way.
fn was_killed(status: ExitStatus) -> bool {
    matches!(status.signal(), Some(6 | 9))
}

fn importer(site: &Site, bundle: &Path) -> Command {
    let mut command = tidegate(site.data.root());
    command.arg("import").arg(bundle).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn fill(mirror: &Mirror, updates: std::ops::Range<u64>) {
    for n in updates {
        let payloads: Vec<_> = (0..PAYLOADS / 4).map(|i| bytes(n * 1000 + i, 2000)).collect();
        mirror.add(u128::from(n), 1, &payloads);
    }
    let mut fleet = Fleet::open(&mirror.data.fleet()).unwrap();
    let name = format!("Group {}", fleet.groups().unwrap().len());
    let group = fleet.create_group(&name, None).unwrap().id;
    for n in 1..4 {
        let local = Origin::Local;
        fleet.approve(update(n), group, ApprovalAction::Install, None, local, now()).unwrap();
    }
    fleet
        .approve(update(2), ALL_COMPUTERS, ApprovalAction::Detect, None, Origin::Local, now())
        .unwrap();
    fleet.decline(update(4), Origin::Local, now()).unwrap();
}

/// The first import of a site, and a delta.
fn scenarios() -> Vec<Scenario> {
    let mirror = Mirror::new(7);
    fill(&mirror, 1..5);
    let first = mirror.export("plant-7").volumes.remove(0);
    mirror.withdraw(3, 1);
    fill(&mirror, 5..9);
    let delta = mirror.export("plant-7").volumes.remove(0);
    let fresh = Site::new("plant-7", &mirror.root);
    let begun = Site::new("plant-7", &mirror.root);
    begun.import(std::slice::from_ref(&first)).unwrap();
    // The mirror's folder goes when this returns; the bundles stay with the sites.
    let keep = |bundle: &Path, site: &Site| {
        let kept = site.folder.path().join("bundle.tar");
        std::fs::copy(bundle, &kept).unwrap();
        kept
    };
    [("first", fresh, first), ("delta", begun, delta)]
        .into_iter()
        .map(|(name, site, bundle)| {
            let bundle = keep(&bundle, &site);
            let twin = site.copy();
            let start = Instant::now();
            assert!(run(&twin, &bundle, None).success(), "{name}: the twin");
            let takes = start.elapsed();
            good(&twin, name);
            let served = twin.served();
            let scan = scan(&twin);
            assert!(scan.contains("Install"), "the scan sees nothing: {scan}");
            Scenario { name, bundle, twin: served, scan, takes, site }
        })
        .collect()
}

fn good(site: &Site, what: &str) {
    let report = check(&site.data, now(), false, &()).unwrap();
    assert_eq!(report.problems, Vec::<String>::new(), "{what}");
    assert_eq!(report.unnamed, 0, "{what}");
}

/// What agents of each set of groups get in a full scan, all rounds of it: everything but the ids
/// of deployments and the dates, which are each server's own.
fn scan(site: &Site) -> String {
    let view = View::load(&site.data, &ViewOptions::default(), None).unwrap();
    let fleet = Fleet::open(&site.data.fleet()).unwrap();
    let names = fleet.groups().unwrap();
    let name = |id| names.iter().find(|group| group.id == id).unwrap().name.clone();
    let mut scans = Vec::new();
    for groups in fleet.group_sets().unwrap() {
        let mut names: Vec<_> = groups.iter().map(|id| name(*id)).collect();
        names.sort();
        let mut scan = format!("{names:?}\n");
        let (mut installed, mut cached) = (Vec::new(), Vec::new());
        loop {
            let answer = view.sync(&SyncQuery {
                groups: &groups,
                installed: &installed,
                cached: &cached,
                filter: &[],
                anchor: 0,
                two_groups: true,
            });
            if answer.new.is_empty() {
                break;
            }
            for offer in answer.new {
                let id = offer.revision_id;
                let core = view.fragment(id, FragmentKind::Core).unwrap().unwrap();
                let core = String::from_utf8(core.escaped().unwrap().to_vec()).unwrap();
                let deployment = offer.deployment;
                let (action, deadline) = (deployment.action, deployment.deadline);
                scan += &format!("{id} {action:?} {deadline:?} {} {core}\n", offer.is_leaf);
                if offer.is_leaf { cached.push(id.0) } else { installed.push(id.0) }
            }
        }
        scans.push(scan);
    }
    scans.sort();
    scans.concat()
}

impl Scenario {
    /// What must hold after any kill: the stores are in order, and another run finishes the work.
    fn finishes(&self, site: &Site, what: &str) {
        if site.data.catalog().exists() {
            let report = check(&site.data, now(), false, &()).unwrap();
            let behind = |problem: &String| problem.contains("is not finished");
            assert!(report.problems.iter().all(behind), "{what}: {:?}", report.problems);
        }
        let again = run(site, &self.bundle, None);
        assert!(again.success(), "{what}: the second run ended with {again}");
        good(site, what);
        assert_eq!(site.served(), self.twin, "{what}");
        assert_eq!(scan(site), self.scan, "{what}");
        assert!(!site.data.incoming().exists(), "{what}: something is left in incoming/");
    }
}

/// At every step of an import, among them between the renames and the commit, between the commit
/// and the trust state, and between that and the policy.
#[test]
fn killed_at_every_step() {
    let scenarios = scenarios();
    let killed = AtomicU64::new(0);
    for scenario in &scenarios {
        let next = AtomicU64::new(1);
        let ended = Mutex::new(None);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::SeqCst);
                        if ended.lock().unwrap().is_some_and(|end| at >= end) {
                            return;
                        }
                        let what = format!("{} killed at step {at}", scenario.name);
                        let site = scenario.site.copy();
                        let status = run(&site, &scenario.bundle, Some(at));
                        if status.success() {
                            let mut ended = ended.lock().unwrap();
                            *ended = Some(ended.map_or(at, |end: u64| end.min(at)));
                            return;
                        }
                        assert!(was_killed(status), "{what}: {status}");
                        killed.fetch_add(1, Ordering::SeqCst);
                        scenario.finishes(&site, &what);
                    }
                });
            }
        });
    }
    let killed = killed.into_inner();
    assert!(killed >= 200, "only {killed} points were tried");
}

/// At moments that nobody has chosen.
#[test]
fn killed_from_outside_at_any_moment() {
    const MOMENTS: u32 = 30;
    for scenario in scenarios() {
        for moment in 0..MOMENTS {
            let what = format!("{} killed at moment {moment}", scenario.name);
            let site = scenario.site.copy();
            let mut child = importer(&site, &scenario.bundle).spawn().unwrap();
            thread::sleep(scenario.takes * moment / MOMENTS);
            child.kill().unwrap();
            child.wait().unwrap();
            scenario.finishes(&site, &what);
        }
    }
}

/// A killed run does not lock the next one out, but a running one does.
#[test]
fn two_imports_at_once_do_not_mix() {
    let scenario = scenarios().remove(1);
    let site = scenario.site.copy();
    let lock = std::fs::File::options()
        .write(true)
        .open(site.data.trust_state().with_file_name("lock"))
        .unwrap();
    lock.lock().unwrap();
    let before = site.served();
    assert_eq!(run(&site, &scenario.bundle, None).code(), Some(1));
    assert_eq!(site.served(), before);
    drop(lock);
    scenario.finishes(&site, "after the lock");
}

/// Sealing and packing, killed at every step: the next export has everything, and a site accepts it.
#[test]
fn an_export_killed_at_every_step() {
    let mirror = Mirror::new(7);
    fill(&mirror, 1..3);
    mirror.export("plant-7");
    fill(&mirror, 3..5);
    let mut killed = 0;
    for at in 1.. {
        let what = format!("export killed at step {at}");
        let copy = tempfile::tempdir().unwrap();
        let (data, out) = (copy.path().join("data"), copy.path().join("out"));
        copy_folder(mirror.data.root(), &data);
        let export = |kill: bool| {
            let mut command = tidegate(&data);
            command.args(["export", "--full", "--site", "plant-7"]);
            command.args(["--created", "2026-02-03T04:05:06Z", "--out"]).arg(&out);
            if kill {
                command.env("TIDEGATE_KILL_AT", at.to_string());
            }
            command.output().unwrap()
        };
        let first = export(true);
        let status = first.status;
        if !status.success() {
            assert!(was_killed(status), "{what}: {status}: {}", messages(&first));
            killed += 1;
            let again = export(false);
            assert!(again.status.success(), "{what}: {}: {}", again.status, messages(&again));
        }
        let left: Vec<String> = tree(&out).into_keys().collect();
        assert_eq!(left.len(), 1, "{what}: something is left beside the volume: {left:?}");
        let half: Vec<String> =
            tree(&data).into_keys().filter(|name| name.contains("tmp.")).collect();
        assert_eq!(half, Vec::<String>::new(), "{what}: something half-written is left");
        let site = Site::new("plant-7", &mirror.root);
        let report = site.import(&[out]).unwrap();
        assert_eq!((report.in_force, report.is_complete()), (Some(2), true), "{what}");
        good(&site, &what);
        if status.success() {
            break;
        }
    }
    assert!(killed >= 10, "only {killed} points were tried");
}

/// A disc that brings a part, and the one that makes the payload whole, killed at every step.
#[test]
fn parts_killed_at_every_step() {
    let mirror = Mirror::new(7);
    let chunk = 16 * 1024 * 1024;
    mirror.add(1, 1, &[bytes(1, chunk + 200_000), bytes(2, 2000)]);
    let options = tidegate::transfer::ExportOptions {
        volume_size: Some(16 * 1024 * 1024 + 100_000),
        ..Default::default()
    };
    let volumes = mirror.export_with("plant-7", &options).unwrap().volumes;
    let [first, last] = volumes.as_slice() else { panic!("{volumes:?}") };
    let twin = Site::new("plant-7", &mirror.root);
    twin.import(&volumes).unwrap();
    let fresh = Site::new("plant-7", &mirror.root);
    let begun = Site::new("plant-7", &mirror.root);
    assert_eq!(run(&begun, last, None).code(), Some(4));
    for (site, disc, least) in [(&fresh, last, 6), (&begun, first, 9)] {
        for at in 1.. {
            let what = format!("{} killed at step {at}", disc.display());
            let site = site.copy();
            let status = run(&site, disc, Some(at));
            if status.code().is_some() {
                assert!(at > least, "only {at} points were tried");
                break;
            }
            assert!(was_killed(status), "{what}: {status}");
            for disc in [disc, last, first] {
                assert!([Some(0), Some(4)].contains(&run(&site, disc, None).code()), "{what}");
            }
            good(&site, &what);
            assert_eq!(site.served(), twin.served(), "{what}");
            assert!(!site.data.parts().exists() && !site.data.incoming().exists(), "{what}");
        }
    }
}

/// Sealing, and putting damaged files aside, exclude an import and each other; looking does not.
#[test]
fn who_writes_writes_alone() {
    let mirror = Mirror::new(7);
    mirror.add(1, 1, &[bytes(1, 100)]);
    mirror.export("plant-7");
    let path = mirror.data.trust_state().with_file_name("lock");
    let lock = std::fs::File::options().write(true).open(path).unwrap();
    lock.lock().unwrap();
    mirror.add(2, 1, &[]);
    let busy =
        |error: TransferError| assert!(matches!(error, TransferError::Busy { .. }), "{error}");
    busy(seal(&mirror.data, now(), &SealOptions::default(), &()).unwrap_err());
    busy(check(&mirror.data, now(), true, &()).unwrap_err());
    assert!(check(&mirror.data, now(), false, &()).unwrap().is_good());
    assert_eq!(mirror.catalog().snapshots().unwrap().len(), 1);
    lock.unlock().unwrap();
    assert!(check(&mirror.data, now(), true, &()).unwrap().is_good());
    assert!(seal(&mirror.data, now(), &SealOptions::default(), &()).unwrap().new);
}
