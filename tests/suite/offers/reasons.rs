//! Whatever is approved is offered, or has a reason.

use super::*;

/// The reasons of every approval, by update.
fn reasons(side: &Program) -> Vec<(String, Vec<String>)> {
    let list = side.run(&["approve", "--list"]);
    let name = |reason: &Value| text(reason, "/reason").to_owned();
    let mut found: Vec<(String, Vec<String>)> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let waiting = entry["waiting"].as_array().unwrap().iter().map(name).collect();
            (text(entry, "/approval/update").to_owned(), waiting)
        })
        .collect();
    found.sort();
    found
}

#[test]
fn whatever_is_approved_is_offered_or_has_a_reason() {
    let sides = TwoSides::new();
    let mut unfit = Document::new(4).file("d.cab", "here");
    unfit.prerequisites += "<AtLeastOne />";
    let mut licence = Document::new(5).file("e.cab", "here");
    licence.eula = r#" EulaID="5d000000-0000-4000-8000-000000000005""#;
    let documents = [
        Document::new(1).file("a.cab", "here"),
        Document::new(2).file("b.cab", "not here"),
        Document::new(3).file("c.cab", "here").needs(&[99]),
        unfit,
        licence,
        Document::new(6).file("f.cab", "here").supersedes(7),
        Document::new(7).file("g.cab", "here").supersedes(6),
        Document::new(8).file("h.cab", "here").supersedes(1000),
        Document::member(9, "de").file("i.cab", "auch nicht hier"),
    ];
    let documents: Vec<Document> =
        documents.into_iter().map(|document| Document { member: false, ..document }).collect();
    put(&sides, &documents, &["here"]);
    sides.sync(&[], 0);
    let all = ["approve", "--all", "--superseded", "--accept-eula", "--group", "All Computers"];
    let approved = sides.connected.run(&all);
    assert_eq!(approved["waiting"].as_array().unwrap().len(), 6, "{approved:#}");
    let imported = carry(&sides);
    assert_eq!(imported["waiting"]["updates"], 6, "{imported:#}");

    let side = &sides.isolated;
    let expected: Vec<(String, Vec<String>)> = [
        (1, vec![]),
        (2, vec!["missing-file"]),
        (3, vec!["prerequisite-not-here"]),
        (4, vec!["unfit-clause"]),
        (5, vec![]),
        (6, vec!["superseded-ring"]),
        (7, vec!["superseded-ring"]),
        (8, vec![]),
        (9, vec!["missing-file"]),
    ]
    .into_iter()
    .map(|(n, names)| (numbered(n).to_string(), names.into_iter().map(str::to_owned).collect()))
    .collect();
    assert_eq!(reasons(side), expected);
    let offered = offered(side, sides.root());
    for (update, reasons) in reasons(side) {
        assert_eq!(offered.contains(&update), reasons.is_empty(), "{update}: {reasons:?}");
    }
    let text =
        String::from_utf8(crate::support::program::run(&side.data, &["status"]).stdout).unwrap();
    assert!(text.contains("Not offered: 6 approved updates"), "{text}");
    assert!(text.contains("files are missing (2): Update 2, Update 9\n"), "{text}");
}

/// The reasons of one update, whole.
fn waiting(side: &Program, n: u128) -> Vec<Value> {
    side.run(&["updates", &numbered(n).to_string()])["waiting"].as_array().unwrap().clone()
}

/// Their names.
fn names(side: &Program, n: u128) -> Vec<String> {
    waiting(side, n).iter().map(|reason| text(reason, "/reason").to_owned()).collect()
}

