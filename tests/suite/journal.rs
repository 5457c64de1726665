//! The journal: what the program enters, and that nobody changes it unseen.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use bundle_format::digest::Sha256;
use serde_json::Value;

use crate::support::{
    program::{Program, number, run, text, utf8},
    sides::{document, update},
    two_sides::TwoSides,
};

/// The entries of a side, as a program of somebody else would read and recompute them.
#[track_caller]
fn entries(data: &Path) -> Vec<Value> {
    let lines = fs::read_to_string(data.join("journal/1.jsonl")).unwrap();
    let mut before = "0".repeat(64);
    let mut entries = Vec::new();
    for line in lines.split_inclusive('\n') {
        let entry: Value = serde_json::from_str(line).unwrap();
        assert_eq!(number(&entry, "/number"), entries.len() as u64 + 1);
        assert_eq!(text(&entry, "/before"), before);
        before = Sha256::hash(line.as_bytes()).to_string();
        entries.push(entry);
    }
    entries
}

/// Kind and verdict of each entry.
#[track_caller]
fn kinds(data: &Path) -> Vec<String> {
    let kind = |entry: &Value| match text(entry, "/verdict") {
        "done" => text(entry, "/kind").to_owned(),
        verdict => format!("{} {verdict}", text(entry, "/kind")),
    };
    entries(data).iter().map(kind).collect()
}

fn damage(volume: &Path) -> PathBuf {
    let mut bytes = fs::read(volume).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = volume.with_file_name("damaged.tar");
    fs::write(&damaged, bytes).unwrap();
    damaged
}

#[test]
fn what_crosses_and_what_is_decided_is_entered() {
    let sides = TwoSides::new();
    sides.put("1.xml", document(1, 1, &[]));
    sides.sync(&[], 0);
    let id = update(1).to_string();
    let connected = &sides.connected;
    connected.run(&["groups", "add", "Pilots"]);
    connected.run(&["approve", &id, "--group", "Pilots", "--dry-run"]);
    connected.run(&["approve", &id, "--group", "Pilots"]);
    let exported = sides.export(&[], 0);
    assert_eq!(
        kinds(&connected.data),
        ["init", "keys", "sync", "groups", "approve", "seal", "export"]
    );
    let entered = entries(&connected.data);
    let volume = PathBuf::from(text(&exported, "/volumes/0"));
    let size = fs::metadata(&volume).unwrap().len();
    assert_eq!(number(&entered[6], "/details/volumes/first/0/size"), size);
    assert_eq!(text(&entered[5], "/details/index-sha256").len(), 64);
    assert_eq!(text(&entered[4], "/details/updates/first/0/1"), "Update 1");

    let isolated = &sides.isolated;
    isolated.run_to(&["import", utf8(&damage(&volume))], 3);
    isolated.run(&["import", "--dry-run", utf8(&volume)]);
    sides.import(&exported);
    isolated.run(&["decline", &id]);
    assert_eq!(kinds(&isolated.data), ["init", "trust", "import refused", "import", "decline"]);
    let entered = entries(&isolated.data);
    assert!(text(&entered[2], "/why").contains("damaged"), "{}", entered[2]);
    assert_eq!(number(&entered[3], "/details/snapshot-in-force"), 1);
    isolated.run(&["prune"]);
    assert_eq!(entries(&isolated.data).len(), 5, "nothing was removed");
}

#[test]
fn a_root_that_is_not_the_expected_one_is_entered_as_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mirror = Program::init(folder.path(), "mirror", &[], "");
    mirror.run(&["keys", "init"]);
    let site = Program::init(folder.path(), "site", &["--site", "plant-7"], "");
    let root = mirror.data.join("keys/1.root.json");
    site.run_to(&["trust", "add", utf8(&root), "--fingerprint", "actor alley"], 3);
    assert_eq!(kinds(&site.data), ["init", "trust refused"]);
}

