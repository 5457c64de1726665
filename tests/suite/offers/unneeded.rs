//! Payloads of declined, superseded and replaced updates: shown, freed when asked, left out of exports,
//! and wanted again.

use std::fs;

use tidegate::content::ContentStore;

use super::*;
use crate::support::{program::messages, stores::digests};

/// What `prune --payloads` finds, as reasons with sizes, and whether it frees it.
fn unneeded(side: &Program, args: &[&str]) -> Vec<(String, u64)> {
    let report = side.run(&[&["prune", "--payloads"], args].concat());
    let found = report["unneeded"].as_array().unwrap();
    found
        .iter()
        .map(|payload| (text(payload, "/reason").to_owned(), payload["size"].as_u64().unwrap()))
        .collect()
}

fn found(reasons: &[(&str, u64)]) -> Vec<(String, u64)> {
    reasons.iter().map(|(reason, size)| ((*reason).to_owned(), *size)).collect()
}

#[test]
fn files_that_nobody_needs_are_freed_when_asked_and_come_back() {
    let sides = TwoSides::new();
    let documents = [
        Document::new(1).file("a.cab", "declined").file("shared.cab", "shared by two"),
        Document::new(2).file("shared.cab", "shared by two"),
        Document::new(3).file("c.cab", "superseded one"),
        Document::new(4).file("d.cab", "new").supersedes(3).needs(&[6]),
        Document::new(5).file("e.cab", "superseded, approved").bundles(&[7]),
        Document::new(6).file("f.cab", "a prerequisite").supersedes(5),
        Document { member: true, ..Document::new(7).file("g.cab", "a member") },
    ];
    let payloads = [
        "declined",
        "shared by two",
        "superseded one",
        "new",
        "superseded, approved",
        "a prerequisite",
        "a member",
    ];
    put(&sides, &documents, &payloads);
    sides.sync(&[], 0);
    let side = &sides.connected;
    side.run(&["approve", "--all", "--group", "All Computers"]);
    side.run(&["approve", &numbered(5).to_string(), "--group", "All Computers"]);
    assert_eq!(unneeded(side, &["--dry-run"]), found(&[("superseded", 14)]));
    side.run(&["decline", &numbered(1).to_string()]);
    let expected = found(&[("declined", 8), ("superseded", 14)]);
    assert_eq!(unneeded(side, &["--dry-run"]), expected);
    // Nothing goes unasked, and what would go is shown with its titles.
    for _ in 0..2 {
        let output = side.command(&["prune", "--payloads"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = messages(&output);
        assert!(said.contains("--yes") && said.contains("c.cab of \"Update 3\""), "{said}");
    }
    assert_eq!(unneeded(side, &["--dry-run"]), expected);

    // The export leaves out what is declined, and says so.
    let export = sides.export(&[], 0);
    assert_eq!((&export["not-carried"], &export["not-carried-bytes"]), (&1.into(), &8.into()));
    assert_eq!(export["payloads"], 6, "{export:#}");
    sides.import(&export);
    assert_eq!(sides.isolated.run(&["status"])["catalogue"]["present"], 6);

    // A site may have approved what is superseded here.
    let would = side.run(&["prune", "--payloads", "--dry-run"]);
    assert_eq!(would["sites"], serde_json::json!(["plant-7"]), "{would:#}");
    assert_eq!(unneeded(side, &["--yes"]), expected);
    // As a run leaves it that was killed before the files went.
    let content = ContentStore::open(&side.data.join("content")).unwrap();
    let left = content.path(&digests(b"declined").sha256);
    fs::write(&left, "declined").unwrap();
    let again = side.run(&["prune", "--payloads", "--yes"]);
    assert_eq!(again["payloads"].as_array().unwrap().len(), 1, "{again:#}");
    assert!(!left.exists());
    assert_eq!(unneeded(side, &["--yes"]), []);
    assert_eq!(side.run(&["status"])["catalogue"]["present"], 5);
    assert_eq!(side.run(&["status"])["missing-files"], 0);
    side.run(&["check"]);

    // The isolated side frees its own, and a later snapshot still takes effect there.
    assert_eq!(unneeded(&sides.isolated, &["--yes"]), found(&[("superseded", 14)]));
    sides.isolated.run(&["check"]);
    side.run(&[
        "approve",
        &numbered(2).to_string(),
        "--action",
        "detect",
        "--group",
        "All Computers",
    ]);
    carry(&sides);
    assert_eq!(sides.isolated.run(&["status"])["catalogue"]["present"], 5);

    // What is wanted again there holds up no snapshot.
    sides.isolated.run(&["approve", &numbered(3).to_string(), "--group", "All Computers"]);
    side.run(&["approve", "--remove", &numbered(2).to_string(), "--group", "All Computers"]);
    carry(&sides);
    let waiting = &sides.isolated.run(&["updates", &numbered(3).to_string()])["waiting"];
    assert_eq!(waiting[0]["reason"], "not-carried", "{waiting:#}");
    assert!(text(waiting, "/0/advice").contains("export --full"), "{waiting:#}");

    // The decline is taken back: the file is missing, and comes again.
    side.run(&["decline", "--undo", &numbered(1).to_string()]);
    assert_eq!(side.run(&["status"])["missing-files"], 1);
    sides.sync(&[], 0);
    side.run(&["approve", &numbered(1).to_string(), "--group", "All Computers"]);
    carry(&sides);
    assert!(offered(&sides.isolated, sides.root()).is_superset(&ids(&[1])));
}
