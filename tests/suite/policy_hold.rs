//! What a bundle's policy would change is seen before it takes effect, can be held, accepted in part,
//! and overridden for good.

use std::{fs, path::PathBuf};

use serde_json::Value;
use tidegate::{
    approval::rules::{self, Body, Criteria, Glob, Rule, RunOptions},
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin},
    transfer::{
        ExportOptions, ImportOptions, ImportReport, PolicyChange, PolicyChangeKind, PolicyChoice,
        SealOptions, import, policy_accept, policy_diff, policy_reject, policy_release,
        policy_show,
    },
};
use uuid::Uuid;

use crate::support::{
    clock::{days, now},
    program,
    sides::{Mirror, Site, update},
};

use PolicyChangeKind::{
    AcceptEula, Approve, Change, CreateGroup, Decline, KeptLocal, Lapse, Unapprove, Undecline,
};

const INSTALL: ApprovalAction = ApprovalAction::Install;

/// Updates 1 to 6; 5 has a licence.
fn mirror() -> Mirror {
    let mirror = Mirror::new(7);
    for n in [1, 2, 3, 4, 6] {
        mirror.add(n, 1, &[]);
    }
    let licensed = crate::support::sides::document(5, 1, &[]).replace(
        r#"ExplicitlyDeployable="true""#,
        r#"ExplicitlyDeployable="true" EulaID="licence-5""#,
    );
    mirror.add_document(&licensed);
    mirror
}

fn there(mirror: &Mirror) -> Fleet {
    Fleet::open(&mirror.data.fleet()).unwrap()
}

fn here(site: &Site) -> Fleet {
    Fleet::open(&site.data.fleet()).unwrap()
}

fn approve(fleet: &mut Fleet, n: u128, group: Uuid, action: ApprovalAction) {
    assert!(fleet.approve(update(n), group, action, None, Origin::Local, now()).unwrap());
}

fn hold(site: &Site, bundles: &[PathBuf]) -> ImportReport {
    let options = ImportOptions { hold_policy: true, ..ImportOptions::new(now()) };
    let dry = ImportOptions { dry_run: true, ..options.clone() };
    let dry = import(&site.data, bundles, &dry, &()).unwrap();
    let report = import(&site.data, bundles, &options, &()).unwrap();
    assert_eq!((&dry.policy, dry.policy_held), (&report.policy, report.policy_held));
    report
}

fn kinds(changes: &[PolicyChange]) -> Vec<PolicyChangeKind> {
    changes.iter().map(|change| change.kind).collect()
}

/// Approvals here: update, group, action, decided here.
fn approvals(site: &Site) -> Vec<(u128, String, &'static str, bool)> {
    let fleet = here(site);
    let groups = fleet.groups().unwrap();
    let base = update(0).0.as_u128();
    fleet
        .approvals()
        .unwrap()
        .iter()
        .map(|a| {
            let group = groups.iter().find(|g| g.id == a.group).unwrap().name.clone();
            (a.update.0.as_u128() - base, group, a.action.name(), a.origin == Origin::Local)
        })
        .collect()
}

fn of(updates: &[u128]) -> PolicyChoice {
    PolicyChoice {
        updates: updates.iter().map(|n| update(*n)).collect(),
        ..PolicyChoice::default()
    }
}

fn diff(site: &Site) -> Vec<PolicyChange> {
    policy_diff(&site.data, &[], now()).unwrap()
}

const ALL: &str = "All Computers";

