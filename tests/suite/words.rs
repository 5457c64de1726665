//! What people read and scripts get of bundles: titles where a title is known, lists that end, exit codes.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::support::{
    program::{Program, number, text, utf8},
    sides::{bytes, document, update},
    two_sides::TwoSides,
};

/// What a command says to people; it must end with this code.
#[track_caller]
fn said(side: &Program, args: &[&str], code: i32) -> String {
    let output = crate::support::program::run(&side.data, args);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    said
}

/// Twelve updates, approved for a group, with a KB number each, and the volumes that carry them.
fn carried(args: &[&str]) -> (TwoSides, Vec<PathBuf>) {
    let sides = TwoSides::new();
    for n in 1..=12_u128 {
        let payload = bytes(u64::try_from(n).unwrap(), 300_000);
        let mut hasher = bundle_format::digest::PayloadHasher::new();
        hasher.update(&payload);
        let xml = document(n, 1, &[hasher.finish()]).replace(
            r#"CreationDate="2026-01-01T00:00:00Z" />"#,
            &format!(
                r#"CreationDate="2026-01-01T00:00:00Z"><KBArticleID>{}</KBArticleID></Properties>"#,
                5_000_000 + n
            ),
        );
        sides.put(&format!("{n}.xml"), xml);
        sides.put(&format!("{n}.bin"), payload);
    }
    sides.sync(&[], 0);
    sides.connected.run(&["groups", "add", "Pilots"]);
    sides.connected.run(&["approve", "--all", "--group", "Pilots"]);
    let exported = sides.export(args, 0);
    let volumes = exported["volumes"].as_array().unwrap().iter();
    let volumes = volumes.map(|volume| PathBuf::from(volume.as_str().unwrap())).collect();
    (sides, volumes)
}

fn assert_titles(said: &str) {
    assert!(said.contains("Update 1 (KB5000001)"), "{said}");
    assert!(said.contains("more; `--json` lists all"), "{said}");
    assert!(!said.contains(&update(1).to_string()), "{said}");
    for word in ["segment", "Segment"] {
        assert!(!said.contains(word), "{said}");
    }
}

#[test]
fn inspect_import_and_policy_name_updates_by_title_and_cut_long_lists() {
    let (sides, volumes) = carried(&[]);
    let volume = utf8(&volumes[0]);
    let root = sides.connected.data.join("keys/1.root.json");
    let nowhere = Program::at(sides.root(), "nowhere");
    let looked = said(&nowhere, &["inspect", volume, "--root", utf8(&root)], 0);
    assert_titles(&looked);
    assert!(looked.contains("install Update 1 (KB5000001) for Pilots, by a person"), "{looked}");
    assert!(!nowhere.data.exists(), "inspect makes no data folder");
    let all = said(&nowhere, &["inspect", volume, "--all", "--root", utf8(&root)], 0);
    assert!(all.contains("Update 9 (KB5000009)") && !all.contains("--json"), "{all}");
    let json = nowhere.run(&["inspect", volume, "--root", utf8(&root)]);
    assert_eq!(json["updates"].as_array().unwrap().len(), 12);
    assert_eq!(text(&json, "/volumes/0/sites/0"), "plant-7");

    let tried = said(&sides.isolated, &["import", "--dry-run", volume], 0);
    assert_titles(&tried);
    assert!(tried.contains("approve: install Update 1 (KB5000001) for Pilots"), "{tried}");
    assert_titles(&said(&sides.isolated, &["import", "--hold-policy", volume], 0));
    let line = "approve: install Update 1 (KB5000001) for Pilots [a person of the connected side]";
    assert!(said(&sides.isolated, &["policy", "diff"], 0).contains(line));
    assert_titles(&said(&sides.isolated, &["policy", "diff"], 0));
    let changes = sides.isolated.run(&["policy", "diff"]);
    let titled = changes.as_array().unwrap().iter().filter(|change| change["title"].is_string());
    assert_eq!(titled.count(), 12);
    let id = update(1).to_string();
    said(&sides.isolated, &["policy", "override", &id, "-g", "Pilots", "--keep-unapproved"], 1);
    said(&sides.isolated, &["groups", "add", "Pilots"], 0);
    said(&sides.isolated, &["policy", "override", &id, "-g", "Pilots", "--keep-unapproved"], 0);
    let shown = said(&sides.isolated, &["policy"], 0);
    assert!(shown.contains("keep-unapproved: Update 1 (KB5000001) for Pilots"), "{shown}");
}

#[test]
fn verify_ends_with_the_code_of_what_it_found() {
    let (sides, discs) = carried(&["--volume-size", "1MB"]);
    let root = sides.connected.data.join("keys/1.root.json");
    assert!(discs.len() >= 3, "{discs:?}");
    let names: Vec<&str> = discs.iter().map(|disc| utf8(disc)).collect();
    let verify = |discs: &[&str], code| {
        let root = ["--root", utf8(&root)];
        said(&sides.isolated, &[&["verify"], discs, &root].concat(), code)
    };
    verify(&names, 0);
    let text = verify(&names[1..], 4);
    assert!(text.contains("disc 1 is missing"), "{text}");
    // On the site, what was brought counts.
    let last = names.len() - 1;
    let lacking = said(&sides.isolated, &[&["verify"], &names[..last]].concat(), 4);
    assert!(lacking.contains("would still lack") && lacking.contains(" of \"Update "), "{lacking}");
    said(&sides.isolated, &["import", names[last]], 4);
    said(&sides.isolated, &[&["verify"], &names[..last]].concat(), 0);
    let lacks = said(&sides.isolated, &["import", names[0]], 4);
    assert!(lacks.contains("tidegate needs --out FILE") && lacks.contains("\"Update "), "{lacks}");
    let mut damaged = fs::read(&discs[1]).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&discs[1], damaged).unwrap();
    let text = verify(&names, 3);
    assert!(text.contains("disc 2 is damaged") && text.contains(": good"), "{text}");
    assert!(text.contains(" of \"Update "), "{text}");
}

/// Two snapshots a month apart, long ago.
#[test]
fn the_age_of_the_newest_snapshot_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[check]\nmax-age = \"45 days\"\n";
    let mirror = Program::init(folder.path(), "mirror", &[], config);
    mirror.run(&["keys", "init"]);
    assert_eq!(mirror.run(&["status"])["age"], Value::Null);
    mirror.run(&["check"]);
    let seal = |created: &str, site: &str| {
        let args = ["--created", created, "--site", site, "--clock-is-right", "--days", "100"];
        mirror.run(&[&["seal"], &args[..]].concat());
    };
    seal("2020-01-01T00:00:00Z", "plant-7");
    seal("2020-01-31T00:00:00Z", "plant-8");
    for outcome in [mirror.run(&["status"]), mirror.run_to(&["check"], 4)] {
        assert_eq!(number(&outcome, "/age/snapshot"), 2);
        assert_eq!(text(&outcome, "/age/next-expected"), "2020-03-01T00:00:00Z");
        assert_eq!(outcome["age"]["overdue"], true);
        assert_eq!(outcome["age"]["expired"], true);
        assert!(number(&outcome, "/age/days") > 2000);
    }
    // Without a bound in the configuration it is told, and nothing more.
    let told = said(&mirror, &["check"], 0);
    assert!(told.contains("Expired: ") && told.contains("Overdue: "), "{told}");
    let listed = said(&mirror, &["snapshots"], 0);
    assert!(listed.contains("Snapshot 2: sealed 2020-01-31"), "{listed}");
}