#[test]
fn decisions_and_publishers_are_reasons_too() {
    let sides = TwoSides::new();
    let mut licence = Document::new(1).file("a.cab", "here");
    licence.eula = r#" EulaID="5d000000-0000-4000-8000-000000000005""#;
    let documents = [
        licence,
        Document::new(2).file("b.cab", "here"),
        Document::new(3).file("c.cab", "here"),
        Document::new(4).file("d.cab", "other bytes"),
    ];
    put(&sides, &documents, &["here"]);
    sides.sync(&[], 0);
    let side = &sides.connected;
    let all = ["approve", "--all", "--accept-eula", "--group", "All Computers"];
    side.run(&all);
    carry(&sides);
    // Declined on the isolated side where it was approved: `approve` ends that, and says so.
    let (two, group) = (numbered(2).to_string(), "All Computers");
    sides.isolated.run(&["decline", &two]);
    // A newer revision is withdrawn by its publisher.
    let expired = Document::new(3).file("c.cab", "here").xml();
    let expired = expired
        .replace(r#"RevisionNumber="1""#, r#"RevisionNumber="2""#)
        .replace(r#"UpdateType="Software""#, r#"UpdateType="Software" PublicationState="Expired""#);
    sides.put("3-2.xml", expired);
    // The licence is another one, which nobody has accepted.
    let licence = Document::new(1).file("a.cab", "here");
    let licence = Document { eula: r#" EulaID="5d000000-0000-4000-8000-000000000006""#, ..licence };
    let licence = licence.xml().replace(r#"RevisionNumber="1""#, r#"RevisionNumber="2""#);
    sides.put("1-2.xml", licence);
    sides.sync(&[], 0);
    carry(&sides);
    for side in [&sides.connected, &sides.isolated] {
        assert_eq!(names(side, 1), ["licence-not-accepted"]);
        assert_eq!(names(side, 3), ["expired"]);
        assert_eq!(names(side, 4), ["missing-file"]);
        assert_eq!(offered(side, sides.root()).contains(&two), side.data == sides.connected.data);
    }
    assert_eq!(waiting(&sides.isolated, 1)[0]["licence"], "5d000000-0000-4000-8000-000000000006");
    let list = sides.isolated.run(&["approve", "--list"]);
    assert!(!list.to_string().contains(&two), "its approvals went: {list:#}");
    let approved = sides.isolated.run(&["approve", &two, "--group", group]);
    assert_eq!(approved["updates"][0]["no-longer-declined"], true, "{approved:#}");
    assert_eq!(names(&sides.isolated, 2), Vec::<String>::new());
}

/// A file that was here once is not missing for its language; nor is one whose neighbour was withdrawn.
#[test]
fn the_language_is_the_reason_only_where_it_is() {
    let sides = TwoSides::new();
    let documents = [
        Document::new(10).bundles(&[11, 12]),
        Document::member(11, "en").file("en.cab", "english"),
        Document::member(12, "de").file("de.cab", "deutsch"),
        Document::new(20).bundles(&[21, 22]),
        Document::member(21, "en").file("en2.cab", "english two"),
        Document::member(22, "de").file("de2.cab", "deutsch zwei"),
        Document::new(30).file("plain.cab", "plain"),
    ];
    put(&sides, &documents, &["english", "english two", "plain"]);
    sides.sync(&["--languages", "en"], 0);
    let side = &sides.connected;
    side.run(&["approve", "--all", "--group", "All Computers"]);
    carry(&sides);
    for side in [&sides.connected, &sides.isolated] {
        assert_eq!(offered(side, sides.root()), ids(&[10, 20, 30]));
    }
    // The files of one are lost.
    let lost = bundle_format::digest::Sha256::hash(b"english").to_string();
    for side in [&sides.connected, &sides.isolated] {
        let here = side.run(&["status"])["catalogue"]["present"].as_u64().unwrap();
        std::fs::remove_file(side.data.join("content").join(&lost[..2]).join(&lost)).unwrap();
        for after in [false, true] {
            if after {
                side.run_to(&["check", "--put-aside"], 1);
            }
            assert_eq!(names(side, 10), ["missing-file"], "put aside: {after}");
            assert_eq!(waiting(side, 10)[0]["files"], serde_json::json!(["en.cab"]));
            let status = side.run(&["status"]);
            assert_eq!(status["lost"]["payloads"], u64::from(!after));
            assert_eq!(status["lost"]["bytes"], if after { 0 } else { 7 });
            assert_eq!(status["catalogue"]["present"], here - 1, "put aside: {after}");
            assert_eq!(offered(side, sides.root()), ids(&[20, 30]), "put aside: {after}");
        }
    }
    // The member of the other is withdrawn.
    side.run(&["withdraw", &numbered(21).to_string(), "--yes", "--revision", "1"]);
    assert_eq!(names(side, 20), ["member-not-here"]);
    assert_eq!(waiting(side, 20)[0]["updates"][0]["title"], "Update 21");
}

/// What is lost is said with the names that people know.
#[test]
fn a_lost_file_is_named() {
    let sides = TwoSides::new();
    put(&sides, &[Document::new(1).file("a.cab", "here")], &["here"]);
    sides.sync(&[], 0);
    let side = &sides.connected;
    // Nothing is there: the disk is missing, and the catalogue counts.
    std::fs::rename(side.data.join("content"), side.data.join("elsewhere")).unwrap();
    assert_eq!(side.run(&["status"])["lost"]["payloads"], 0);
    std::fs::rename(side.data.join("elsewhere"), side.data.join("content")).unwrap();
    put(&sides, &[Document::new(2).file("b.cab", "here too")], &["here too"]);
    sides.sync(&[], 0);
    let lost = bundle_format::digest::Sha256::hash(b"here").to_string();
    std::fs::remove_file(side.data.join("content").join(&lost[..2]).join(&lost)).unwrap();
    let output = crate::support::program::run(&side.data, &["status"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("Lost: 1 payload (4 B) gone"), "{said}");
    assert!(said.contains("a.cab of \"Update 1\""), "{said}");
}

/// Changes a database of a side behind its back.
fn behind(side: &Program, database: &str, sql: &str) {
    let connection = rusqlite::Connection::open(side.data.join(database)).unwrap();
    assert_eq!(connection.execute(sql, [numbered(2).0.as_bytes()]).unwrap(), 1, "{sql}");
}

/// What no agent can be given is no update that is offered: it has a reason where a server ran.
#[test]
fn an_unreadable_document_and_a_decline_beside_an_approval_are_reasons() {
    let sides = TwoSides::new();
    let side = &sides.connected;
    let everything = ["approve", "--all", "--group", "All Computers"];
    put(&sides, &[Document::new(1).file("a.cab", "here")], &["here"]);
    sides.sync(&[], 0);
    side.run(&everything);
    assert_eq!(offered(side, sides.root()), ids(&[1]));
    put(&sides, &[Document::new(2).file("a.cab", "here")], &[]);
    sides.sync(&[], 0);
    side.run(&everything);
    assert_eq!(names(side, 2), Vec::<String>::new());
    let lose = "DELETE FROM document WHERE revision_id =
        (SELECT revision_id FROM revision WHERE update_id = ?1)";
    behind(side, "catalog.sqlite", lose);
    assert_eq!(names(side, 2), ["unreadable-document"]);
    assert_eq!(offered(side, sides.root()), ids(&[1]));
    let decline = "INSERT INTO declined (update_id, origin, changed, change)
        VALUES (?1, 'policy', '2026-01-01T00:00:00Z', 1)";
    behind(side, "fleet.sqlite", decline);
    assert_eq!(names(side, 2), ["declined"]);
}

/// Who packs a bundle learns what will wait at the site.
#[test]
fn seal_and_export_say_how_much_waits() {
    let sides = TwoSides::new();
    let side = &sides.connected;
    put(&sides, &[Document::new(1).file("a.cab", "not here")], &[]);
    sides.sync(&[], 0);
    side.run(&["approve", "--all", "--group", "All Computers"]);
    let sealed = side.run(&["seal"]);
    let exported = sides.export(&[], 0);
    for said in [sealed, exported] {
        assert_eq!(said["waiting"]["updates"], 1, "{said:#}");
        assert_eq!(said["waiting"]["reasons"][0]["reason"], "missing-file", "{said:#}");
    }
    let output = crate::support::program::run(&side.data, &["seal"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("1 approved update; `tidegate approve --list` says why"), "{said}");
}

/// A source may hold thousands of odd documents: the rest is in the JSON form.
#[test]
fn no_more_than_twenty_notes_are_told() {
    let sides = TwoSides::new();
    let mut documents: Vec<Document> = (1..=25).map(Document::new).collect();
    for document in &mut documents {
        document.prerequisites += "<AtLeastOne />";
    }
    put(&sides, &documents, &[]);
    let source = sides.source();
    let args = ["sync", "--from", crate::support::program::utf8(&source)];
    let output = crate::support::program::run(&sides.connected.data, &args);
    let said = crate::support::program::messages(&output);
    assert_eq!(said.matches("requires one of no updates").count(), 20, "{said}");
    assert!(said.contains("and 5 more notes"), "{said}");
}

/// However far up it is missing: nobody can install what needs it, and it is named, also before it goes.
#[test]
fn what_a_prerequisite_needs_in_its_turn_is_a_reason_too() {
    let sides = TwoSides::new();
    let mut unfit = Document::new(34).file("z.cab", "here");
    unfit.prerequisites += "<AtLeastOne />";
    let documents = [
        Document::new(31).file("a.cab", "here").needs(&[32]),
        Document::new(32).file("b.cab", "here").needs(&[33]),
        Document::new(33).file("c.cab", "here").needs(&[99]),
        unfit,
        Document::new(35).file("d.cab", "here").needs(&[34]),
        // One of two ways is enough.
        Document::new(36).file("e.cab", "here").needs(&[33, 37]),
        Document::new(37).file("f.cab", "here"),
        Document::new(38).file("g.cab", "here").needs(&[37]),
        Document::new(39).file("h.cab", "here").needs(&[38]),
    ];
    let documents: Vec<Document> =
        documents.into_iter().map(|document| Document { member: false, ..document }).collect();
    put(&sides, &documents, &["here"]);
    sides.sync(&[], 0);
    let all = ["approve", "--all", "--group", "All Computers"];
    sides.connected.run(&all);
    let side = &sides.connected;
    for (update, expected) in [
        (31, vec!["prerequisite-not-here"]),
        (32, vec!["prerequisite-not-here"]),
        (33, vec!["prerequisite-not-here"]),
        (35, vec!["unfit-clause"]),
        (36, vec![]),
        (39, vec![]),
    ] {
        assert_eq!(names(side, update), expected, "{update}");
    }
    assert_eq!(waiting(side, 31)[0]["updates"][0]["update"], numbered(99).to_string());
    let would = side.run(&["withdraw", &numbered(37).to_string(), "--dry-run"]);
    let named: Vec<&str> = would["no-longer-offered"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["update"].as_str().unwrap())
        .collect();
    for lost in [36, 38, 39] {
        assert!(named.contains(&numbered(lost).to_string().as_str()), "{lost}: {named:?}");
    }
}
