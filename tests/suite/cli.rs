//! The program as scripts see it: exit codes, stdout and stderr, through the built binary.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::program::{run, run_json, tidegate, utf8};

#[track_caller]
fn ends_with(data: &Path, args: &[&str], code: i32, says: &str) {
    let output = run(data, args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    assert!(stderr.contains(says), "{args:?} does not say {says:?}: {stderr}");
}

/// The table of docs/operating.md.
#[test]
fn exit_codes_are_as_documented() {
    let temp = tempfile::tempdir().unwrap();
    let connected = temp.path().join("connected");
    let isolated = temp.path().join("isolated");

    ends_with(&connected, &["init"], 0, "");
    ends_with(&isolated, &["init", "--site", "plant-7"], 0, "");

    // 1: failed.
    ends_with(&temp.path().join("nothing"), &["status"], 1, "tidegate init");
    ends_with(&connected, &["init"], 1, "already");
    ends_with(&connected, &["sync", "--from", "/does/not/exist"], 1, "/does/not/exist");
    ends_with(&isolated, &["sync", "--from", "."], 1, "isolated");
    ends_with(
        &connected,
        &["approve", "--kb", "1234567", "--group", "All Computers"],
        1,
        "1234567",
    );
    ends_with(&connected, &["approve", "--all", "--group", "Nobody"], 1, "Nobody");

    // 2: usage.
    ends_with(&connected, &["frobnicate"], 2, "frobnicate");
    ends_with(&connected, &["approve", "--group", "All Computers"], 2, "--all");
    ends_with(&temp.path().join("x"), &["init", "--site", "Not A Site"], 2, "Not A Site");
    let config = temp.path().join("tidegate.toml");
    fs::write(&config, "[import]\nrefuse-expird = true\n").unwrap();
    ends_with(&connected, &["--config", config.to_str().unwrap(), "status"], 2, "refuse-expird");

    // 3: refused by verification.
    let rubbish = temp.path().join("rubbish.tar");
    fs::write(&rubbish, vec![7; 10_000]).unwrap();
    ends_with(&isolated, &["import", rubbish.to_str().unwrap()], 3, "trust add");
    let keys = run(&connected, &["--json", "keys", "init"]);
    let keys: Value = serde_json::from_slice(&keys.stdout).unwrap();
    let root = keys["root"].as_str().unwrap();
    ends_with(&isolated, &["trust", "add", root, "--fingerprint", "no such words"], 3, "");
    ends_with(&isolated, &["trust", "add", root], 2, "--fingerprint");
    for (bytes, says) in [
        (&b"VOLUME.json\0\0\0"[..], "is a bundle (`tidegate import` takes it in)"),
        (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", "is a key"),
        (b"MZ\x90", "is something else"),
        (b"", "is something else"),
    ] {
        let other = isolated.join("other");
        fs::write(&other, bytes).unwrap();
        ends_with(&isolated, &["trust", "add", utf8(&other), "--yes"], 3, says);
        fs::remove_file(&other).unwrap();
    }
    ends_with(&isolated, &["trust", "add", root, "--yes"], 0, "");
    ends_with(&isolated, &["import", rubbish.to_str().unwrap()], 3, "rubbish.tar");

    // 4: done in part.
    let source = temp.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("broken.xml"), "<upd:Update>").unwrap();
    ends_with(&connected, &["sync", "--from", source.to_str().unwrap()], 4, "broken.xml");
}

/// With `--json`, stdout is one JSON value and nothing else.
#[test]
fn json_is_all_that_is_on_stdout() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().join("data");
    for args in [
        &["init"][..],
        &["keys", "init"],
        &["seal", "--site", "plant-7"],
        &["groups"],
        &["groups", "add", "Pilot"],
        &["approve", "--list"],
        &["updates"],
        &["computers"],
        &["status"],
        &["check"],
    ] {
        let output = run(&data, &[&["--json"], args].concat());
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|e| {
            panic!("{args:?}: {e}: {}", String::from_utf8_lossy(&output.stdout))
        });
    }
}

/// Where `sync` would number all updates afresh, and `status` would show an empty mirror.
#[test]
fn a_lost_catalogue_is_not_made_anew() {
    let temp = tempfile::tempdir().unwrap();
    let mirror = temp.path().join("mirror");
    for args in [["init"].as_slice(), &["keys", "init"], &["status"]] {
        ends_with(&mirror, args, 0, "");
    }
    ends_with(&mirror, &["seal"], 0, "");
    fs::remove_file(mirror.join("catalog.sqlite")).unwrap();
    for command in ["status", "seal", "updates", "check", "serve"] {
        ends_with(&mirror, &[command], 1, "catalog.sqlite is missing");
    }
    assert!(!mirror.join("catalog.sqlite").exists());
}