#[test]
fn the_program_lists_checks_and_exports_it() {
    let folder = tempfile::tempdir().unwrap();
    let side = Program::init(folder.path(), "side", &["--site", "plant-7"], "");
    for name in ["One", "Two", "Three"] {
        side.run(&["groups", "add", name]);
    }
    let listed = side.run(&["journal", "list", "--kind", "groups", "--limit", "2"]);
    assert_eq!(number(&listed, "/older"), 1);
    assert_eq!(text(&listed, "/entries/1/what"), "the group Three was made");
    assert_eq!(
        side.run(&["journal", "list", "--since", "2200-01-01"])["entries"],
        Value::Array(vec![])
    );
    let told = run(&side.data, &["journal", "list", "--limit", "1"]);
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("3 older entries") && told.contains("groups: the group Three"), "{told}");

    let out = folder.path().join("exported");
    let exported = side.run(&["journal", "export", "--out", utf8(&out)]);
    assert_eq!(number(&exported, "/entries"), 4);
    assert_eq!(side.run(&["journal", "verify", utf8(&out)]), exported);
    assert_eq!(side.run(&["journal", "verify"]), exported);
    side.run(&["check"]);

    // An entry that somebody changes.
    let file = side.data.join("journal/1.jsonl");
    let changed = fs::read_to_string(&file).unwrap().replace("group Two", "group 2");
    fs::write(&file, changed).unwrap();
    for args in [&["journal", "verify"][..], &["journal", "list"]] {
        let output = run(&side.data, args);
        assert_eq!(output.status.code(), Some(3));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("does not fit at line 4"), "{said}");
    }
    let refused = folder.path().join("refused");
    side.run_to(&["journal", "export", "--out", utf8(&refused)], 3);
    assert!(!refused.exists());
    let output = run(&side.data, &["check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("does not fit at line 4"));
}

/// The act stands, and somebody hears of it.
#[test]
fn a_journal_that_cannot_be_written_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let side = Program::init(folder.path(), "side", &["--site", "plant-7"], "");
    fs::remove_dir_all(side.data.join("journal")).unwrap();
    fs::write(side.data.join("journal"), b"in the way").unwrap();
    let output = run(&side.data, &["groups", "add", "Pilots"]);
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("warning: this is not in the journal"), "{said}");
    let groups = side.run(&["groups", "list"]);
    assert!(groups.to_string().contains("Pilots"));
}

/// Every operation that changes something enters it.
#[test]
fn every_command_that_changes_something_enters_it() {
    let sides = TwoSides::new();
    sides.put("1.xml", document(1, 1, &[]));
    sides.sync(&[], 0);
    let (id, side) = (update(1).to_string(), &sides.connected);
    let commands: &[(&[&str], &str)] = &[
        (&["groups", "add", "Pilots"], "groups"),
        (&["rules", "add", "all", "--title", "*", "--group", "Pilots"], "rules"),
        (&["rules", "run"], "rules"),
        (&["rules", "disable", "all"], "rules"),
        (&["rules", "remove", "all"], "rules"),
        (&["approve", &id, "--group", "Pilots", "--remove"], "approve"),
        (&["decline", &id], "decline"),
        (&["decline", &id, "--undo"], "decline"),
        (&["groups", "remove", "Pilots"], "groups"),
        (&["keys", "rotate", "--content"], "keys"),
        (&["seal"], "seal"),
        (&["withdraw", &id, "--yes"], "withdraw"),
        (&["withdraw", &id, "--undo", "--yes"], "withdraw"),
    ];
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for (args, kind) in commands {
        let before = entries(&side.data).len();
        side.run(args);
        let after = entries(&side.data);
        assert_eq!(after.len(), before + 1, "{args:?}");
        assert_eq!(text(&after[before], "/kind"), *kind, "{args:?}");
        *counted.entry(kind).or_default() += 1;
    }
    assert_eq!(counted.len(), 7);
}
