//! The fleet: groups, computers, approvals and deployments.

use std::collections::BTreeSet;

use rusqlite::Connection;
use serde_json::json;
use tidegate::{
    fleet::{
        ALL_COMPUTERS, ApprovalAction, ApprovalNeed, Contact, Fleet, FleetError, GROUPS_ASKED_FOR,
        Origin, SETS_ASKED_FOR, UNASSIGNED_COMPUTERS,
    },
    update::RevisionId,
};
use uuid::Uuid;

use crate::support::{
    clock::{exactly_now, later},
    documents::numbered,
    stores,
};

fn sorted(mut ids: Vec<Uuid>) -> Vec<Uuid> {
    ids.sort_unstable();
    ids
}

fn refused<T: std::fmt::Debug>(result: Result<T, FleetError>) -> String {
    match result {
        Err(FleetError::Invalid { what }) => what,
        other => panic!("not refused: {other:?}"),
    }
}

// ---- the store ----

#[test]
fn newer_and_foreign_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.sqlite");
    drop(Fleet::open(&path).unwrap());
    drop(Fleet::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
    let error = Fleet::open(&path).err().unwrap();
    assert!(matches!(error, FleetError::NewerSchema { found: 9, .. }), "{error}");
    let catalog = folder.path().join("catalog.sqlite");
    drop(tidegate::catalog::Catalog::open(&catalog).unwrap());
    let error = Fleet::open(&catalog).err().unwrap();
    assert!(matches!(error, FleetError::Foreign { .. }), "{error}");
}

#[test]
fn values_are_set_once_and_views_count_up() {
    let (folder, mut fleet) = stores::fleet();
    assert_eq!(fleet.value("server-id").unwrap(), None);
    assert_eq!(fleet.value_or_insert("server-id", b"\0one").unwrap(), b"\0one");
    let mut other = Fleet::open(&folder.path().join("fleet.sqlite")).unwrap();
    assert_eq!(other.value_or_insert("server-id", b"two").unwrap(), b"\0one");
    assert_eq!(fleet.value("server-id").unwrap().unwrap(), b"\0one");
    assert_eq!(
        [fleet.next_view(), other.next_view(), fleet.next_view()].map(Result::unwrap),
        [1, 2, 3]
    );
    assert_eq!(fleet.change().unwrap(), 0);
}

// ---- groups ----

#[test]
fn groups_are_a_tree_with_names_of_their_own() {
    let (_folder, mut fleet) = stores::fleet();
    let names = |fleet: &Fleet| -> Vec<String> {
        fleet.groups().unwrap().into_iter().map(|g| g.name).collect()
    };
    assert_eq!(names(&fleet), ["All Computers", "Unassigned Computers"]);
    let plant = fleet.create_group(" Werk Süd ", None).unwrap();
    assert_eq!(plant.parent, Some(ALL_COMPUTERS));
    let line = fleet.create_group("Aline", Some(plant.id)).unwrap();
    fleet.create_group("Office", None).unwrap();
    assert_eq!(fleet.change().unwrap(), 3);
    assert_eq!(
        names(&fleet),
        ["All Computers", "Office", "Unassigned Computers", "Werk Süd", "Aline"]
    );
    assert_eq!(fleet.group("werk SÜD").unwrap(), plant);
    assert_eq!(fleet.group(&line.id.to_string().to_uppercase()).unwrap(), line);
    assert!(refused(fleet.group("nowhere")).contains("Werk Süd"), "says what is there");
    let id = Uuid::from_u128(5).to_string();
    for name in ["", "  ", "WERK SÜD", "all computers", "a;b", "a\nb", &"x".repeat(129), &id] {
        refused(fleet.create_group(name, None));
    }
    refused(fleet.create_group("below", Some(UNASSIGNED_COMPUTERS)));
    refused(fleet.create_group("below", Some(Uuid::from_u128(5))));
    refused(fleet.remove_group(ALL_COMPUTERS));
    refused(fleet.remove_group(UNASSIGNED_COMPUTERS));
    refused(fleet.remove_group(plant.id));
    assert_eq!(fleet.change().unwrap(), 3, "what is refused changes nothing");
    fleet.remove_group(line.id).unwrap();
    fleet.remove_group(plant.id).unwrap();
    refused(fleet.remove_group(plant.id));
    assert_eq!(names(&fleet), ["All Computers", "Office", "Unassigned Computers"]);
}

