//! `check` and `status` compare every store of a data folder with the others; a store that is lost stops
//! every command with a sentence that says so.

use std::{fs, path::Path};

use serde_json::Value;
use tidegate::content::ContentStore;

use crate::support::{
    program::{messages, run, run_json, utf8},
    sides::{Mirror, Site, bytes, copy_folder},
    stores::digests,
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

/// A copy of a data folder without one of its databases.
fn without_database(root: &Path, name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    copy_folder(root, &data);
    for part in ["-wal", "-shm", ""] {
        let _ = fs::remove_file(data.join(format!("{name}{part}")));
    }
    folder
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
                let folder = without_database(root, name);
                let data = folder.path().join("data");
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
fn one_damaged_store_hides_no_other() {
    let sides = Sides::new();
    for root in [sides.mirror.data.root(), sides.site.data.root()] {
        for name in ["catalog.sqlite", "fleet.sqlite"] {
            let folder = without_database(root, name);
            let data = folder.path().join("data");
            fs::write(data.join(name), [b'x'; 5000]).unwrap();
            let payload = digests(&bytes(2, 5000)).sha256;
            let payload = ContentStore::open(&data.join("content")).unwrap().path(&payload);
            fs::remove_file(&payload).unwrap();
            fs::write(&payload, b"damaged").unwrap();
            let found = problems(&data);
            assert!(found.iter().any(|problem| problem.contains(name)), "{name}: {found:?}");
            assert!(
                found.iter().any(|problem| problem.contains("is damaged")),
                "{name}: {found:?}"
            );
        }
    }
}

#[test]
fn a_database_that_init_made_is_lost_when_it_is_not_there() {
    for side in [&["init"][..], &["init", "--site", "plant-7"]] {
        let made = tempfile::tempdir().unwrap();
        let root = made.path().join("data");
        assert!(run(&root, side).status.success());
        assert_eq!(problems(&root), Vec::<String>::new());
        for name in ["catalog.sqlite", "fleet.sqlite"] {
            let folder = without_database(&root, name);
            let output = run(&folder.path().join("data"), &["status"]);
            assert_eq!(output.status.code(), Some(1));
            assert!(messages(&output).contains(name), "{}", messages(&output));
        }
    }
}

/// The approvals since would be taken back at every site.
#[test]
fn an_older_fleet_is_named_and_not_sealed() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000)]);
    let data = mirror.data.root();
    assert!(run(data, &["groups", "add", "Test"]).status.success());
    let earlier = tempfile::tempdir().unwrap();
    copy_folder(data, &earlier.path().join("data"));
    assert!(run(data, &["groups", "add", "Plant"]).status.success());
    mirror.export("plant-7");
    assert_eq!(problems(data), Vec::<String>::new());
    let folder = without_database(data, "fleet.sqlite");
    let data = folder.path().join("data");
    fs::copy(earlier.path().join("data/fleet.sqlite"), data.join("fleet.sqlite")).unwrap();
    for found in [problems(&data), status(&data)] {
        assert!(found.iter().any(|problem| problem.contains("fleet.sqlite is older")), "{found:?}");
    }
    let out = folder.path().join("out");
    for args in [&["seal"][..], &["export", "--site", "plant-7", "--out", utf8(&out)]] {
        let output = run(&data, args);
        assert_eq!(output.status.code(), Some(1));
        assert!(messages(&output).contains("--older-fleet"), "{}", messages(&output));
    }
    assert!(run(&data, &["seal", "--older-fleet"]).status.success());
    assert_eq!(problems(&data), Vec::<String>::new());
    assert!(run(&data, &["seal"]).status.success());
}

