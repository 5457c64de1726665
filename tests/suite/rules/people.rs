//! What rules leave to people: their decisions, taking back, and mending what is broken.

use rusqlite::Connection;
use tidegate::{
    approval::rules::{Criteria, Glob, Rule, RunOptions, add, list, run},
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin},
};
use uuid::Uuid;

use super::{
    One, UPDATES, approved, days, document, fleet, mirror, names, numbers, of_security, really,
    rule,
};
use crate::support::{clock::now, sides::update};

#[test]
fn people_win() {
    let mirror = mirror();
    let mut store = fleet(&mirror);
    add(&mirror.catalog(), &mut store, &rule("security", of_security()), false).unwrap();
    store.decline(update(3), Origin::Local, now()).unwrap();
    store
        .approve(update(4), ALL_COMPUTERS, ApprovalAction::Block, None, Origin::Local, now())
        .unwrap();
    let difference = really(&mirror, now());
    let skipped = &difference.rules[0].skipped;
    let why = |n| &skipped.iter().find(|s| s.update == update(n)).unwrap().why;
    assert!(why(3).contains("declined"), "{skipped:?}");
    assert!(why(4).contains("block"), "{skipped:?}");
    assert!(why(5).contains("licence"), "{skipped:?}");
    assert_eq!((approved(&mirror), difference.is_empty()), (vec![4], true));

    // What a person declines, takes over or takes back is no rule's business any more.
    store.undecline(update(3)).unwrap();
    store.accept_eula("licence-x", now()).unwrap();
    really(&mirror, now());
    assert_eq!(approved(&mirror), [3, 4, 5]);
    assert!(store.unapprove(update(3), ALL_COMPUTERS).unwrap());
    let mine = |fleet: &mut Fleet, action| {
        fleet.approve(update(5), ALL_COMPUTERS, action, None, Origin::Local, now()).unwrap()
    };
    assert!(mine(&mut store, ApprovalAction::Install), "the same, but now a person's");
    assert!(!mine(&mut store, ApprovalAction::Install));
    let difference = really(&mirror, now());
    let skipped = &difference.rules[0].skipped;
    assert!(
        skipped.iter().any(|s| s.update == update(3) && s.why.contains("taken")),
        "{skipped:?}"
    );
    assert_eq!((approved(&mirror), difference.is_empty()), (vec![4, 5], true));
    // Nor does a rule take a person's approval back.
    store.enable_rule("security", true).unwrap();
    add(
        &mirror.catalog(),
        &mut store,
        &rule("security", Criteria { titles: vec![Glob::new("none")], ..Criteria::default() }),
        true,
    )
    .unwrap();
    let options = RunOptions { dry_run: false, take_back: true };
    assert!(run(&mirror.catalog(), &mut store, options, now()).unwrap().is_empty());
    assert_eq!(approved(&mirror), [4, 5]);
}

#[test]
fn nothing_is_taken_back_unless_it_is_asked_for() {
    let mirror = mirror();
    let mut store = fleet(&mirror);
    let ripe = rule("ripe", Criteria { min_age: days(7), ..of_security() });
    add(&mirror.catalog(), &mut store, &ripe, false).unwrap();
    really(&mirror, now());
    assert_eq!(approved(&mirror), [2, 4]);
    // A new revision of 4 is too young to be approved, but 4 was. 2 is superseded when 3 is ripe.
    mirror.add_document(&document(
        &One { created: "2026-02-09T00:00:00Z", ..Clone::clone(&UPDATES[3]) },
        2,
    ));
    let later = "2026-02-10T04:05:06Z".parse().unwrap();
    let seen = really(&mirror, later);
    assert_eq!(numbers(seen.rules[0].no_longer.iter().map(|item| item.update)), [2]);
    assert_eq!(approved(&mirror), [2, 3, 4]);
    let options = RunOptions { dry_run: true, take_back: true };
    let dry = run(&mirror.catalog(), &mut store, options, later).unwrap();
    assert!(!dry.is_empty());
    assert_eq!(approved(&mirror), [2, 3, 4]);
    let options = RunOptions { dry_run: false, ..options };
    run(&mirror.catalog(), &mut store, options, later).unwrap();
    assert_eq!(approved(&mirror), [3, 4]);
    // It may come again: a rule took it back, not a person.
    let wider = rule("ripe", Criteria { superseded: true, ..of_security() });
    add(&mirror.catalog(), &mut store, &wider, true).unwrap();
    really(&mirror, later);
    assert_eq!(approved(&mirror), [1, 2, 3, 4]);
    // A rule that is off, or gone, approves nothing and takes nothing back.
    store.enable_rule("ripe", false).unwrap();
    assert!(run(&mirror.catalog(), &mut store, options, later).unwrap().rules.is_empty());
    store.remove_rule("RIPE").unwrap();
    assert_eq!(approved(&mirror), [1, 2, 3, 4]);
}

#[test]
fn what_cannot_be_meant_is_refused_and_a_broken_rule_stops_no_other() {
    let mirror = mirror();
    let mut store = fleet(&mirror);
    let mut refused = |rule: &Rule, says: &str| {
        let error = add(&mirror.catalog(), &mut store, rule, false).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    };
    refused(&rule("x", Criteria::default()), "--title '*'");
    refused(&rule("x", Criteria { superseded: true, ..Criteria::default() }), "--title '*'");
    let windows = Criteria { products: names(&["Windows"]), ..Criteria::default() };
    refused(&rule("x", windows), "Windows 11");
    let mut nobody = rule("x", of_security());
    nobody.body.groups = vec![Uuid::from_u128(5)];
    refused(&nobody, "no group");
    refused(&rule(" x", of_security()), "space");

    let group = store.create_group("g", None).unwrap().id;
    let mut one = rule("one", of_security());
    one.body.groups = vec![group];
    add(&mirror.catalog(), &mut store, &one, false).unwrap();
    add(&mirror.catalog(), &mut store, &rule("two", of_security()), false).unwrap();
    assert!(add(&mirror.catalog(), &mut store, &rule("TWO", of_security()), false).is_err());
    store.remove_group(group).unwrap();
    let db = Connection::open(mirror.data.fleet()).unwrap();
    db.execute(
        "INSERT INTO rule VALUES ('newer', 9, 1, '{\"criteria\":{\"moon-phase\":\"full\"},\"groups\":[],\"action\":\"install\"}', '')",
        [],
    )
    .unwrap();
    let difference = really(&mirror, now());
    assert!(!difference.is_complete());
    let problems: Vec<_> =
        difference.rules.iter().map(|r| (r.rule.as_str(), r.problem.is_some())).collect();
    assert_eq!(problems, [("one", true), ("two", false), ("newer", true)]);
    assert_eq!(approved(&mirror), [3, 4]);
    assert!(list(&store).unwrap_err().to_string().contains("moon-phase"));
}
