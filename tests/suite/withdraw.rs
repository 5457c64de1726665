//! `tidegate withdraw`: out of the mirror, and out of the next snapshot.

use std::fs;

use serde_json::Value;

use crate::support::{
    program::{messages, number, run, text, utf8},
    sides::{bytes, document, update},
    stores::digests,
    two_sides::{TwoSides, listed},
};

/// Update 1 with a payload, a bundle 2 of it and a bundle 3 of either it or update 4.
fn sides() -> TwoSides {
    let sides = TwoSides::new();
    sides.put("1.xml", document(1, 1, &[digests(&bytes(1, 500))]));
    sides.put("1.bin", bytes(1, 500));
    sides.put("2.xml", bundle(2, &[1]));
    sides.put("3.xml", bundle(3, &[1, 4]));
    sides.put("4.xml", document(4, 1, &[digests(&bytes(4, 600))]));
    sides.put("4.bin", bytes(4, 600));
    sides.sync(&[], 0);
    sides
}

/// The document of a bundle of one of these updates.
fn bundle(n: u128, members: &[u128]) -> String {
    let members: String = members
        .iter()
        .map(|n| format!(r#"<UpdateIdentity UpdateID="{}" RevisionNumber="1" />"#, update(*n)))
        .collect();
    let relationships = format!(
        "<Relationships><BundledUpdates><AtLeastOne>{members}</AtLeastOne></BundledUpdates></Relationships>"
    );
    document(n, 1, &[]).replace("<Files></Files>", &relationships)
}

#[test]
fn what_is_withdrawn_goes_with_its_bundles_and_approvals_and_stays_away() {
    let sides = sides();
    let program = &sides.connected;
    let (one, two) = (update(1).to_string(), update(2).to_string());
    program.run(&["approve", &one, &two, "--group", "All Computers"]);
    let outcome = program.run(&["withdraw", &one, "--dry-run"]);
    assert_eq!(listed(&sides.connected), [1, 2, 3, 4]);
    assert_eq!(outcome["dry-run"], true);
    let outcome = program.run(&["withdraw", &one, "--yes"]);
    assert_eq!(text(&outcome, "/revisions/0/identity/id"), one);
    assert_eq!(outcome["bundles"].as_array().unwrap().len(), 1, "{outcome:#}");
    assert_eq!(text(&outcome, "/bundles/0/identity/id"), two);
    assert_eq!(outcome["approvals"].as_array().unwrap().len(), 2, "{outcome:#}");
    assert_eq!(listed(&sides.connected), [3, 4]);
    assert_eq!(program.run(&["approve", "--list"]), Value::Array(vec![]));
    // The source still has them: they stay away.
    sides.sync(&[], 0);
    assert_eq!(listed(&sides.connected), [3, 4]);
    let report = sides.export(&[], 0);
    assert_eq!(number(&report, "/sealed/revisions"), 2, "{report:#}");
    assert_eq!(number(&report, "/payloads"), 1, "its file was never to leave: {report:#}");
    let again = program.run(&["withdraw", &one, "--yes"]);
    assert_eq!(again["revisions"], Value::Array(vec![]), "{again:#}");

    program.run(&["withdraw", "--undo", &one, &two]);
    assert_eq!(listed(&sides.connected), [1, 2, 3, 4]);
    let report = sides.export(&[], 0);
    assert_eq!((number(&report, "/sealed/revisions"), number(&report, "/payloads")), (2, 1));
}

#[test]
fn nothing_is_withdrawn_unasked_and_only_by_the_mirror() {
    let sides = sides();
    let one = update(1).to_string();
    let output = sides.connected.command(&["withdraw", &one]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", messages(&output));
    assert!(messages(&output).contains("--yes"), "{}", messages(&output));
    assert!(messages(&output).contains(&update(2).to_string()), "what goes with it");
    assert_eq!(listed(&sides.connected), [1, 2, 3, 4]);
    let nobody = update(9).to_string();
    let output = sides.connected.command(&["withdraw", &one, &nobody, "--yes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(messages(&output).contains(&nobody), "{}", messages(&output));
    assert_eq!(listed(&sides.connected), [1, 2, 3, 4]);
    let output = sides.isolated.command(&["withdraw", &one, "--yes"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(messages(&output).contains("decline"), "{}", messages(&output));
}

/// Who publishes by mistake, withdraws it, and publishes rightly gets a new revision.
#[test]
fn what_was_withdrawn_may_be_published_again() {
    let sides = sides();
    let program = &sides.connected;
    let file = sides.root().join("setup.exe");
    fs::write(&file, b"MZ of our own").unwrap();
    let publish = || {
        program.run(&[
            "publish",
            utf8(&file),
            "--title",
            "Tool 2.1",
            "--product",
            "Contoso/Tools",
            "--command-line",
            "/S",
            "--applies-if",
            r"file:%ProgramFiles%\Contoso\tool.exe >= 2.1",
        ])
    };
    let first = publish();
    let id = text(&first, "/published/identity/id").to_owned();
    let listed = program.run(&["updates", "--all"]);
    let category = listed.as_array().unwrap().iter().find(|one| one["title"] == "Tools").unwrap();
    program.run(&["withdraw", &id, text(category, "/identity/id"), "--yes"]);
    let second = publish();
    assert_eq!(text(&second, "/published/identity/id"), id);
    assert_eq!(
        (
            number(&first, "/published/identity/revision"),
            number(&second, "/published/identity/revision")
        ),
        (1, 2)
    );
    let listed = program.run(&["updates", "--all"]);
    let offered = |title: &str| {
        listed
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["title"] == title && one["withdrawn"] == false)
    };
    assert!(offered("Tool 2.1") && offered("Tools"), "{listed:#}");
}

/// What no snapshot had concerns no site; a second undo has nothing to do.
#[test]
fn it_says_whether_sites_are_concerned() {
    let sides = sides();
    let data = &sides.connected.data;
    let one = update(4).to_string();
    let say = |args: &[&str]| {
        let output = run(data, &[&["withdraw", &one], args].concat());
        assert!(output.status.success(), "{}", messages(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    let said = say(&["--yes"]);
    assert!(said.contains("no site has had them"), "{said}");
    assert!(say(&["--undo"]).contains("1 revision is offered again"));
    assert!(say(&["--undo"]).contains("Nothing to offer again"));
    sides.export(&[], 0);
    let said = say(&["--yes"]);
    assert!(said.contains("sites follow with the next bundle"), "{said}");
}

/// Bundle 6 is of an English or a German member, and only English is carried: without the English one the
/// bundle stays in the mirror, with its approval, and is offered to nobody.
#[test]
fn bundles_that_lose_their_last_alternative_with_files_are_named_before_it_happens() {
    let sides = sides();
    let program = &sides.connected;
    let member = |n: u64, language: &str| {
        let properties = format!("><Language>{language}</Language></Properties><Localized");
        let whole = document(n.into(), 1, &[digests(&bytes(n, 600))]);
        whole.replacen(" /><Localized", &properties, 1)
    };
    sides.put("5.xml", member(5, "de"));
    sides.put("7.xml", member(7, "en"));
    sides.put("7.bin", bytes(7, 600));
    sides.put("6.xml", bundle(6, &[7, 5]));
    sides.sync(&["--languages", "en"], 0);
    let (three, six, seven) = (update(3).to_string(), update(6).to_string(), update(7).to_string());
    program.run(&["approve", &three, &six, "--group", "All Computers"]);
    let said = run(&program.data, &["withdraw", &seven, "--dry-run"]);
    let said = String::from_utf8(said.stdout).unwrap();
    let expected = format!("\"Update 6\" ({six}): approved, and no longer offered");
    assert!(said.contains(&expected), "{said}");
    for how in ["--dry-run", "--yes"] {
        let outcome = program.run(&["withdraw", &seven, how]);
        assert_eq!(outcome["approvals"], Value::Array(vec![]), "{outcome:#}");
        let named = outcome["no-longer-offered"].as_array().unwrap();
        assert_eq!(named.len(), 1, "3 is as before: {outcome:#}");
        assert_eq!(text(&outcome, "/no-longer-offered/0/update"), six);
    }
}