#[test]
fn a_store_from_an_older_backup_is_named() {
    let sides = Sides::new();
    let older = |side: &str, root: &Path, name: &str| {
        let folder = without_database(root, name);
        let data = folder.path().join("data");
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
        let lost = data.join(name);
        let removed = if lost.is_dir() { fs::remove_dir_all(lost) } else { fs::remove_file(lost) };
        removed.unwrap();
        for found in [problems(&data), status(&data)] {
            assert!(found.iter().any(|problem| problem.contains(part)), "{name}: {found:?}");
        }
    };
    without(sides.mirror.data.root(), "keys", "the keys are gone");
    for name in ["keys/keys.json", "keys/content-1.pem", "keys/policy-1.pem", "keys/1.root.json"] {
        without(sides.mirror.data.root(), name, "bring");
    }
    for root in [sides.mirror.data.root(), sides.site.data.root()] {
        without(root, "snapshots/3/metadata/timestamp.json", "damaged");
        without(root, "snapshots/3/targets", "cannot be read");
    }
    without(sides.mirror.data.root(), "snapshots/3", "signatures of snapshot 3");
    without(sides.site.data.root(), "snapshots/3", "signatures of snapshot 3");
    without(sides.site.data.root(), "trust", "trust add");
}

#[test]
fn signatures_and_trust_of_another_backup_are_named() {
    let sides = Sides::new();
    for (root, side) in [(sides.mirror.data.root(), "mirror"), (sides.site.data.root(), "site")] {
        let earlier = sides.earlier.path().join(side);
        let with = |name: &str, from: &str, part: &str| {
            let folder = tempfile::tempdir().unwrap();
            let data = folder.path().join("data");
            copy_folder(root, &data);
            if earlier.join(from).is_dir() {
                fs::remove_dir_all(data.join(name)).unwrap();
                copy_folder(&earlier.join(from), &data.join(name));
            } else {
                fs::copy(earlier.join(from), data.join(name)).unwrap();
            }
            for found in [problems(&data), status(&data)] {
                assert!(found.iter().any(|problem| problem.contains(part)), "{name}: {found:?}");
            }
        };
        with("snapshots/3", "snapshots/1", "of another snapshot 3");
        if side == "site" {
            with("trust/state", "trust/state", "snapshot 1 was trusted last");
        }
    }
}

/// One disc of two of the next snapshot has come.
#[test]
fn what_is_served_is_looked_at_beside_a_newer_snapshot() {
    let sides = Sides::new();
    sides.mirror.add(4, 100, &[bytes(4, 5000)]);
    sides.mirror.export("plant-7");
    sides.mirror.add(5, 100, &[bytes(5, 5000)]);
    sides.site.import(&sides.mirror.export("plant-7").volumes).unwrap();
    let data = sides.site.data.root();
    assert_eq!(problems(data), Vec::<String>::new());
    fs::remove_dir_all(data.join("snapshots/3")).unwrap();
    for found in [problems(data), status(data)] {
        assert!(found.iter().any(|problem| problem.contains("snapshot 3")), "{found:?}");
    }
}