#[test]
fn a_held_policy_changes_nothing_until_it_is_accepted() {
    let mirror = mirror();
    let site = Site::new("plant-7", &mirror.root);
    let mut fleet = there(&mirror);
    let servers = fleet.create_group("Servers", None).unwrap().id;
    approve(&mut fleet, 1, servers, INSTALL);
    approve(&mut fleet, 2, ALL_COMPUTERS, INSTALL);
    fleet.decline(update(3), Origin::Local, now()).unwrap();
    fleet.accept_eula("licence-5", now()).unwrap();
    let volumes = mirror.export("plant-7").volumes;
    assert_eq!(
        kinds(&policy_diff(&site.data, &volumes, now()).unwrap()),
        [CreateGroup, Approve, Approve, AcceptEula, Decline],
        "before anything is imported"
    );
    let report = hold(&site, &volumes);
    assert_eq!((report.in_force, report.policy_held), (Some(1), true), "the catalogue switches");
    assert_eq!((approvals(&site), here(&site).groups().unwrap().len()), (vec![], 2));
    assert_eq!(policy_show(&site.data).unwrap().held.unwrap().snapshot, 1);
    assert_eq!(diff(&site), report.policy);
    assert!(hold(&site, &volumes).is_unchanged(), "once is enough");
    assert_eq!(policy_show(&site.data).unwrap().held.unwrap().snapshot, 1);

    let decided = policy_accept(&site.data, &PolicyChoice::default(), now()).unwrap();
    assert_eq!((decided.changes, decided.held), (report.policy, false));
    let all = [(1, "Servers", "install", false), (2, ALL, "install", false)];
    assert_eq!(approvals(&site), all.map(|(n, g, a, l)| (n, g.to_owned(), a, l)));
    assert_eq!(here(&site).declined().unwrap(), [update(3)]);
    assert_eq!((diff(&site), policy_show(&site.data).unwrap().held), (vec![], None));
    let error = policy_accept(&site.data, &PolicyChoice::default(), now()).unwrap_err();
    assert!(error.to_string().contains("no policy is held"), "{error}");

    // Nothing to hold where nothing changes; and the next one shows old and new.
    mirror.add(9, 1, &[]);
    assert!(!hold(&site, &mirror.export("plant-7").volumes).policy_held);
    let later = Some(days(30));
    fleet.approve(update(1), servers, INSTALL, later, Origin::Local, now()).unwrap();
    fleet.unapprove(update(2), ALL_COMPUTERS).unwrap();
    fleet.undecline(update(3)).unwrap();
    let report = hold(&site, &mirror.export("plant-7").volumes);
    assert_eq!(kinds(&report.policy), [Unapprove, Change, Undecline]);
    let change = &report.policy[1];
    assert_eq!((change.deadline, change.was.unwrap().deadline), (later, None));
    assert_eq!(approvals(&site).len(), 2);
    policy_accept(&site.data, &PolicyChoice::default(), now()).unwrap();
    assert_eq!(approvals(&site).len(), 1);
    assert_eq!(here(&site).approvals().unwrap()[0].deadline, later);
}

#[test]
fn a_part_is_accepted_a_part_refused_and_a_later_policy_keeps_to_it() {
    let mirror = mirror();
    let site = Site::new("plant-7", &mirror.root);
    let mut fleet = there(&mirror);
    let servers = fleet.create_group("Servers", None).unwrap().id;
    approve(&mut fleet, 1, servers, INSTALL);
    approve(&mut fleet, 2, ALL_COMPUTERS, INSTALL);
    approve(&mut fleet, 5, ALL_COMPUTERS, INSTALL);
    fleet.accept_eula("licence-5", now()).unwrap();
    fleet.accept_eula("licence-other", now()).unwrap();
    fleet.decline(update(3), Origin::Local, now()).unwrap();
    hold(&site, &mirror.export("plant-7").volumes);

    let decided = policy_accept(&site.data, &of(&[5]), now()).unwrap();
    assert_eq!(kinds(&decided.changes), [AcceptEula, Approve], "with its licence, and no other");
    assert!(decided.held);
    assert_eq!(here(&site).accepted_eulas().unwrap(), ["licence-5"]);
    let nothing = policy_accept(&site.data, &of(&[5]), now()).unwrap_err();
    assert!(nothing.to_string().contains("nothing of that"), "{nothing}");
    let servers_only =
        PolicyChoice { groups: vec!["SERVERS".to_owned()], ..PolicyChoice::default() };
    let decided = policy_accept(&site.data, &servers_only, now()).unwrap();
    assert_eq!(kinds(&decided.changes), [CreateGroup, Approve]);
    let decided = policy_reject(&site.data, &of(&[2, 3]), now()).unwrap();
    assert_eq!((kinds(&decided.changes), decided.held), (vec![Approve, Decline], true));
    policy_accept(&site.data, &PolicyChoice::default(), now()).unwrap();
    let updates: Vec<u128> = approvals(&site).iter().map(|a| a.0).collect();
    assert_eq!((updates, here(&site).declined().unwrap()), (vec![1, 5], vec![]));

    // What was refused stays so, with every later policy, held or not.
    approve(&mut fleet, 2, ALL_COMPUTERS, ApprovalAction::Uninstall);
    approve(&mut fleet, 4, ALL_COMPUTERS, INSTALL);
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!(kinds(&report.policy), [KeptLocal, Approve, KeptLocal]);
    let updates: Vec<u128> = approvals(&site).iter().map(|a| a.0).collect();
    assert_eq!((updates, here(&site).declined().unwrap()), (vec![1, 4, 5], vec![]));
    // Changes and take-backs are refused by keeping what is there, as decided here.
    approve(&mut fleet, 4, ALL_COMPUTERS, ApprovalAction::Block);
    fleet.unapprove(update(1), servers).unwrap();
    hold(&site, &mirror.export("plant-7").volumes);
    policy_reject(&site.data, &of(&[1, 4]), now()).unwrap();
    assert_eq!(policy_show(&site.data).unwrap().held, None, "nothing is left of it");
    assert!(approvals(&site).contains(&(4, ALL.to_owned(), "install", true)));
    assert!(approvals(&site).contains(&(1, "Servers".to_owned(), "install", true)));

    // Let go, the policy is followed at once.
    policy_release(&site.data, update(4), Some(ALL_COMPUTERS), now()).unwrap();
    assert!(approvals(&site).contains(&(4, ALL.to_owned(), "block", false)));
    policy_release(&site.data, update(2), None, now()).unwrap();
    assert!(approvals(&site).contains(&(2, ALL.to_owned(), "uninstall", false)));
    assert!(policy_release(&site.data, update(2), None, now()).is_err());
    policy_release(&site.data, update(3), None, now()).unwrap();
    assert_eq!(here(&site).declined().unwrap(), [update(3)]);
}