#[test]
fn sets_of_groups_hold_their_ancestors() {
    let (_folder, mut fleet) = stores::fleet();
    let plant = fleet.create_group("plant", None).unwrap().id;
    let line = fleet.create_group("line", Some(plant)).unwrap().id;
    let office = fleet.create_group("office", None).unwrap().id;
    for id in ["a", "b", "c", "d"] {
        fleet.introduce(id, &format!("{id}.example"), None, exactly_now()).unwrap();
    }
    fleet.assign("a", &[line, office]).unwrap();
    fleet.assign("b.EXAMPLE", &[office, line, office]).unwrap();
    fleet.assign("c", &[line]).unwrap();
    let sets: BTreeSet<_> = fleet.group_sets().unwrap().into_iter().collect();
    let all = ALL_COMPUTERS;
    let expected = [
        vec![all],
        vec![all, UNASSIGNED_COMPUTERS],
        vec![all, plant],
        vec![all, plant, line],
        vec![all, office],
        vec![all, plant, line, office],
    ];
    assert_eq!(sets, expected.into_iter().map(sorted).collect());
    assert_eq!(fleet.groups_of("A").unwrap(), sorted(vec![all, plant, line, office]));
    assert_eq!(fleet.groups_of("d").unwrap(), sorted(vec![all, UNASSIGNED_COMPUTERS]));
    assert_eq!(fleet.groups_of("unknown").unwrap(), sorted(vec![all, UNASSIGNED_COMPUTERS]));
    fleet.remove_group(line).unwrap();
    assert_eq!(fleet.groups_of("c").unwrap(), sorted(vec![all, UNASSIGNED_COMPUTERS]));
    assert_eq!(fleet.groups_of("a").unwrap(), sorted(vec![all, office]));
}

// ---- computers ----

#[test]
fn a_computer_is_what_it_says_of_itself() {
    let (_folder, mut fleet) = stores::fleet();
    assert!(!fleet.is_registered("ID-1").unwrap());
    fleet.introduce("ID-1", "pc.example", Some("nowhere"), exactly_now()).unwrap();
    assert!(!fleet.is_registered("id-1").unwrap());
    let long = "x".repeat(10_000);
    let details = json!({"OSMajorVersion": 10, "ComputerModel": long, "list": [1, null]});
    fleet.register("id-1", &details, exactly_now()).unwrap();
    assert!(fleet.is_registered("ID-1").unwrap());
    fleet.contact("iD-1", Contact::Synced, later()).unwrap();
    fleet.contact("another", Contact::Reported, later()).unwrap();
    let computers = fleet.computers().unwrap();
    assert_eq!(computers.len(), 2, "letter case does not make another computer");
    let [another, one] = computers.as_slice() else { unreachable!() };
    assert_eq!(one.id, "ID-1");
    assert_eq!(one.dns_name, "pc.example");
    assert_eq!(one.requested_group.as_deref(), Some("nowhere"));
    assert_eq!(one.groups, [UNASSIGNED_COMPUTERS]);
    assert_eq!((one.first_seen, one.last_seen), (exactly_now(), later()));
    assert_eq!((one.last_sync, one.last_report), (Some(later()), None));
    let kept = one.details.as_ref().unwrap();
    assert_eq!(kept["OSMajorVersion"], 10);
    assert_eq!(kept["list"], json!([1, null]));
    assert_eq!(kept["ComputerModel"].as_str().unwrap().len(), 4096);
    assert_eq!(another.last_report, Some(later()));
    assert_eq!(fleet.change().unwrap(), 0, "check-ins are no change");

    fleet.remove_computer("PC.example").unwrap();
    assert!(refused(fleet.remove_computer("id-1")).contains("id-1"));
    assert_eq!(fleet.computers().unwrap().len(), 1);
    for id in ["", &"x".repeat(257)] {
        refused(fleet.introduce(id, "x", None, exactly_now()));
    }
}