/// Sites would refuse the numbers that it gives.
#[test]
fn an_older_catalogue_is_not_sealed() {
    let sides = Sides::new();
    let folder = without_database(sides.mirror.data.root(), "catalog.sqlite");
    let data = folder.path().join("data");
    fs::copy(sides.earlier.path().join("mirror/catalog.sqlite"), data.join("catalog.sqlite"))
        .unwrap();
    let output = run(&data, &["seal"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(messages(&output).contains("older backup"), "{}", messages(&output));
}

/// A backup that decides the same takes nothing back.
#[test]
fn an_older_fleet_that_decides_the_same_is_in_order() {
    let mirror = Mirror::new(7);
    mirror.add(1, 100, &[bytes(1, 5000)]);
    let data = mirror.data.root();
    let earlier = tempfile::tempdir().unwrap();
    mirror.export("plant-7");
    copy_folder(data, &earlier.path().join("data"));
    for args in [["groups", "add", "Plant"], ["groups", "remove", "Plant"]] {
        assert!(run(data, &args).status.success(), "{args:?}");
    }
    mirror.add(2, 100, &[]);
    assert!(run(data, &["seal"]).status.success());
    let folder = without_database(data, "fleet.sqlite");
    let data = folder.path().join("data");
    fs::copy(earlier.path().join("data/fleet.sqlite"), data.join("fleet.sqlite")).unwrap();
    assert_eq!(problems(&data), Vec::<String>::new());
    for args in [&["seal"][..], &["groups", "add", "Plant"], &["seal"]] {
        let output = run(&data, args);
        assert!(output.status.success(), "{args:?}: {}", messages(&output));
    }
}

/// Whatever happened to a database of ours, every command says what it is, and that a backup helps.
#[test]
fn a_database_that_was_overwritten_is_told_as_what_it_is() {
    let sides = Sides::new();
    for root in [sides.mirror.data.root(), sides.site.data.root()] {
        for (name, other) in
            [("catalog.sqlite", "fleet.sqlite"), ("fleet.sqlite", "catalog.sqlite")]
        {
            let whole = fs::read(root.join(name)).unwrap();
            let header = [&[0xa5; 100], whole.get(100..).unwrap()].concat();
            let damages = [
                ("random bytes", vec![0xa5; 5000]),
                ("a header of rubbish", header),
                ("one byte", vec![b'S']),
                ("the header alone", whole[..100].to_vec()),
                ("one byte less than a page", whole[..4095].to_vec()),
                ("the other database", fs::read(root.join(other)).unwrap()),
            ];
            for (what, bytes) in damages {
                let folder = without_database(root, name);
                let data = folder.path().join("data");
                fs::write(data.join(name), bytes).unwrap();
                for args in [&["status"][..], &["check"], &["groups", "list"], &["updates"]] {
                    let output = run(&data, args);
                    let reads = args != ["groups", "list"] || name == "fleet.sqlite";
                    let said = messages(&output) + &String::from_utf8_lossy(&output.stdout);
                    if !reads || (args == ["updates"] && name == "fleet.sqlite") {
                        continue;
                    }
                    assert_eq!(output.status.code(), Some(1), "{what} {name} {args:?}: {said}");
                    assert!(said.contains(name), "{what} {name} {args:?}: {said}");
                    assert!(said.contains("backup"), "{what} {name} {args:?}: {said}");
                    assert!(!said.contains("catalogue: catalogue"), "{what} {args:?}: {said}");
                }
            }
        }
    }
}

/// A clock that is behind is said by both.
#[test]
fn a_date_that_is_to_come_is_said_by_check_and_status() {
    let sides = Sides::new();
    for root in [sides.mirror.data.root(), sides.site.data.root()] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        copy_folder(root, &data);
        let database = rusqlite::Connection::open(data.join("catalog.sqlite")).unwrap();
        let sql = "UPDATE snapshot SET created = '2999-01-01T00:00:00Z' WHERE number = 3";
        assert_eq!(database.execute(sql, []).unwrap(), 1);
        drop(database);
        for said in [problems(&data), status(&data)] {
            let about = said.iter().filter(|one| one.contains("which is to come")).count();
            assert_eq!(about, 1, "{said:?}");
        }
    }
}

/// A disk of payloads that is not mounted is one problem, and nothing is put aside for it.
#[test]
fn a_content_disk_that_is_not_mounted_is_asked_for_and_damages_nothing() {
    let sides = Sides::new();
    for root in [sides.mirror.data.root(), sides.site.data.root()] {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        copy_folder(root, &data);
        fs::rename(data.join("content"), data.join("elsewhere")).unwrap();
        fs::create_dir(data.join("content")).unwrap();
        for said in [problems(&data), status(&data)] {
            assert!(said.len() == 1 && said[0].contains("mount that"), "{said:?}");
        }
        let output = run(&data, &["check", "--put-aside"]);
        assert_eq!(output.status.code(), Some(1), "{}", messages(&output));
        fs::remove_dir_all(data.join("content")).unwrap();
        fs::rename(data.join("elsewhere"), data.join("content")).unwrap();
        assert_eq!(problems(&data), Vec::<String>::new());
    }
}
