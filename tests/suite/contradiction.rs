//! Documents that name a payload with another size or other digests than it has: vendors write
//! such. They are set aside or left out, and everything else goes on.

use bundle_format::digest::{PayloadDigests, Sha256};
use serde_json::Value;

use crate::support::{
    program::{messages, number, run, text},
    sides::{bytes, document, update},
    stores::digests,
    two_sides::{TwoSides, listed},
};

/// What a document may say wrongly of a payload whose SHA-1 it names rightly.
fn lies(payload: &[u8]) -> [PayloadDigests; 3] {
    let right = digests(payload);
    let with = |byte| Sha256::from_bytes([byte; 32]);
    [
        PayloadDigests { sha256: with(0), ..right.clone() },
        PayloadDigests { sha256: with(0xff), ..right.clone() },
        PayloadDigests { size: right.size + 1, ..right },
    ]
}

#[test]
fn a_wrong_document_beside_a_right_one_keeps_nothing_back() {
    for lie in lies(&bytes(1, 500)) {
        for (wrong, right) in [("a.xml", "b.xml"), ("b.xml", "a.xml")] {
            let sides = TwoSides::new();
            sides.put(right, document(1, 1, &[digests(&bytes(1, 500))]));
            sides.put(wrong, document(2, 1, std::slice::from_ref(&lie)));
            sides.put("c.xml", document(3, 1, &[digests(&bytes(3, 700))]));
            sides.put("payload", bytes(1, 500));
            sides.put("other", bytes(3, 700));
            let synced = sides.sync(&[], 4);
            assert_eq!(number(&synced, "/payloads-added"), 2, "{synced:#}");
            assert_eq!(number(&synced, "/new-revisions"), 3, "{synced:#}");
            assert_eq!(synced["problems"], Value::Array(vec![]), "it is taken in: {synced:#}");
            assert_eq!(synced["left-out"].as_array().unwrap().len(), 1, "{synced:#}");
            assert_eq!(text(&synced, "/left-out/0/identity/id"), update(2).to_string());
            let report = sides.carry(4);
            assert_eq!(
                text(&report, "/sealed/left-out/0/identity/id"),
                update(2).to_string(),
                "{report:#}"
            );
            assert_eq!(listed(&sides.isolated), [1, 3]);
        }
    }
}

#[test]
fn a_wrong_document_that_comes_after_the_payload_is_set_aside() {
    let sides = TwoSides::new();
    sides.put("a.xml", document(1, 1, &[digests(&bytes(1, 500))]));
    sides.put("payload", bytes(1, 500));
    sides.sync(&[], 0);
    for lie in lies(&bytes(1, 500)) {
        sides.put("b.xml", document(2, 1, &[lie]));
        sides.put("c.xml", document(3, 1, &[]));
        let synced = sides.sync(&[], 4);
        assert_eq!(text(&synced, "/problems/0/where"), "b.xml");
        assert!(text(&synced, "/problems/0/what").starts_with("set aside"), "{synced:#}");
        let report = sides.carry(0);
        assert_eq!(report["sealed"]["left-out"], Value::Array(vec![]));
        assert_eq!(listed(&sides.isolated), [1, 3]);
    }
}

/// It was sealed before the payload showed that it is wrong: a site must not refuse what follows.
#[test]
fn a_wrong_document_of_an_earlier_snapshot_is_withdrawn() {
    let sides = TwoSides::new();
    let [lie, ..] = lies(&bytes(1, 500));
    sides.put("b.xml", document(2, 1, &[lie]));
    sides.sync(&[], 0);
    sides.carry(0);
    assert_eq!(listed(&sides.isolated), [2]);
    sides.put("a.xml", document(1, 1, &[digests(&bytes(1, 500))]));
    sides.put("payload", bytes(1, 500));
    sides.sync(&[], 4);
    let report = sides.carry(4);
    assert_eq!(number(&report, "/sealed/withdrawals"), 1, "{report:#}");
    assert_eq!(listed(&sides.isolated), [1]);
    // Once more: named again, nothing new.
    sides.sync(&[], 4);
    let report = sides.carry(4);
    assert_eq!(report["sealed"]["new"], false, "{report:#}");
    // A corrected revision comes, and nothing more is said of the wrong one.
    sides.put("b.xml", document(2, 2, &[digests(&bytes(1, 500))]));
    sides.sync(&[], 0);
    let report = sides.carry(0);
    assert_eq!(report["sealed"]["left-out"], Value::Array(vec![]), "{report:#}");
    assert_eq!(listed(&sides.isolated), [1, 2]);
    assert_eq!(sides.connected.run(&["status"])["left-out"], Value::Array(vec![]));
    sides.connected.run(&["check"]);
}