/// `tidegate updates | head`, as text and as JSON.
#[test]
fn one_synchronization_at_a_time() {
    let temp = tempfile::tempdir().unwrap();
    let connected = temp.path().join("connected");
    ends_with(&connected, &["init"], 0, "");
    let lock = fs::File::create(connected.join("sync.lock")).unwrap();
    lock.lock().unwrap();
    let sync = ["sync", "--from", temp.path().to_str().unwrap()];
    ends_with(&connected, &sync, 1, "another `tidegate sync` works on this data folder");
    lock.unlock().unwrap();
    let output = run(&connected, &sync);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("another `tidegate sync`"), "{said}");
}

#[test]
fn a_reader_may_leave() {
    let temp = tempfile::tempdir().unwrap();
    ends_with(temp.path(), &["init"], 0, "");
    for more in [None, Some("--json")] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = tidegate(temp.path())
            .args(more)
            .arg("status")
            .stdout(writer)
            .stderr(std::process::Stdio::piped())
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{more:?}: {stderr}");
    }
}

#[test]
fn a_damaged_database_is_to_be_brought_back() {
    let temp = tempfile::tempdir().unwrap();
    ends_with(temp.path(), &["init"], 0, "");
    ends_with(temp.path(), &["status"], 0, "");
    let path = temp.path().join("catalog.sqlite");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    ends_with(temp.path(), &["status"], 1, "bring the file back from a backup");
    fs::write(&path, "rubbish".repeat(1000)).unwrap();
    ends_with(temp.path(), &["status"], 1, "no SQLite database");
}