#[test]
fn a_newer_policy_replaces_a_held_or_rejected_one() {
    let mirror = mirror();
    let site = Site::new("plant-7", &mirror.root);
    let mut fleet = there(&mirror);
    approve(&mut fleet, 1, ALL_COMPUTERS, INSTALL);
    let first = mirror.export("plant-7").volumes;
    hold(&site, &first);
    approve(&mut fleet, 2, ALL_COMPUTERS, INSTALL);
    fleet.unapprove(update(1), ALL_COMPUTERS).unwrap();
    let second = mirror.export("plant-7").volumes;
    let report = hold(&site, &second);
    assert_eq!(kinds(&report.policy), [Approve], "compared with what is applied: nothing");
    assert_eq!(policy_show(&site.data).unwrap().held.unwrap().snapshot, 2);

    policy_reject(&site.data, &PolicyChoice::default(), now()).unwrap();
    let overview = policy_show(&site.data).unwrap();
    assert_eq!((overview.held, overview.rejected.unwrap().snapshot), (None, 2));
    hold(&site, &second);
    assert_eq!((approvals(&site), policy_show(&site.data).unwrap().held), (vec![], None));
    mirror.add(9, 1, &[]);
    let report = hold(&site, &mirror.export("plant-7").volumes);
    assert_eq!((kinds(&report.policy), report.policy_held), (vec![Approve], true));
    let overview = policy_show(&site.data).unwrap();
    assert_eq!((overview.held.unwrap().snapshot, overview.rejected), (3, None));
    // One that is applied on arrival replaces it, too.
    mirror.add(10, 1, &[]);
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!((kinds(&report.policy), report.policy_held), (vec![Approve], false));
    assert_eq!((approvals(&site).len(), policy_show(&site.data).unwrap().held), (1, None));
}