/// As long as it is left out, everything says so, and decisions on it can be taken and taken back.
#[test]
fn what_is_left_out_is_shown_until_it_is_withdrawn() {
    let sides = TwoSides::new();
    let side = &sides.connected;
    let id = update(2).to_string();
    let [lie, ..] = lies(&bytes(1, 500));
    sides.put("b.xml", document(2, 1, &[lie]));
    sides.sync(&[], 0);
    side.run(&["approve", &id, "--group", "All Computers"]);
    sides.put("a.xml", document(1, 1, &[digests(&bytes(1, 500))]));
    sides.put("payload", bytes(1, 500));
    sides.sync(&[], 4);
    for _ in 0..2 {
        let status = side.run(&["status"]);
        assert_eq!(text(&status, "/left-out/0/identity/id"), id, "{status:#}");
        assert_eq!(number(&status, "/catalogue/left-out"), 1);
        assert_eq!(number(&status, "/catalogue/withdrawn"), 0);
        assert_eq!(text(&status, "/waiting/reasons/0/reason"), "contradicting-digest");
        let shown = side.run(&["updates", &id]);
        assert!(text(&shown, "/left-out").contains("names the file"), "{shown:#}");
        assert_eq!(text(&shown, "/waiting/0/reason"), "contradicting-digest", "{shown:#}");
        assert_eq!(listed(side), [1, 2]);
        let found = side.run_to(&["check"], 1);
        assert!(text(&found, "/problems/0").contains(&id), "{found:#}");
        let approvals = side.run(&["approve", "--list"]);
        assert_eq!(text(&approvals, "/0/title"), "Update 2", "{approvals:#}");
        assert_eq!(text(&approvals, "/0/waiting/0/reason"), "contradicting-digest");
        // After the seal as before.
        sides.carry(4);
    }
    assert_eq!(listed(&sides.isolated), [1]);
    let output = run(&side.data, &["status"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("Left out of snapshots: 1 revision"), "{said}");
    let removed = side.run(&["approve", "--remove", &id, "--group", "All Computers"]);
    assert_eq!(removed["removed"].as_array().unwrap().len(), 1, "{removed:#}");
    let refused = side.run_to(&["approve", &id, "--group", "All Computers"], 4);
    assert!(text(&refused, "/updates/0/why").contains("no snapshot gets it"), "{refused:#}");
    side.run(&["decline", &id]);
    side.run(&["decline", "--undo", &id]);
    side.run(&["withdraw", &id, "--yes"]);
    sides.sync(&[], 0);
    let status = side.run(&["status"]);
    assert_eq!(status["left-out"], Value::Array(vec![]), "{status:#}");
    assert_eq!(number(&status, "/catalogue/withdrawn"), 1);
    sides.carry(0);
    assert_eq!(listed(side), [1]);
}

/// What was decided of an update can be taken back when the catalogue does not have it any more.
#[test]
fn decisions_outlive_their_updates_and_can_be_taken_back() {
    let sides = TwoSides::new();
    let side = &sides.connected;
    let id = update(1).to_string();
    sides.put("a.xml", document(1, 1, &[]));
    sides.sync(&[], 0);
    side.run(&["decline", &id]);
    side.run(&["withdraw", &id, "--yes"]);
    side.run(&["decline", "--undo", &id]);
    let output = side.command(&["decline", "--undo", &id]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(messages(&output).contains("there is no update"), "{}", messages(&output));
}

/// A bundle that needs what is left out says so, on both sides.
#[test]
fn a_bundle_of_what_is_left_out_says_what_it_lacks() {
    let sides = TwoSides::new();
    let [lie, ..] = lies(&bytes(1, 500));
    sides.put("b.xml", document(2, 1, &[lie]));
    sides.put("c.xml", document(3, 1, &[]).replace(
        "<Files></Files>",
        &format!(
            r#"<Relationships><BundledUpdates><UpdateIdentity UpdateID="{}" RevisionNumber="1" /></BundledUpdates></Relationships>"#,
            update(2)
        ),
    ));
    sides.sync(&[], 0);
    sides.connected.run(&["approve", &update(3).to_string(), "--group", "All Computers"]);
    sides.put("a.xml", document(1, 1, &[digests(&bytes(1, 500))]));
    sides.put("payload", bytes(1, 500));
    sides.sync(&[], 4);
    sides.carry(4);
    for side in [&sides.connected, &sides.isolated] {
        let shown = side.run(&["updates", &update(3).to_string()]);
        assert_eq!(text(&shown, "/waiting/0/reason"), "member-not-here", "{shown:#}");
        assert_eq!(text(&shown, "/waiting/0/updates/0/update"), update(2).to_string());
    }
    let shown = sides.connected.run(&["updates", &update(3).to_string()]);
    assert_eq!(text(&shown, "/waiting/0/updates/0/title"), "Update 2", "{shown:#}");
}

/// Offering it again does not bring it into snapshots, and nothing says that it does.
#[test]
fn what_contradicts_is_not_said_to_be_offered_again() {
    let sides = TwoSides::new();
    let side = &sides.connected;
    let id = update(2).to_string();
    let [lie, ..] = lies(&bytes(1, 500));
    sides.put("b.xml", document(2, 1, &[lie]));
    sides.put("a.xml", document(1, 1, &[digests(&bytes(1, 500))]));
    sides.put("payload", bytes(1, 500));
    sides.sync(&[], 4);
    side.run(&["withdraw", &id, "--yes"]);
    for how in [&["--dry-run"][..], &[]] {
        let offered = side.run_to(&[&["withdraw", &id, "--undo"], how].concat(), 4);
        assert!(text(&offered, "/0/left-out").contains("names the file"), "{offered:#}");
    }
    assert_eq!(text(&side.run(&["status"]), "/left-out/0/identity/id"), id);
    let report = side.run_to(&["check"], 1);
    let found = text(&report, "/problems/0");
    assert!(
        found.contains("left out of snapshots") && found.contains("`tidegate withdraw"),
        "{found}"
    );
    side.run(&["withdraw", &id, "--yes"]);
    let said = run(&side.data, &["withdraw", &id, "--undo"]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(
        said.contains("not offered: it names") && said.contains("0 revisions are off"),
        "{said}"
    );
}