#[test]
fn computers_of_one_name_are_told_apart_by_id() {
    let (_folder, mut fleet) = stores::fleet();
    fleet.introduce("a", "twin", None, exactly_now()).unwrap();
    fleet.introduce("b", "TWIN", None, exactly_now()).unwrap();
    let message = refused(fleet.assign("twin", &[]));
    assert!(message.contains("a, b"), "{message}");
    fleet.assign("b", &[]).unwrap();
}

#[test]
fn an_administrator_places_computers() {
    let (_folder, mut fleet) = stores::fleet();
    let group = fleet.create_group("g", None).unwrap().id;
    fleet.introduce("a", "a.example", None, exactly_now()).unwrap();
    let change = fleet.change().unwrap();
    refused(fleet.assign("a", &[ALL_COMPUTERS]));
    refused(fleet.assign("a", &[group, UNASSIGNED_COMPUTERS]));
    refused(fleet.assign("a", &[Uuid::from_u128(1)]));
    refused(fleet.assign("nobody", &[group]));
    assert_eq!(fleet.change().unwrap(), change);
    fleet.assign("a", &[group]).unwrap();
    assert_eq!(fleet.change().unwrap(), change + 1);
    fleet.assign("a", &[group]).unwrap();
    assert_eq!(fleet.change().unwrap(), change + 1, "nothing new");
    assert_eq!(fleet.computers().unwrap()[0].groups, [group]);
    fleet.assign("a", &[]).unwrap();
    assert_eq!(fleet.computers().unwrap()[0].groups, [UNASSIGNED_COMPUTERS]);
}

#[test]
fn client_side_targeting_yields_to_the_administrator() {
    let (_folder, mut fleet) = stores::fleet();
    let one = fleet.create_group("One", None).unwrap().id;
    let two = fleet.create_group("Two", None).unwrap().id;
    let after = |fleet: &mut Fleet, request: Option<&str>| {
        fleet.introduce("a", "a.example", request, exactly_now()).unwrap();
        fleet.computers().unwrap()[0].groups.clone()
    };
    assert_eq!(after(&mut fleet, None), [UNASSIGNED_COMPUTERS]);
    let both = sorted(vec![one, two]);
    assert_eq!(after(&mut fleet, Some("nowhere; TWO ;One;two")), both, "all that exist");
    assert_eq!(after(&mut fleet, Some("One;All Computers;Unassigned Computers")), [one]);
    assert_eq!(after(&mut fleet, Some("two")), [two]);
    let change = fleet.change().unwrap();
    assert_eq!(after(&mut fleet, Some("two")), [two]);
    assert_eq!(fleet.change().unwrap(), change);
    assert_eq!(after(&mut fleet, Some("one")), [one], "follows what it asks for");
    assert_eq!(after(&mut fleet, Some("All Computers")), [UNASSIGNED_COMPUTERS]);
    assert_eq!(after(&mut fleet, Some("one")), [one]);
    assert_eq!(after(&mut fleet, None), [UNASSIGNED_COMPUTERS]);
    fleet.assign("a", &[two]).unwrap();
    assert_eq!(after(&mut fleet, Some("one")), [two]);
    fleet.assign("a", &[UNASSIGNED_COMPUTERS]).unwrap();
    assert_eq!(after(&mut fleet, Some("one")), [UNASSIGNED_COMPUTERS], "stays");
    fleet.assign("a", &[]).unwrap();
    assert_eq!(after(&mut fleet, Some("one")), [one], "is free again");
    fleet.assign("a", &[two]).unwrap();
    fleet.remove_group(two).unwrap();
    assert_eq!(after(&mut fleet, Some("one")), [one], "no choice is left");
}