#[test]
fn what_got_lost_is_not_taken_back_and_what_was_taken_back_is() {
    let mirror = mirror();
    let site = Site::new("plant-7", &mirror.root);
    let mut fleet = there(&mirror);
    let servers = fleet.create_group("Servers", None).unwrap().id;
    for n in [1, 2, 3, 4] {
        approve(&mut fleet, n, ALL_COMPUTERS, INSTALL);
    }
    approve(&mut fleet, 6, servers, INSTALL);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!(approvals(&site).len(), 5);

    fleet.unapprove(update(1), ALL_COMPUTERS).unwrap();
    fleet.decline(update(2), Origin::Local, now()).unwrap();
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!(kinds(&report.policy), [Unapprove, Unapprove, Decline]);
    assert_eq!(report.warnings, Vec::<String>::new());
    // A site that has missed the decline hears of the rest all the same.
    fleet.undecline(update(2)).unwrap();
    fleet.remove_group(servers).unwrap();
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!(kinds(&report.policy), [Lapse, Undecline]);

    // The connected side has lost its decisions: nobody has taken anything back.
    drop(fleet);
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", mirror.data.fleet().display()));
    }
    let seal = SealOptions { older_fleet: true, ..SealOptions::default() };
    let options = ExportOptions { seal, ..ExportOptions::default() };
    let report = site.import(&mirror.export_with("plant-7", &options).unwrap().volumes).unwrap();
    assert_eq!(kinds(&report.policy), [Lapse, Lapse, Lapse]);
    assert!(report.warnings[0].contains("3 approvals"), "{:?}", report.warnings);
    let before = approvals(&site);
    assert_eq!(before.len(), 3);
    assert!(policy_accept(&site.data, &PolicyChoice::default(), now()).is_err());
    let one = PolicyChoice { take_back: true, ..of(&[3]) };
    policy_accept(&site.data, &one, now()).unwrap();
    assert_eq!(approvals(&site).len(), 2);
    let all = PolicyChoice { take_back: true, ..PolicyChoice::default() };
    policy_accept(&site.data, &all, now()).unwrap();
    assert_eq!((approvals(&site), diff(&site)), (vec![], vec![]));
    // Nobody here has decided for good.
    approve(&mut there(&mirror), 3, ALL_COMPUTERS, INSTALL);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!(approvals(&site).len(), 1);
}

#[test]
fn rules_travel_with_what_they_made() {
    let mirror = mirror();
    let site = Site::new("plant-7", &mirror.root);
    let mut fleet = there(&mirror);
    let body = Body {
        criteria: Criteria { titles: vec![Glob::new("update ?")], ..Criteria::default() },
        groups: vec![ALL_COMPUTERS],
        action: INSTALL,
        deadline: Some("14d".parse().unwrap()),
    };
    let mut rule = Rule { name: "monthly".to_owned(), enabled: true, body };
    rules::add(&mirror.catalog(), &mut fleet, &rule, false).unwrap();
    approve(&mut fleet, 1, ALL_COMPUTERS, ApprovalAction::Detect);
    rules::run(&mirror.catalog(), &mut fleet, RunOptions::default(), now()).unwrap();
    let report = hold(&site, &mirror.export("plant-7").volumes);
    let by: Vec<Option<&str>> = report.policy.iter().map(|change| change.rule.as_deref()).collect();
    assert_eq!(by, [None, Some("monthly"), Some("monthly"), Some("monthly"), Some("monthly")]);
    assert_eq!(report.policy[1].deadline, Some(days(14)));
    let held = policy_show(&site.data).unwrap().held.unwrap();
    assert!(held.rules[0].0.text.contains("update ?"), "{:?}", held.rules);
    assert_eq!((held.rules[0].0.name.as_str(), held.rules[0].1), ("monthly", 4));
    policy_accept(&site.data, &PolicyChoice::default(), now()).unwrap();
    let credits: Vec<_> = here(&site).approvals().unwrap().into_iter().map(|a| a.rule).collect();
    assert_eq!(credits.iter().flatten().filter(|rule| rule.name == "monthly").count(), 4);

    // What a rule takes back is said to be.
    rule.body.criteria.titles = vec![Glob::new("update 2")];
    rules::add(&mirror.catalog(), &mut fleet, &rule, true).unwrap();
    let options = RunOptions { take_back: true, dry_run: false };
    rules::run(&mirror.catalog(), &mut fleet, options, now()).unwrap();
    let report = site.import(&mirror.export("plant-7").volumes).unwrap();
    assert_eq!(kinds(&report.policy), [Unapprove, Unapprove, Unapprove]);
}

