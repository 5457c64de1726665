//! Approval rules: what they mean, what they change, and what they leave to people.

mod people;

use jiff::Timestamp;
use rusqlite::Connection;
use tidegate::{
    approval::rules::{Body, Criteria, Glob, Period, Rule, RuleChanges, RunOptions, add, run},
    catalog::Catalog,
    data_dir::DataDir,
    fleet::{ALL_COMPUTERS, ApprovalAction, ApprovingRule, Fleet, NewApproval, Origin},
    update::UpdateId,
};

use crate::support::{
    clock::now,
    program,
    sides::{Mirror, copy_folder, update},
};

const FAMILY: u128 = 900;
const WINDOWS: u128 = 901;
const OFFICE: u128 = 902;
const SECURITY: u128 = 910;
const DRIVERS: u128 = 911;

/// A category document.
fn category(n: u128, kind: &str, title: &str, below: Option<u128>) -> String {
    let below = below.map(|id| requires(&[id])).unwrap_or_default();
    format!(
        r#"<Update xmlns="http://schemas.microsoft.com/msus/2002/12/Update"><UpdateIdentity UpdateID="{}" RevisionNumber="1" /><Properties DefaultPropertiesLanguage="en" UpdateType="Category" ExplicitlyDeployable="false" CreationDate="2020-01-01T00:00:00Z" /><LocalizedPropertiesCollection><LocalizedProperties><Language>en</Language><Title>{title}</Title></LocalizedProperties></LocalizedPropertiesCollection>{below}<HandlerSpecificData><CategoryInformation xmlns="http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category" CategoryType="{kind}" ProhibitsSubcategories="true" /></HandlerSpecificData></Update>"#,
        update(n)
    )
}

fn requires(categories: &[u128]) -> String {
    let clauses: String = categories
        .iter()
        .map(|id| {
            format!(
                r#"<AtLeastOne IsCategory="true"><UpdateIdentity UpdateID="{}" /></AtLeastOne>"#,
                update(*id)
            )
        })
        .collect();
    format!("<Relationships><Prerequisites>{clauses}</Prerequisites></Relationships>")
}

/// An update of the table below.
struct One {
    n: u128,
    title: &'static str,
    created: &'static str,
    severity: Option<&'static str>,
    of: &'static [u128],
    supersedes: Option<u128>,
    eula: bool,
}