#[test]
fn combinations_of_groups_that_computers_ask_for_are_bounded() {
    let (_folder, mut fleet) = stores::fleet();
    let ids: Vec<Uuid> =
        (0..20).map(|n| fleet.create_group(&format!("G{n}"), None).unwrap().id).collect();
    let all: Vec<String> = (0..20).map(|n| format!("g{n}")).collect();
    fleet.introduce("many", "", Some(&all.join(";")), exactly_now()).unwrap();
    let groups_of = |fleet: &Fleet, id: &str| {
        let found = fleet.computers().unwrap().into_iter().find(|computer| computer.id == id);
        found.unwrap().groups
    };
    assert_eq!(groups_of(&fleet, "many"), sorted(ids[..GROUPS_ASKED_FOR].to_vec()));
    fleet.introduce("honest", "", Some("g1;g0"), exactly_now()).unwrap();
    // A stranger invents computers, each in other groups.
    let pairs = (3..17).flat_map(|a| (2..a).flat_map(move |b| (1..b).map(move |c| (a, b, c))));
    for (a, b, c) in pairs.filter(|three| *three != (9, 8, 7)) {
        let (id, request) = (format!("{a}-{b}-{c}"), format!("g{a};g{b};g{c}"));
        fleet.introduce(&id, "", Some(&request), exactly_now()).unwrap();
    }
    let alone = fleet.groups().unwrap().len();
    assert!(fleet.group_sets().unwrap().len() <= SETS_ASKED_FOR + alone);
    fleet.introduce("late", "", Some("g7;g8;g9"), exactly_now()).unwrap();
    assert_eq!(groups_of(&fleet, "late"), [ids[7]], "the first");
    for (id, request) in [("honest", "g1;g0"), ("late", "g0;g1")] {
        fleet.introduce(id, "", Some(request), exactly_now()).unwrap();
        assert_eq!(groups_of(&fleet, id), sorted(vec![ids[0], ids[1]]), "a set that is there");
    }
}

// ---- approvals ----

#[test]
fn approvals_change_once() {
    let (_folder, mut fleet) = stores::fleet();
    let group = fleet.create_group("g", None).unwrap().id;
    let change = fleet.change().unwrap();
    let (install, block) = (ApprovalAction::Install, ApprovalAction::Block);
    let mut approve = |update, action, deadline| {
        fleet.approve(update, group, action, deadline, Origin::Local, exactly_now()).unwrap()
    };
    assert!(approve(numbered(2), install, None));
    assert!(!approve(numbered(2), install, None));
    assert!(approve(numbered(2), install, Some(later())));
    assert!(!approve(numbered(2), install, Some(later())));
    assert!(approve(numbered(1), block, None));
    assert_eq!(fleet.change().unwrap(), change + 3);
    let approvals = fleet.approvals().unwrap();
    assert_eq!(approvals.len(), 2);
    assert_eq!((approvals[0].update, approvals[0].action), (numbered(1), block));
    let two = &approvals[1];
    assert_eq!((two.update, two.group, two.action), (numbered(2), group, install));
    assert_eq!((two.deadline, two.origin), (Some(later()), Origin::Local));
    assert_eq!((two.changed, two.change), (exactly_now(), change + 2));
    let stranger = Uuid::from_u128(1);
    refused(fleet.approve(numbered(2), stranger, install, None, Origin::Local, exactly_now()));
    assert!(fleet.unapprove(numbered(2), group).unwrap());
    assert!(!fleet.unapprove(numbered(2), group).unwrap());
    fleet.remove_group(group).unwrap();
    assert_eq!(fleet.approvals().unwrap(), [], "they go with the group");
    assert!(fleet.accept_eula("e2", exactly_now()).unwrap());
    assert!(!fleet.accept_eula("e2", exactly_now()).unwrap());
    assert!(fleet.accept_eula("e1", exactly_now()).unwrap());
    refused(fleet.accept_eula("", exactly_now()));
    assert_eq!(fleet.accepted_eulas().unwrap(), ["e1", "e2"]);
    assert_eq!(fleet.change().unwrap(), change + 7);
}

