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
        (9, vec!["language"]),
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
    assert!(text.contains("files are missing (1): Update 2\n"), "{text}");
}