/// The fleet has its policy in one transaction; the catalogue's note of that follows.
#[test]
fn a_policy_that_was_applied_before_a_kill_is_applied_once() {
    let mirror = mirror();
    let site = Site::new("plant-7", &mirror.root);
    approve(&mut there(&mirror), 1, ALL_COMPUTERS, INSTALL);
    let volumes = mirror.export("plant-7").volumes;
    site.import(&volumes).unwrap();
    let forget = || {
        let mut catalog = tidegate::catalog::Catalog::open(&site.data.catalog()).unwrap();
        let mut writer = catalog.write().unwrap();
        writer.set_note("policy-applied-of", "0").unwrap();
        writer.commit().unwrap();
    };
    forget();
    let served = site.served();
    assert_eq!(site.import(&volumes).unwrap().policy, vec![]);
    assert_eq!(site.served(), served);
    forget();
    assert!(!hold(&site, &volumes).policy_held);
    assert_eq!(policy_show(&site.data).unwrap().applied.unwrap().snapshot, 1);
}

#[test]
fn through_the_command_line() {
    let mirror = mirror();
    let site = Site::new("plant-7", &mirror.root);
    let config = site.folder.path().join("tidegate.toml");
    fs::write(&config, "[import]\npolicy = \"hold\"\n").unwrap();
    let tidegate = |args: &[&str], code: i32| {
        let args = [&["--config", program::utf8(&config)], args].concat();
        program::run_json(site.data.root(), &args, code)
    };
    let mut fleet = there(&mirror);
    for n in [1, 2, 3] {
        approve(&mut fleet, n, ALL_COMPUTERS, INSTALL);
    }
    let volumes = mirror.export("plant-7").volumes;
    let volume = volumes[0].to_str().unwrap();
    let ids: Vec<String> = (0..7).map(|n| update(n).to_string()).collect();
    assert_eq!(tidegate(&["policy", "diff", volume], 0).as_array().unwrap().len(), 3);
    assert_eq!(tidegate(&["import", volume], 0)["policy-held"], true);
    assert_eq!(tidegate(&["policy", "diff"], 0)[0]["kind"], "approve");
    let accepted = tidegate(&["policy", "accept", "--update", &ids[1]], 0);
    assert_eq!(
        (&accepted["held"], &accepted["changes"][0]["kind"]),
        (&Value::Bool(true), &"approve".into())
    );
    tidegate(&["policy", "reject", "--update", &ids[2], "--group", ALL], 0);
    tidegate(&["policy", "override", &ids[3], "--group", ALL, "--action", "detect"], 0);
    assert_eq!(tidegate(&["policy", "accept"], 0)["held"], false);
    // An approval of the policy that is taken back with `approve` stays so, too.
    tidegate(&["approve", &ids[1], "--group", ALL, "--remove"], 0);
    tidegate(&["policy", "override", &ids[4], "--group", ALL, "--keep-unapproved"], 0);
    for n in [1, 2, 3] {
        fleet
            .approve(update(n), ALL_COMPUTERS, INSTALL, Some(days(9)), Origin::Local, now())
            .unwrap();
    }
    approve(&mut fleet, 4, ALL_COMPUTERS, INSTALL);
    let volumes = mirror.export("plant-7").volumes;
    let imported = tidegate(&["import", volumes[0].to_str().unwrap(), "--apply-policy"], 0);
    let kept: Vec<_> =
        imported["policy"].as_array().unwrap().iter().map(|c| c["kind"].clone()).collect();
    assert_eq!(kept, ["kept-local"; 4]);
    assert_eq!(approvals(&site), [(3, ALL.to_owned(), "detect", true)]);
    let local = tidegate(&["policy"], 0)["local"].clone();
    let decisions: Vec<_> =
        local.as_array().unwrap().iter().map(|l| l["decision"].clone()).collect();
    assert_eq!(decisions, ["keep-unapproved", "keep-unapproved", "detect", "keep-unapproved"]);
    tidegate(&["policy", "release", &ids[3], "--group", ALL], 0);
    assert_eq!(approvals(&site), [(3, ALL.to_owned(), "install", false)]);
    assert!(tidegate(&["policy", "accept"], 1).to_string().contains("no policy is held"));
    tidegate(&["policy", "override", &ids[3], "--group", ALL], 2);
    assert!(tidegate(&["rules", "list"], 1).to_string().contains("connected side"));
}