#[test]
fn changes_at_once_are_all_made_or_none() {
    let (folder, mut fleet) = stores::fleet();
    let other = Fleet::open(&folder.path().join("fleet.sqlite")).unwrap();
    let before = (fleet.groups().unwrap(), fleet.change().unwrap());
    let approve = |fleet: &mut Fleet, n, group| {
        fleet.approve(
            numbered(n),
            group,
            ApprovalAction::Install,
            None,
            Origin::Local,
            exactly_now(),
        )
    };
    let failed = fleet.at_once(|fleet| {
        let group = fleet.create_group("g", None)?.id;
        approve(fleet, 1, group)?;
        assert_eq!(fleet.approvals()?.len(), 1);
        approve(fleet, 2, Uuid::from_u128(1))
    });
    refused(failed);
    assert_eq!((fleet.groups().unwrap(), fleet.change().unwrap()), before);
    assert_eq!(fleet.approvals().unwrap(), []);

    // What fails within and is borne undoes itself only.
    fleet
        .at_once(|fleet| {
            approve(fleet, 1, ALL_COMPUTERS)?;
            refused(approve(fleet, 2, Uuid::from_u128(1)));
            approve(fleet, 3, ALL_COMPUTERS)?;
            assert_eq!(other.approvals()?, [], "nobody sees half of it");
            Ok::<(), FleetError>(())
        })
        .unwrap();
    let updates: Vec<_> = other.approvals().unwrap().iter().map(|a| a.update).collect();
    assert_eq!(updates, [numbered(1), numbered(3)]);
}

#[test]
fn a_policy_never_overrules_an_administrator() {
    let (_folder, mut fleet) = stores::fleet();
    let other = fleet.create_group("g", None).unwrap().id;
    let approve = |fleet: &mut Fleet, group, action, origin| {
        fleet.approve(numbered(1), group, action, None, origin, exactly_now()).unwrap()
    };
    let state = |fleet: &Fleet| -> Vec<_> {
        fleet.approvals().unwrap().iter().map(|a| (a.group == other, a.action, a.origin)).collect()
    };
    let (install, block) = (ApprovalAction::Install, ApprovalAction::Block);
    let (local, policy) = (Origin::Local, Origin::Policy);
    assert!(approve(&mut fleet, ALL_COMPUTERS, install, policy));
    assert!(approve(&mut fleet, ALL_COMPUTERS, block, local));
    assert!(!approve(&mut fleet, ALL_COMPUTERS, install, policy));
    assert!(approve(&mut fleet, other, install, policy));
    let all = |fleet: &Fleet| state(fleet).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(all(&fleet), [(false, block, local), (true, install, policy)].into());

    // A policy's decline takes its own approvals only.
    assert!(fleet.decline(numbered(1), policy, exactly_now()).unwrap());
    assert_eq!(state(&fleet), [(false, block, local)]);
    assert!(fleet.declined().unwrap().is_empty());
    assert!(!fleet.decline(numbered(1), policy, exactly_now()).unwrap());

    assert!(fleet.decline(numbered(1), local, exactly_now()).unwrap());
    assert!(!fleet.decline(numbered(1), local, exactly_now()).unwrap());
    assert!(!fleet.decline(numbered(1), policy, exactly_now()).unwrap());
    assert_eq!((state(&fleet), fleet.declined().unwrap()), (vec![], vec![numbered(1)]));
    assert!(!approve(&mut fleet, other, install, policy));
    assert!(approve(&mut fleet, other, install, local));
    assert!(fleet.declined().unwrap().is_empty());

    // With nothing local, the policy has its way.
    assert!(fleet.release(numbered(1), other).unwrap());
    assert!(fleet.decline(numbered(1), policy, exactly_now()).unwrap());
    assert_eq!(fleet.declined().unwrap(), [numbered(1)]);
    assert!(approve(&mut fleet, other, install, policy));
    assert!(fleet.declined().unwrap().is_empty());
    assert!(fleet.decline(numbered(1), policy, exactly_now()).unwrap());
    assert!(fleet.undecline(numbered(1)).unwrap());
    assert!(!fleet.undecline(numbered(1)).unwrap());

    // What a person takes back stays so, until it is let go.
    assert!(!fleet.decline(numbered(1), policy, exactly_now()).unwrap());
    assert!(fleet.release_decline(numbered(1)).unwrap());
    assert!(!fleet.release_decline(numbered(1)).unwrap());
    assert!(approve(&mut fleet, other, install, policy));
    assert!(fleet.unapprove(numbered(1), other).unwrap());
    assert!(!approve(&mut fleet, other, install, policy));
    assert!(!fleet.refuse_approval(numbered(1), other).unwrap());
    assert!(fleet.release(numbered(1), other).unwrap());
    assert!(!fleet.release(numbered(1), other).unwrap());
    assert!(approve(&mut fleet, other, install, policy));
    assert!(fleet.refuse_approval(numbered(1), other).unwrap());
    assert_eq!(state(&fleet), vec![]);
    assert!(approve(&mut fleet, other, block, local), "only a person's hands are free");
    assert_eq!(fleet.withdrawn_approvals().unwrap().iter().filter(|t| t.by_person).count(), 0);
}

