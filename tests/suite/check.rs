//! `check` and `status` compare every store of a data folder with the others; a store that is lost stops
//! every command with a sentence that says so.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::{
    program::{messages, run, run_json, utf8},
    sides::{Mirror, Site, bytes, copy_folder},
};

/// A mirror that sealed three snapshots, and a site that took them in; beside each how it was after the
/// first.
struct Sides {
    mirror: Mirror,
    site: Site,
    earlier: tempfile::TempDir,
}

impl Sides {
    fn new() -> Self {
        let mirror = Mirror::new(7);
        let site = Site::new("plant-7", &mirror.root);
        let earlier = tempfile::tempdir().unwrap();
        for n in 1..=3_u32 {
            mirror.add(n.into(), 100, &[bytes(n.into(), 5000)]);
            let volumes = mirror.export("plant-7").volumes;
            site.import(&volumes).unwrap();
            if n == 1 {
                copy_folder(mirror.data.root(), &earlier.path().join("mirror"));
                copy_folder(site.data.root(), &earlier.path().join("site"));
            }
        }
        Self { mirror, site, earlier }
    }
}

/// What `check` says; it ends with 1 if there is anything.
fn problems(data: &Path) -> Vec<String> {
    let output = run(data, &["--json", "check"]);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", messages(&output)));
    let problems: Vec<String> = serde_json::from_value(report["problems"].clone()).unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!problems.is_empty())), "{problems:?}");
    problems
}

/// What `status` says is wrong.
fn status(data: &Path) -> Vec<String> {
    serde_json::from_value(run_json(data, &["status"], 0)["problems"].clone()).unwrap()
}

#[test]
fn stores_that_belong_together_have_no_problem() {
    let sides = Sides::new();
    for data in [sides.mirror.data.root(), sides.site.data.root()] {
        assert_eq!(problems(data), Vec::<String>::new());
        assert_eq!(status(data), Vec::<String>::new());
    }
}

#[test]
fn a_lost_or_empty_database_stops_every_command() {
    let sides = Sides::new();
    for root in [sides.mirror.data.root(), sides.site.data.root()] {
        for name in ["catalog.sqlite", "fleet.sqlite"] {
            for empty in [true, false] {
                let folder = tempfile::tempdir().unwrap();
                let data = folder.path().join("data");
                copy_folder(root, &data);
                for part in ["-wal", "-shm", ""] {
                    let _ = fs::remove_file(data.join(format!("{name}{part}")));
                }
                if empty {
                    fs::write(data.join(name), b"").unwrap();
                }
                let out = folder.path().join("out");
                let export = ["export", "--site", "plant-7", "--out", utf8(&out)];
                for args in [&["check"][..], &["status"], &["seal"], &export, &["groups", "list"]] {
                    let output = run(&data, args);
                    let said = messages(&output);
                    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
                    assert!(said.contains(name) && said.contains("backup"), "{args:?}: {said}");
                }
                assert_eq!(data.join(name).exists(), empty, "nothing was made in its place");
            }
        }
    }
}

#[test]
fn a_fleet_that_is_rubbish_is_named() {
    let sides = Sides::new();
    for root in [sides.mirror.data.root(), sides.site.data.root()] {
        fs::remove_file(root.join("fleet.sqlite-wal")).unwrap_or_default();
        fs::write(root.join("fleet.sqlite"), [b'x'; 5000]).unwrap();
        let output = run(root, &["check"]);
        let said = messages(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("fleet.sqlite"), "{said}");
    }
}

#[test]
fn a_store_from_an_older_backup_is_named() {
    let sides = Sides::new();
    let older = |side: &str, root: &Path, name: &str| {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        copy_folder(root, &data);
        for part in ["-wal", "-shm", ""] {
            let _ = fs::remove_file(data.join(format!("{name}{part}")));
        }
        fs::copy(sides.earlier.path().join(side).join(name), data.join(name)).unwrap();
        let found = problems(&data);
        assert!(found.iter().any(|problem| problem.contains("backup")), "{side} {name}: {found:?}");
        let shown = status(&data);
        assert!(shown.iter().all(|problem| found.contains(problem)) && !shown.is_empty());
    };
    older("mirror", sides.mirror.data.root(), "catalog.sqlite");
    older("site", sides.site.data.root(), "catalog.sqlite");
    older("site", sides.site.data.root(), "fleet.sqlite");
}

#[test]
fn keys_signatures_and_trust_that_are_gone_are_named() {
    let sides = Sides::new();
    let without = |root: &Path, name: &str, part: &str| {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        copy_folder(root, &data);
        fs::remove_dir_all(data.join(name)).unwrap();
        for found in [problems(&data), status(&data)] {
            assert!(found.iter().any(|problem| problem.contains(part)), "{name}: {found:?}");
        }
    };
    without(sides.mirror.data.root(), "keys", "the keys are gone");
    without(sides.mirror.data.root(), "snapshots/3", "signatures of snapshot 3");
    without(sides.site.data.root(), "snapshots/3", "signatures of snapshot 3");
    without(sides.site.data.root(), "trust", "trust add");
}