#[test]
fn servers_below_are_listed_shown_and_forgotten() {
    use tidegate::fleet::{ComputerReport, Fleet, ServerReport};
    use uuid::Uuid;

    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().join("isolated");
    ends_with(&data, &["init", "--site", "plant-7"], 0, "");
    let json = |args: &[&str]| -> Value {
        let output = run(&data, &[&["--json"], args].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(json(&["servers"])["servers"], serde_json::json!([]));

    let mut fleet = Fleet::open(&data.join("fleet.sqlite")).unwrap();
    let (now, id) = (jiff::Timestamp::now(), Uuid::from_u128(7));
    let report = |id, parent, name: &str| ServerReport {
        id,
        name: name.to_owned(),
        parent,
        version: "10.0.26100.1".to_owned(),
        replica: true,
        last_sync: Some(now),
        last_rollup: Some(now),
        summary: serde_json::json!({ "updates": 42 }),
        clients: Vec::new(),
        activity: Vec::new(),
    };
    let reports = [report(id, None, "dss.example"), report(Uuid::from_u128(8), Some(id), "below")];
    fleet.report_servers(&reports, now).unwrap();
    let computer = ComputerReport {
        id: "pc-1".to_owned(),
        server: id,
        last_sync: Some(now),
        last_sync_result: 1,
        last_reboot: None,
        last_report: None,
        last_inventory: None,
        details: Some(serde_json::json!({ "name": "pc-1.example" })),
    };
    fleet.report_computers(&[computer], now).unwrap();
    drop(fleet);

    let status = json(&["status"]);
    let names: Vec<_> = status["downstreams"].as_array().unwrap().iter().collect();
    assert_eq!((&names[0]["name"], &names[0]["depth"]), (&"dss.example".into(), &0.into()));
    assert_eq!((&names[1]["name"], &names[1]["depth"]), (&"below".into(), &1.into()));
    assert_eq!(status["computers-of-downstreams"], 1);
    let shown = json(&["servers", "show", "DSS.example"]);
    assert_eq!(shown["server"]["summary"]["updates"], 42);
    assert_eq!(shown["computers"][0]["id"], "pc-1");
    ends_with(&data, &["servers", "show", "nobody"], 1, "nobody");
    let shown = json(&["servers", "remove", &id.to_string(), "--dry-run"]);
    assert_eq!(shown["done"], false);
    let gone = json(&["servers", "remove", &id.to_string()]);
    assert_eq!((&gone["done"], &gone["removed"]), (&true.into(), &shown["removed"]));
    assert_eq!(gone["removed"].as_array().unwrap().len(), 2, "with the one below it");
    assert_eq!(json(&["status"])["downstreams"], serde_json::json!([]), "with those below it");
}

#[test]
fn what_strangers_left_is_removed_in_one_command() {
    use jiff::{SignedDuration, Timestamp};
    use tidegate::fleet::{Contact, Fleet};
    use uuid::Uuid;

    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().join("isolated");
    ends_with(&data, &["init", "--site", "plant-7"], 0, "");
    let mut fleet = Fleet::open(&data.join("fleet.sqlite")).unwrap();
    let (now, long_ago) = (Timestamp::now(), Timestamp::now() - SignedDuration::from_hours(2400));
    for n in 0..50 {
        fleet.introduce(&format!("x{n}"), "x", None, long_ago).unwrap();
        fleet.note_downstream(Uuid::from_u128(n + 1), "x", long_ago).unwrap();
    }
    fleet.introduce("new", "new", None, now).unwrap();
    fleet.contact("old", Contact::Reported, long_ago).unwrap();
    fleet.note_downstream(Uuid::from_u128(99), "new", now).unwrap();
    drop(fleet);
    // One by its name: the same form.
    let one = |more: &[&str]| run_json(&data, &[&["computers", "remove", "new"], more].concat(), 0);
    let shown = one(&["--dry-run"]);
    assert_eq!((&shown["done"], &shown["removed"][0]["id"]), (&false.into(), &"new".into()));
    let which = ["--not-seen", "30d", "--never-reported"];
    for list in ["computers", "servers"] {
        let remove =
            |more: &[&str]| run_json(&data, &[&[list, "remove"], &which[..], more].concat(), 0);
        ends_with(&data, &[list, "remove"], 2, "--not-seen");
        ends_with(&data, &[list, "remove", "x1", "--not-seen", "30d"], 2, "not both");
        ends_with(&data, &[&[list, "remove"], &which[..]].concat(), 2, "--dry-run");
        let shown = remove(&["--dry-run"]);
        assert_eq!(
            (&shown["done"], shown["removed"].as_array().unwrap().len()),
            (&false.into(), 50)
        );
        let gone = remove(&["--yes"]);
        assert_eq!((&gone["done"], &gone["removed"]), (&true.into(), &shown["removed"]));
        assert_eq!(remove(&["--yes"])["removed"], serde_json::json!([]));
    }
    let fleet = Fleet::open(&data.join("fleet.sqlite")).unwrap();
    let mut left: Vec<String> = fleet.computers().unwrap().into_iter().map(|one| one.id).collect();
    left.sort();
    assert_eq!(left, ["new", "old"], "what was seen lately, or reported once, stays");
    assert_eq!(fleet.downstreams().unwrap().len(), 1);
    drop(fleet);
    let gone = one(&[]);
    assert_eq!((&gone["done"], &gone["removed"]), (&true.into(), &shown["removed"]));
    ends_with(&data, &["computers", "remove", "new"], 1, "there is no computer");
}

/// Titles are foreign: they colour nothing, hide nothing and forge no line. JSON has them as they are.
#[test]
fn a_title_acts_on_no_terminal() {
    let temp = tempfile::tempdir().unwrap();
    let (data, folder) = (temp.path().join("mirror"), temp.path().join("documents"));
    fs::create_dir(&folder).unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/demo/samples");
    let hostile = "Fonts\u{9b}8m\n00000000-0000-4000-8000-000000000001  r1  Forged \u{202e}gpj.exe";
    for entry in fs::read_dir(samples).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "xml") {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.replace("Sample font update for Windows 11 (KB9900002)", hostile);
            fs::write(folder.join(path.file_name().unwrap()), text).unwrap();
        }
    }
    run(&data, &["init"]);
    run(&data, &["sync", "--from", folder.to_str().unwrap()]);
    let approve = ["approve", "--kb", "9900002", "--group", "All Computers"];
    let mut rule = vec!["rules", "add", "Fonts", "--group", "All Computers", "--title"];
    rule.push("Fonts*");
    for args in [
        &["updates"][..],
        &["updates", "--kb", "9900002"],
        &approve,
        &["approve", "--list"],
        &rule,
        &["rules", "run", "--dry-run"],
        &["rules", "list"],
        &["decline", "--kb", "9900002"],
        &["status"],
        &["sync", "products"],
    ] {
        let output = run(&data, args);
        for text in [output.stdout, output.stderr] {
            let text = String::from_utf8(text).unwrap();
            let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(acts), "{args:?}: {text:?}");
            assert!(!text.lines().any(|line| line.starts_with("00000000-")), "{args:?}: {text}");
        }
    }
    let shown = String::from_utf8(run(&data, &["updates"]).stdout).unwrap();
    assert!(shown.contains("Fonts\u{fffd}8m 00000000-"), "{shown}");
    let json = run(&data, &["--json", "updates", "--kb", "9900002"]).stdout;
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json[0]["title"], hostile);
}

#[test]
fn a_rotation_sweeps_what_a_killed_one_left() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().join("data");
    ends_with(&data, &["init"], 0, "");
    ends_with(&data, &["keys", "init"], 0, "");
    let left = data.join("keys/.tmpA1b2C3");
    fs::write(&left, b"{").unwrap();
    ends_with(&data, &["keys", "rotate", "--policy"], 0, "");
    assert!(!left.exists());
}