// ---- deployments ----

/// A decline is not lifted without the decision that keeps it so.
#[test]
fn keeping_an_update_undeclined_is_one_transaction() {
    let (folder, mut fleet) = stores::fleet();
    fleet.decline(numbered(1), Origin::Policy, exactly_now()).unwrap();
    let other = Connection::open(folder.path().join("fleet.sqlite")).unwrap();
    let fails = "CREATE TRIGGER fails BEFORE INSERT ON undeclined
                 BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    other.execute_batch(fails).unwrap();
    fleet.refuse_decline(numbered(1)).unwrap_err();
    assert_eq!(fleet.declined().unwrap(), [numbered(1)]);
    fleet.undecline(numbered(1)).unwrap_err();
    assert_eq!(fleet.declined().unwrap(), [numbered(1)]);
    other.execute_batch("DROP TRIGGER fails").unwrap();
    fleet.refuse_decline(numbered(1)).unwrap();
    assert_eq!(fleet.declined().unwrap(), []);
    assert_eq!(fleet.undeclined().unwrap(), [numbered(1)]);
}

#[test]
fn deployments_keep_id_and_mark_until_they_change() {
    let (_folder, mut fleet) = stores::fleet();
    let groups = [ALL_COMPUTERS, UNASSIGNED_COMPUTERS];
    let wanted = |revision, action, deadline, is_leaf| ApprovalNeed {
        revision: RevisionId(revision),
        action,
        deadline,
        is_leaf,
    };
    let first = [
        wanted(10, "Install", None, true),
        wanted(5, "Evaluate", None, false),
        wanted(7, "Install", Some(later()), true),
    ];
    let a = fleet.record_deployments(&groups, &first, 1, exactly_now()).unwrap();
    assert_eq!(a.len(), 3);
    assert!(a.iter().all(|r| r.change == 1 && r.changed == exactly_now()));
    let ids: BTreeSet<_> = a.iter().map(|r| r.deployment_id).collect();
    assert_eq!(ids.len(), 3);
    // The order of groups does not make another set.
    let again = [UNASSIGNED_COMPUTERS, ALL_COMPUTERS];
    assert_eq!(fleet.record_deployments(&again, &first, 2, later()).unwrap(), a);
    let second = [
        wanted(7, "Install", None, true),
        wanted(5, "Evaluate", None, true),
        wanted(11, "Install", None, true),
    ];
    let b = fleet.record_deployments(&groups, &second, 3, later()).unwrap();
    assert_eq!(b[0].deployment_id, a[2].deployment_id, "another deadline, the same deployment");
    assert_eq!(b[1].deployment_id, a[1].deployment_id, "another leaf state");
    assert!(b.iter().all(|r| r.change == 3 && r.changed == later()));
    let c = fleet.record_deployments(&groups, &first, 4, later()).unwrap();
    assert!(!ids.contains(&c[0].deployment_id), "it was taken away: a new deployment");
    let other = fleet.record_deployments(&[ALL_COMPUTERS], &first, 5, exactly_now()).unwrap();
    assert!(other.iter().zip(&c).all(|(x, y)| x.deployment_id != y.deployment_id));
    assert_eq!(fleet.record_deployments(&groups, &first, 6, exactly_now()).unwrap(), c);
    assert_eq!(fleet.record_deployments(&groups, &[], 7, exactly_now()).unwrap(), []);
}
