//! Receipts: sealed, carried and acknowledged are three states.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::support::{
    program::{Program, number, run, text, utf8},
    sides::document,
    two_sides::TwoSides,
};

fn receipt_of(site: &Program, name: &str) -> (PathBuf, Value) {
    let out = site.data.with_file_name(name);
    let made = site.run(&["receipt", "--out", utf8(&out)]);
    (out, made)
}

/// What a command that must be refused says.
#[track_caller]
fn refused(side: &Program, args: &[&str], code: i32) -> String {
    let output = run(&side.data, args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// A first snapshot has been carried.
fn carried() -> TwoSides {
    let sides = TwoSides::new();
    sides.put("1.xml", document(1, 1, &[]));
    sides.sync(&[], 0);
    sides.carry(0);
    sides
}

fn delivery(sides: &TwoSides) -> Value {
    sides.connected.run(&["status"])["deliveries"][0].clone()
}

#[test]
fn sealed_carried_and_acknowledged_are_three_states() {
    let sides = carried();
    let mirror = &sides.connected;
    assert_eq!(number(&delivery(&sides), "/exported"), 1);
    assert!(delivery(&sides)["acknowledged"].is_null());
    assert!(
        refused(
            mirror,
            &[
                "export",
                "--site",
                "plant-7",
                "--since",
                "acknowledged",
                "--out",
                utf8(&sides.root().join("x"))
            ],
            1
        )
        .contains("has acknowledged no snapshot yet")
    );

    let (receipt, made) = receipt_of(&sides.isolated, "receipt-1");
    let fingerprint = text(&made, "/fingerprint");
    assert_eq!(number(&made, "/snapshot"), 1);
    // Nobody's key is taken for that of the site.
    let said = refused(mirror, &["receipt", "add", utf8(&receipt)], 2);
    assert!(said.contains(fingerprint), "{said}");
    refused(mirror, &["receipt", "add", utf8(&receipt), "--fingerprint", "actor alley"], 3);
    assert!(delivery(&sides)["acknowledged"].is_null());
    let add = ["receipt", "add", utf8(&receipt), "--fingerprint", fingerprint];
    let added = mirror.run(&add);
    assert_eq!((&added["new"], &added["key-pinned"]), (&true.into(), &true.into()));
    assert_eq!(number(&delivery(&sides), "/acknowledged/snapshot"), 1);
    let again = mirror.run(&["receipt", "add", utf8(&receipt)]);
    assert_eq!((&again["new"], &again["key-pinned"]), (&false.into(), &false.into()));

    // Two more are packed, and the first of them never arrives.
    for n in [2, 3] {
        sides.put(&format!("{n}.xml"), document(n, 1, &[]));
        sides.sync(&[], 0);
        sides.export(&[], 0);
    }
    assert_eq!(number(&delivery(&sides), "/exported"), 3);
    assert_eq!(number(&delivery(&sides), "/acknowledged/snapshot"), 1);
    let exported = sides.export(&["--since", "acknowledged"], 0);
    assert_eq!(number(&exported, "/segments"), 2);
    assert_eq!(number(&sides.import(&exported), "/in-force"), 3);
    let (receipt, _) = receipt_of(&sides.isolated, "receipt-3");
    mirror.run(&["receipt", "add", utf8(&receipt)]);
    assert_eq!(number(&delivery(&sides), "/acknowledged/snapshot"), 3);
    let told = String::from_utf8(run(&mirror.data, &["status"]).stdout).unwrap();
    assert!(
        told.contains(
            "Site plant-7: snapshot 3 was packed for it; it acknowledged snapshot 3 (today)"
        ),
        "{told}"
    );
    // An older one that comes late takes nothing back.
    let late = sides.root().join("receipt-1");
    mirror.run(&["receipt", "add", utf8(&late)]);
    assert_eq!(number(&delivery(&sides), "/acknowledged/snapshot"), 3);
}

#[test]
fn prune_keeps_what_an_export_since_the_receipt_reads() {
    let sides = TwoSides::new();
    sides.put("1.xml", document(1, 1, &[]));
    sides.sync(&[], 0);
    sides.carry(0);
    let (receipt, _) = receipt_of(&sides.isolated, "receipt-1");
    sides.connected.run(&["receipt", "add", utf8(&receipt), "--yes"]);
    sides.put("2.xml", document(2, 1, &[]));
    sides.sync(&[], 0);
    sides.connected.run(&["seal"]);
    sides.connected.run(&["prune"]);
    let exported = sides.export(&["--since", "acknowledged"], 0);
    assert_eq!(number(&exported, "/segments"), 1);
    assert_eq!(number(&sides.import(&exported), "/in-force"), 2);
}

#[test]
fn another_key_and_another_content_are_refused_loudly() {
    let sides = carried();
    let mirror = &sides.connected;
    let (receipt, _) = receipt_of(&sides.isolated, "receipt-1");
    mirror.run(&["receipt", "add", utf8(&receipt), "--yes"]);

    // The site has another key: it was set up anew, or it is somebody else.
    let key = sides.isolated.data.join("keys/site.pem");
    fs::remove_file(&key).unwrap();
    let (other, made) = receipt_of(&sides.isolated, "receipt-2");
    for more in [&["--yes"][..], &["--fingerprint", text(&made, "/fingerprint")]] {
        let args = [&["receipt", "add", utf8(&other)], more].concat();
        let said = refused(mirror, &args, 3);
        assert!(said.contains("another key") && said.contains("--replaces-key"), "{said}");
    }
    let fingerprint = text(&made, "/fingerprint");
    let replace = ["receipt", "add", utf8(&other), "--replaces-key", "--fingerprint", fingerprint];
    assert_eq!(mirror.run(&replace)["key-pinned"], true);
    let said = refused(mirror, &["receipt", "add", utf8(&receipt), "--yes"], 3);
    assert!(said.contains("another key"), "the first key is the other one now: {said}");

    // One byte of it was changed.
    let changed = sides.root().join("changed");
    let json = fs::read_to_string(&other).unwrap().replace("plant-7", "plant-8");
    fs::write(&changed, json).unwrap();
    let said = refused(mirror, &["receipt", "add", utf8(&changed), "--yes"], 3);
    assert!(said.contains("signature of this receipt does not hold"), "{said}");

    // What was refused is in the journal.
    let listed = mirror.run(&["journal", "list", "--kind", "receipt"]);
    let verdicts: Vec<&str> =
        listed["entries"].as_array().unwrap().iter().map(|one| text(one, "/verdict")).collect();
    assert_eq!(verdicts, ["done", "refused", "refused", "done", "refused", "refused"]);
}

/// Two mirrors that seal under one id are found out by the receipt.
#[test]
fn a_snapshot_that_was_not_sealed_here_is_refused() {
    let sides = carried();
    let copy = sides.root().join("copy");
    copy_tree(&sides.connected.data, &copy);
    sides.put("2.xml", document(2, 1, &[]));
    sides.sync(&[], 0);
    sides.carry(0);
    let (receipt, _) = receipt_of(&sides.isolated, "receipt-2");
    let copied = Program::at(sides.root(), "copy");
    let said = refused(&copied, &["receipt", "add", utf8(&receipt), "--yes"], 1);
    assert!(said.contains("snapshot 2, which was not sealed here"), "{said}");
    let other = sides.root().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("3.xml"), document(3, 1, &[])).unwrap();
    copied.run(&["sync", "--from", utf8(&other)]);
    copied.run(&["seal"]);
    let said = refused(&copied, &["receipt", "add", utf8(&receipt), "--yes"], 3);
    assert!(said.contains("another snapshot 2"), "{said}");
}

/// The journal of a site is held against its earlier receipts.
#[test]
fn a_journal_that_was_begun_anew_shows() {
    let sides = carried();
    let mirror = &sides.connected;
    sides.isolated.run(&["groups", "add", "One"]);
    let (receipt, made) = receipt_of(&sides.isolated, "receipt-1");
    mirror.run(&["receipt", "add", utf8(&receipt), "--yes"]);
    let entries = number(&made, "/journal-number");
    fs::remove_dir_all(sides.isolated.data.join("journal")).unwrap();
    sides.isolated.run(&["groups", "add", "Two"]);
    let (receipt, _) = receipt_of(&sides.isolated, "receipt-2");
    let output = run(&mirror.data, &["receipt", "add", utf8(&receipt)]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("has fewer entries (1)"), "{said}");
    // As many entries as before, but not the same.
    while number(&receipt_of(&sides.isolated, "receipt-3").1, "/journal-number") < entries {}
    let late = sides.root().join("receipt-3");
    let said = refused(mirror, &["receipt", "add", utf8(&late)], 3);
    assert!(said.contains("the journal of the site plant-7 was changed"), "{said}");
}

#[test]
fn only_what_is_served_is_acknowledged() {
    let sides = TwoSides::new();
    let out = sides.root().join("receipt");
    let said = refused(&sides.isolated, &["receipt", "--out", utf8(&out)], 1);
    assert!(said.contains("import a bundle first"), "{said}");
    let said = refused(&sides.connected, &["receipt", "--out", utf8(&out)], 1);
    assert!(said.contains("connected side"), "{said}");
    assert!(!out.exists());
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy_tree(&path, &target),
            false => drop(fs::copy(&path, &target).unwrap()),
        }
    }
}