fn document(one: &One, revision: u32) -> String {
    let severity = one.severity.map(|s| format!(r#"MsrcSeverity="{s}""#)).unwrap_or_default();
    let eula = if one.eula { r#"EulaID="licence-x""# } else { "" };
    let relationships = requires(one.of);
    let superseded = one.supersedes.map(|n| {
        format!(
            r#"<SupersededUpdates><UpdateIdentity UpdateID="{}" /></SupersededUpdates></Relationships>"#,
            update(n)
        )
    });
    let relationships = match superseded {
        Some(superseded) => relationships.replace("</Relationships>", &superseded),
        None => relationships,
    };
    format!(
        r#"<Update xmlns="http://schemas.microsoft.com/msus/2002/12/Update"><UpdateIdentity UpdateID="{}" RevisionNumber="{revision}" /><Properties DefaultPropertiesLanguage="en" UpdateType="Software" ExplicitlyDeployable="true" CreationDate="{}" {severity} {eula} /><LocalizedPropertiesCollection><LocalizedProperties><Language>en</Language><Title>{}</Title></LocalizedProperties></LocalizedPropertiesCollection>{relationships}</Update>"#,
        update(one.n),
        one.created,
        one.title
    )
}

/// Seen on 2026-02-03: 1 is old and superseded by 2; 3 supersedes 2, but is a day old; 5 has a licence.
#[rustfmt::skip]
const UPDATES: &[One] = &[
    One { n: 1, title: "2025-11 Rollup for Windows", created: "2025-11-10T00:00:00Z", severity: Some("Critical"), of: &[WINDOWS, SECURITY], supersedes: None, eula: false },
    One { n: 2, title: "2026-01 Rollup for Windows", created: "2026-01-10T00:00:00Z", severity: Some("Important"), of: &[WINDOWS, SECURITY], supersedes: Some(1), eula: false },
    One { n: 3, title: "2026-02 Rollup for Windows", created: "2026-02-02T04:05:06Z", severity: Some("Critical"), of: &[WINDOWS, SECURITY], supersedes: Some(2), eula: false },
    One { n: 4, title: "Office fix", created: "2026-01-20T00:00:00Z", severity: None, of: &[OFFICE, SECURITY], supersedes: None, eula: false },
    One { n: 5, title: "Office with a licence", created: "2026-01-20T00:00:00Z", severity: Some("Low"), of: &[OFFICE, SECURITY], supersedes: None, eula: true },
    One { n: 6, title: "Network driver", created: "2026-01-01T00:00:00Z", severity: None, of: &[WINDOWS, DRIVERS], supersedes: None, eula: false },
];

fn mirror() -> Mirror {
    let mirror = Mirror::new(7);
    mirror.add_document(&category(FAMILY, "ProductFamily", "Windows Family", None));
    mirror.add_document(&category(WINDOWS, "Product", "Windows 11", Some(FAMILY)));
    mirror.add_document(&category(OFFICE, "Product", "Office", None));
    mirror.add_document(&category(SECURITY, "UpdateClassification", "Security Updates", None));
    mirror.add_document(&category(DRIVERS, "UpdateClassification", "Drivers", None));
    for one in UPDATES {
        mirror.add_document(&document(one, 1));
    }
    mirror
}

fn fleet(mirror: &Mirror) -> Fleet {
    Fleet::open(&mirror.data.fleet()).unwrap()
}

fn days(n: u16) -> Option<Period> {
    Some(Period::days(n))
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn rule(name: &str, criteria: Criteria) -> Rule {
    let body = Body {
        criteria,
        groups: vec![ALL_COMPUTERS],
        action: ApprovalAction::Install,
        deadline: None,
    };
    Rule { name: name.to_owned(), enabled: true, body }
}

fn of_security() -> Criteria {
    Criteria { classifications: names(&["security updates"]), ..Criteria::default() }
}

fn dry(mirror: &Mirror, at: Timestamp) -> RuleChanges {
    let options = RunOptions { dry_run: true, take_back: false };
    run(&mirror.catalog(), &mut fleet(mirror), options, at).unwrap()
}

fn really(mirror: &Mirror, at: Timestamp) -> RuleChanges {
    run(&mirror.catalog(), &mut fleet(mirror), RunOptions::default(), at).unwrap()
}

fn numbers(updates: impl Iterator<Item = UpdateId>) -> Vec<u128> {
    let base = update(0).0.as_u128();
    let mut all: Vec<u128> = updates.map(|id| id.0.as_u128() - base).collect();
    all.sort_unstable();
    all
}

/// Numbers of the updates that a rule with these criteria alone would approve.
fn meant(mirror: &Mirror, criteria: Criteria) -> Vec<u128> {
    let mut store = fleet(mirror);
    add(&mirror.catalog(), &mut store, &rule("probe", criteria), false).unwrap();
    let difference = dry(mirror, now());
    store.remove_rule("probe").unwrap();
    assert_eq!(difference.rules.len(), 1);
    numbers(difference.rules[0].approve.iter().map(|item| item.update))
}

fn approved(mirror: &Mirror) -> Vec<u128> {
    numbers(fleet(mirror).approvals().unwrap().iter().map(|a| a.update))
}

/// Decisions of a fleet as text, without change counters.
fn decisions(data: &DataDir) -> String {
    let db = Connection::open(data.fleet()).unwrap();
    let sql = "SELECT json_array(hex(update_id), hex(group_id), action, deadline, origin, rule,
                   since, changed) FROM approval LEFT JOIN rule_approval USING (update_id, group_id)
               UNION ALL SELECT json_array(hex(update_id), hex(group_id), lasting) FROM taken_back
               ORDER BY 1";
    let mut statement = db.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(Result::unwrap).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_criterion_alone_and_together() {
    let mirror = mirror();
    let all = Criteria { superseded: true, ..Criteria::default() };
    let with = |change: &dyn Fn(&mut Criteria)| {
        let mut criteria = all.clone();
        change(&mut criteria);
        meant(&mirror, criteria)
    };
    fleet(&mirror).accept_eula("licence-x", now()).unwrap();
    assert_eq!(with(&|c| c.products = names(&["WINDOWS 11"])), [1, 2, 3, 6]);
    assert_eq!(with(&|c| c.products = names(&["windows family"])), [1, 2, 3, 6], "its products");
    assert_eq!(with(&|c| c.products = names(&["Office", "Windows 11"])), [1, 2, 3, 4, 5, 6]);
    assert_eq!(with(&|c| c.products = vec![update(OFFICE).to_string()]), [4, 5]);
    assert_eq!(with(&|c| c.classifications = names(&["Drivers"])), [6]);
    assert_eq!(with(&|c| c.severities = names(&["critical", "LOW"])), [1, 3, 5]);
    assert_eq!(with(&|c| c.severities = names(&["Unspecified"])), [4, 6]);
    assert_eq!(with(&|c| c.min_age = days(14)), [1, 2, 4, 5, 6]);
    assert_eq!(with(&|c| c.min_age = days(1)), [1, 2, 3, 4, 5, 6], "a day to the second");
    assert_eq!(with(&|c| c.max_age = days(1)), []);
    assert_eq!(with(&|c| c.max_age = days(30)), [2, 3, 4, 5]);
    assert_eq!(
        with(&|c| c.titles = vec![Glob::new("*rollup*"), Glob::new("office ???")]),
        [1, 2, 3, 4]
    );
    assert_eq!(with(&|c| c.not_titles = vec![Glob::new("20*"), Glob::new("*DRIVER")]), [4, 5]);
    let together = |c: &mut Criteria| {
        c.products = names(&["Windows 11"]);
        c.classifications = names(&["Security Updates"]);
        c.severities = names(&["Critical", "Important"]);
        c.min_age = days(7);
        c.max_age = days(60);
        c.titles = vec![Glob::new("*Windows")];
        c.not_titles = vec![Glob::new("2025*")];
    };
    assert_eq!(with(&together), [2]);
    // What a newer one supersedes is left out, but one that is too young itself supersedes nothing.
    let newest = Criteria { titles: vec![Glob::new("*")], ..Criteria::default() };
    assert_eq!(meant(&mirror, newest.clone()), [3, 4, 5, 6]);
    assert_eq!(meant(&mirror, Criteria { min_age: days(7), ..newest }), [2, 4, 5, 6]);
}

#[test]
fn a_dry_run_shows_exactly_what_the_run_then_does_and_a_second_run_nothing() {
    let mirror = mirror();
    let mut store = fleet(&mirror);
    let servers = store.create_group("Servers", None).unwrap().id;
    let catalog = mirror.catalog();
    let mut first = rule("ripe", Criteria { min_age: days(7), ..of_security() });
    first.body.deadline = days(14);
    first.body.groups.push(servers);
    add(&catalog, &mut store, &first, false).unwrap();
    let mut second =
        rule("all windows", Criteria { products: names(&["Windows 11"]), ..Criteria::default() });
    second.body.action = ApprovalAction::Detect;
    add(&catalog, &mut store, &second, false).unwrap();

    // Some time passes between the runs: what was too young ripens, rules change hands and terms.
    let later = "2026-02-10T04:05:06Z".parse().unwrap();
    type Change<'a> = (&'a dyn Fn(&mut Fleet), bool);
    let changes: [Change<'_>; 4] = [
        (&|_| {}, false),
        (&|fleet| drop(fleet.order_rules(&names(&["all windows"])).unwrap()), false),
        (
            &|fleet| {
                let mut rule = first.clone();
                rule.body.deadline = days(7);
                rule.body.criteria.products = names(&["Office"]);
                add(&catalog, fleet, &rule, true).unwrap();
            },
            false,
        ),
        (&|fleet| assert!(fleet.accept_eula("licence-x", now()).unwrap()), true),
    ];
    let mut at = now();
    for (round, (change, take_back)) in changes.into_iter().enumerate() {
        change(&mut store);
        let folder = tempfile::tempdir().unwrap();
        copy_folder(mirror.data.root(), folder.path());
        let twin = DataDir::open(folder.path()).unwrap();

        let options = RunOptions { dry_run: true, take_back };
        let before = decisions(&mirror.data);
        let seen = run(&catalog, &mut store, options, at).unwrap();
        assert_eq!(decisions(&mirror.data), before, "a dry run changes nothing");
        by_hand(&twin, &seen, at);

        let options = RunOptions { dry_run: false, take_back };
        let done = run(&catalog, &mut store, options, at).unwrap();
        assert_eq!((&done.rules, done.is_empty()), (&seen.rules, false), "round {round}");
        assert_eq!(decisions(&mirror.data), decisions(&twin), "round {round}");

        let after = decisions(&mirror.data);
        let again = run(&catalog, &mut store, options, later).unwrap();
        if round > 0 {
            assert!(again.is_empty(), "round {round}: {again:#?}");
            assert_eq!(decisions(&mirror.data), after);
        }
        at = later;
    }
}

/// Does what a difference says, without the code that ran it.
fn by_hand(data: &DataDir, difference: &RuleChanges, at: Timestamp) {
    let mut fleet = Fleet::open(&data.fleet()).unwrap();
    for rule in &difference.rules {
        for item in rule.approve.iter().chain(&rule.change) {
            assert_eq!(item.was.is_some(), rule.change.contains(item));
            let new = NewApproval {
                update: item.update,
                group: item.group,
                action: item.action,
                deadline: item.deadline,
                origin: Origin::Local,
                rule: Some(ApprovingRule { name: rule.rule.clone(), since: item.since }),
            };
            assert!(fleet.store_approval(&new, at).unwrap());
        }
        for item in rule.no_longer.iter().filter(|_| difference.take_back) {
            assert!(fleet.withdraw_approval(item.update, item.group).unwrap());
        }
    }
}

#[test]
fn deadlines_count_from_the_first_approval() {
    let mirror = mirror();
    let mut store = fleet(&mirror);
    let mut office =
        rule("office", Criteria { products: names(&["Office"]), ..Criteria::default() });
    office.body.deadline = days(14);
    add(&mirror.catalog(), &mut store, &office, false).unwrap();
    really(&mirror, now());
    let deadline = |fleet: &Fleet| fleet.approvals().unwrap()[0].deadline.unwrap().to_string();
    assert_eq!(deadline(&store), "2026-02-17T04:05:06Z");
    let later = "2026-02-09T00:00:00Z".parse().unwrap();
    assert!(really(&mirror, later).is_empty(), "a deadline does not run away");
    office.body.deadline = days(7);
    add(&mirror.catalog(), &mut store, &office, true).unwrap();
    let change = really(&mirror, later);
    assert_eq!(change.rules[0].change.len(), 1);
    assert_eq!(deadline(&store), "2026-02-10T04:05:06Z");
}

impl Clone for One {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

#[test]
fn through_the_command_line() {
    let mirror = mirror();
    let tidegate = |args: &[&str], code: i32| program::run_json(mirror.data.root(), args, code);
    let added = tidegate(
        &[
            "rules",
            "add",
            "monthly",
            "--products",
            "Windows 11,Office",
            "--classifications",
            "Security Updates",
            "--severity",
            "critical,important",
            "--min-age",
            "1h",
            "--title",
            "*rollup*",
            "--not-title",
            "*preview*",
            "--group",
            "All Computers",
            "--deadline",
            "14d",
        ],
        0,
    );
    assert_eq!(added["criteria"]["products"], serde_json::json!(["Windows 11", "Office"]));
    tidegate(&["rules", "add", "later", "--title", "*", "-g", "All Computers", "--disabled"], 0);
    assert!(
        tidegate(&["rules", "add", "x", "--title", "*", "-g", "Nobody"], 1)
            .to_string()
            .contains("Nobody")
    );
    tidegate(&["rules", "add", "x", "-g", "All Computers", "--min-age", "soon"], 2);
    let seen = tidegate(&["rules", "run", "--dry-run"], 0);
    assert_eq!(seen["rules"][0]["approve"][0]["title"], "2026-02 Rollup for Windows");
    assert_eq!(tidegate(&["approve", "--list"], 0), serde_json::json!([]));
    let done = tidegate(&["rules", "run"], 0);
    assert_eq!(done["rules"][0]["approve"].as_array().unwrap().len(), 1);
    let listed = tidegate(&["approve", "--list"], 0);
    assert_eq!(listed[0]["approval"]["rule"]["name"], "monthly");
    assert_eq!(tidegate(&["rules", "show", "monthly"], 0)["approvals"], 1);
    assert_eq!(tidegate(&["rules", "order", "later"], 0), serde_json::json!(["later", "monthly"]));
    tidegate(&["rules", "enable", "later"], 0);
    // The rules run after a synchronization if that is asked for.
    let source = mirror.folder.path().join("documents");
    std::fs::create_dir(&source).unwrap();
    let new = One { n: 7, title: "New", ..Clone::clone(&UPDATES[3]) };
    std::fs::write(source.join("new.xml"), document(&new, 1)).unwrap();
    let source = source.to_str().unwrap();
    assert!(tidegate(&["sync", "--from", source], 0).get("rules").is_none());
    let synced = tidegate(&["sync", "--from", source, "--run-rules"], 0);
    assert_eq!(synced["rules"]["rules"][0]["rule"], "later");
    assert_eq!(approved(&mirror), [3, 4, 6, 7]);
    tidegate(&["rules", "remove", "later"], 0);
    tidegate(&["rules", "disable", "monthly"], 0);
    assert_eq!(tidegate(&["rules", "run"], 0)["rules"], serde_json::json!([]));
    assert_eq!(approved(&mirror), [3, 4, 6, 7]);
    let catalog = Catalog::open(&mirror.data.catalog()).unwrap();
    assert_eq!(catalog.categories(&["Product"]).unwrap().len(), 2);
}
