//! What a replica takes over, from a server that says anything.

use jiff::Timestamp;
use tidegate::{
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, FleetError, Origin, UNASSIGNED_COMPUTERS},
    update::UpdateId,
};
use uuid::Uuid;

use super::{
    Tidegate,
    fake::{BUILT_IN, Decisions, Fake},
};
use crate::support::upstream_fake::{SYNC, answer};

fn id(n: u128) -> Uuid {
    Uuid::from_u128(0xd000_0000_0000_4000_8000_0000_0000_0000 + n)
}

fn guid(n: u128) -> String {
    format!("<guid>{}</guid>", id(n))
}

fn group(n: u128, parent: Uuid, name: &str) -> String {
    format!(
        "<ServerSyncTargetGroup><TargetGroupID>{}</TargetGroupID><ParentGroupId>{parent}</ParentGroupId><Name>{name}</Name><IsBuiltin>false</IsBuiltin></ServerSyncTargetGroup>",
        id(n)
    )
}

/// A deployment of revision `revision` of update `update` for group `to`.
fn deployment(n: u128, update: u128, revision: u32, to: Uuid, action: u8, rest: &str) -> String {
    let rest = if rest.is_empty() {
        "<Deadline>9999-12-31T23:59:59.9999999</Deadline><IsAssigned>true</IsAssigned>"
    } else {
        rest
    };
    format!(
        "<ServerSyncDeployment><UpdateId>{}</UpdateId><RevisionNumber>{revision}</RevisionNumber><Action>{action}</Action><AdminName>PLANT\\admin</AdminName>{rest}<GoLiveTime>2026-01-01T00:00:00</GoLiveTime><DeploymentGuid>{}</DeploymentGuid><TargetGroupId>{to}</TargetGroupId><DownloadPriority>1</DownloadPriority></ServerSyncDeployment>",
        id(update),
        id(n)
    )
}

fn approved(tidegate: &Tidegate) -> Vec<(UpdateId, Uuid, ApprovalAction, Option<Timestamp>)> {
    let approvals = tidegate.fleet().approvals().unwrap();
    approvals.into_iter().map(|a| (a.update, a.group, a.action, a.deadline)).collect()
}

fn refused<T: std::fmt::Debug>(result: Result<T, FleetError>) {
    let why = result.unwrap_err().to_string();
    assert!(why.contains("this is a replica"), "{why}");
}

#[test]
fn everything_is_taken_over_then_changes() {
    let fake = Fake::new(Decisions {
        anchor: "a1".to_owned(),
        groups: [
            group(12, id(11), "Pilot"),
            group(11, ALL_COMPUTERS, "Clients &amp; co"),
            BUILT_IN.to_owned(),
        ]
        .concat(),
        deployments: [
            deployment(1, 21, 200, ALL_COMPUTERS, 0, ""),
            deployment(2, 21, 200, id(12), 3, ""),
            deployment(
                3,
                22,
                1,
                id(12),
                0,
                "<Deadline>2026-12-01T20:00:00Z</Deadline><IsAssigned>true</IsAssigned>",
            ),
            deployment(4, 23, 1, id(11), 1, ""),
            deployment(5, 24, 1, id(11), 2, ""),
            deployment(
                6,
                25,
                1,
                id(11),
                0,
                "<Deadline>9999-12-31T23:59:59.9999999</Deadline><IsAssigned>false</IsAssigned>",
            ),
            // Two revisions of one update: the newest counts, in whatever order they come.
            deployment(8, 26, 5, id(11), 0, ""),
            deployment(7, 26, 4, id(11), 3, ""),
        ]
        .concat(),
        hidden: guid(30) + &guid(31),
        eulas: guid(40),
        ..Decisions::default()
    });
    let replica = Tidegate::new(2);
    // What was decided here goes; a computer follows its group by name.
    let mut fleet = replica.fleet();
    let local = fleet.create_group("PILOT", None).unwrap();
    let other = fleet.create_group("Other", None).unwrap();
    for (computer, group) in [("pc-1", local.id), ("pc-2", other.id)] {
        fleet.introduce(computer, computer, None, Timestamp::now()).unwrap();
        fleet.assign(computer, &[group]).unwrap();
    }
    replica.install(UpdateId(id(99)), other.id);
    fleet.decline(UpdateId(id(98)), Origin::Local, Timestamp::now()).unwrap();

    let done = replica.replicate(&fake.mock.url).unwrap();
    assert!(done.changed && done.notes.is_empty(), "{done:?}");
    assert_eq!(fake.asked(), [(None, Some("7,2026-01-02 03:04:05.000".to_owned()))]);
    let groups: Vec<_> =
        fleet.groups().unwrap().into_iter().map(|g| (g.id, g.name, g.parent)).collect();
    assert_eq!(
        groups,
        [
            (ALL_COMPUTERS, "All Computers".to_owned(), None),
            (id(11), "Clients & co".to_owned(), Some(ALL_COMPUTERS)),
            (UNASSIGNED_COMPUTERS, "Unassigned Computers".to_owned(), Some(ALL_COMPUTERS)),
            (id(12), "Pilot".to_owned(), Some(id(11))),
        ]
    );
    let update = |n| UpdateId(id(n));
    use ApprovalAction::{Block, Detect, Install, OptionalInstall, Uninstall};
    let deadline = "2026-12-01T20:00:00Z".parse::<Timestamp>().unwrap();
    let first = [
        (update(21), ALL_COMPUTERS, Install, None),
        (update(21), id(12), Block, None),
        (update(22), id(12), Install, Some(deadline)),
        (update(23), id(11), Uninstall, None),
        (update(24), id(11), Detect, None),
        (update(25), id(11), OptionalInstall, None),
        (update(26), id(11), Install, None),
    ];
    assert_eq!(approved(&replica), first);
    assert_eq!(fleet.declined().unwrap(), [update(30), update(31)]);
    assert_eq!(fleet.accepted_eulas().unwrap(), [id(40).to_string()]);
    assert_eq!(fleet.groups_of("pc-1").unwrap(), [ALL_COMPUTERS, id(11), id(12)]);
    assert_eq!(fleet.groups_of("pc-2").unwrap(), [ALL_COMPUTERS, UNASSIGNED_COMPUTERS]);
    assert_eq!(fleet.replica_of().unwrap(), Some(format!("{}/", fake.mock.url)));

    // The same again: nothing changes, no view is loaded anew.
    fake.say(|said| said.deployments.clear());
    let change = fleet.change().unwrap();
    assert!(!replica.replicate(&fake.mock.url).unwrap().changed);
    assert_eq!(fleet.change().unwrap(), change);
    assert_eq!(fake.asked()[1].0.as_deref(), Some("a1"));
    assert_eq!(approved(&replica), first);

    // Changes by id: one deployment moves, one dies, the newer revision's goes and the older counts
    // again; one update is declined, one no more; names change hands; a group goes with what it had.
    fleet.assign("pc-2", &[id(11)]).unwrap();
    fake.say(|said| {
        *said = Decisions {
            anchor: "a2".to_owned(),
            groups: [
                BUILT_IN,
                &group(11, ALL_COMPUTERS, "Pilot"),
                &group(13, id(11), "clients &amp; CO"),
            ]
            .concat(),
            deployments: deployment(4, 23, 2, id(13), 0, ""),
            dead: guid(5) + &guid(8) + &guid(77),
            hidden: guid(31) + &guid(25),
            ..Decisions::default()
        };
    });
    let done = replica.replicate(&fake.mock.url).unwrap();
    assert_eq!((done.groups_changed, done.groups_removed), (2, 1));
    assert_eq!((done.declined, done.no_longer_declined), (1, 1));
    assert_eq!(
        approved(&replica),
        [
            (update(21), ALL_COMPUTERS, Install, None),
            (update(23), id(13), Install, None),
            (update(26), id(11), Block, None),
        ]
    );
    assert_eq!(fleet.declined().unwrap(), [update(25), update(31)]);
    assert_eq!(fleet.accepted_eulas().unwrap(), [""; 0]);
    assert_eq!(fleet.groups_of("pc-1").unwrap(), [ALL_COMPUTERS, UNASSIGNED_COMPUTERS]);
    assert_eq!(fleet.groups_of("pc-2").unwrap(), [ALL_COMPUTERS, id(11)]);

    // What was approved before it was declined is approved again.
    fake.say(|said| {
        said.deployments.clear();
        said.dead.clear();
        said.hidden.clear();
    });
    replica.replicate(&fake.mock.url).unwrap();
    assert!(approved(&replica).contains(&(update(25), id(11), OptionalInstall, None)));
}

#[test]
fn a_replica_decides_nothing_until_it_ends() {
    let fake = Fake::new(Decisions {
        anchor: "a1".to_owned(),
        groups: BUILT_IN.to_owned() + &group(11, ALL_COMPUTERS, "Pilot"),
        deployments: deployment(1, 21, 1, ALL_COMPUTERS, 0, ""),
        hidden: guid(30),
        eulas: guid(40),
        ..Decisions::default()
    });
    let replica = Tidegate::new(2);
    replica.replicate(&fake.mock.url).unwrap();
    let before = replica.decided();
    let (mut fleet, now) = (replica.fleet(), Timestamp::now());
    let (new, old) = (UpdateId(id(50)), UpdateId(id(21)));
    let approve = |fleet: &mut Fleet, update, action| {
        fleet.approve(update, ALL_COMPUTERS, action, None, Origin::Local, now)
    };
    refused(approve(&mut fleet, new, ApprovalAction::Install));
    refused(approve(&mut fleet, old, ApprovalAction::Block));
    refused(fleet.unapprove(old, ALL_COMPUTERS));
    refused(fleet.decline(new, Origin::Local, now));
    refused(fleet.undecline(UpdateId(id(30))));
    refused(fleet.accept_eula("x", now));
    refused(fleet.create_group("New", None));
    refused(fleet.remove_group(id(11)));
    assert_eq!(replica.decided(), before);
    // Computers are placed here.
    fleet.introduce("pc-1", "pc-1", Some("pilot"), now).unwrap();
    assert_eq!(fleet.groups_of("pc-1").unwrap(), [ALL_COMPUTERS, id(11)]);
    fleet.assign("pc-1", &[]).unwrap();

    assert_eq!(fleet.leave_replica().unwrap(), Some(format!("{}/", fake.mock.url)));
    assert_eq!(replica.decided(), before);
    assert!(approve(&mut fleet, new, ApprovalAction::Install).unwrap());
    assert!(fleet.unapprove(old, ALL_COMPUTERS).unwrap());
    fleet.remove_group(id(11)).unwrap();
    assert_eq!(fleet.leave_replica().unwrap(), None);
    // A replica again: everything is asked for.
    replica.replicate(&fake.mock.url).unwrap();
    assert_eq!(replica.decided(), before);
    assert_eq!(fake.asked()[1].0, None);
}

#[test]
fn a_server_that_forgot_its_anchors_is_asked_for_everything() {
    for code in ["InvalidParameters", "ServerChanged"] {
        let fake = Fake::new(Decisions {
            anchor: "a1".to_owned(),
            groups: BUILT_IN.to_owned(),
            deployments: deployment(1, 21, 1, ALL_COMPUTERS, 0, "")
                + &deployment(2, 22, 1, ALL_COMPUTERS, 0, ""),
            ..Decisions::default()
        });
        let replica = Tidegate::new(2);
        replica.replicate(&fake.mock.url).unwrap();
        *fake.refused.lock().unwrap() = Some(code);
        fake.say(|said| said.deployments = deployment(3, 22, 1, ALL_COMPUTERS, 3, ""));
        replica.replicate(&fake.mock.url).unwrap();
        let anchors: Vec<_> = fake.asked().into_iter().map(|asked| asked.0).collect();
        assert_eq!(anchors, [None, Some("a1".to_owned()), None]);
        let only = (UpdateId(id(22)), ALL_COMPUTERS, ApprovalAction::Block, None);
        assert_eq!(approved(&replica), [only], "what is not told again is gone");
    }
}

#[test]
fn an_answer_that_breaks_off_changes_nothing() {
    let fake = Fake::new(Decisions {
        anchor: "a1".to_owned(),
        groups: BUILT_IN.to_owned() + &group(11, ALL_COMPUTERS, "Pilot"),
        deployments: deployment(1, 21, 1, id(11), 0, ""),
        ..Decisions::default()
    });
    let replica = Tidegate::new(2);
    replica.replicate(&fake.mock.url).unwrap();
    let before = replica.decided();
    fake.say(|said| {
        said.anchor = "a2".to_owned();
        said.groups = BUILT_IN.to_owned();
    });
    let said = fake.said.lock().unwrap().clone();
    *fake.hook.lock().unwrap() = Some(Box::new(move |name, _| {
        let whole = format!("<Anchor>{}</Anchor><Groups>{}</Groups>", said.anchor, said.groups);
        (name == "GetDeployments").then(|| {
            let mut reply = answer(name, SYNC, &whole);
            reply.length = Some(reply.body.len() + 100);
            reply
        })
    }));
    assert!(replica.replicate(&fake.mock.url).is_err());
    assert_eq!(replica.decided(), before);
    *fake.hook.lock().unwrap() = None;
    replica.replicate(&fake.mock.url).unwrap();
    assert_eq!(replica.decided().len(), 2, "{:?}", replica.decided());
    assert_eq!(fake.asked().last().unwrap().0.as_deref(), Some("a1"));
}

#[test]
fn what_makes_no_sense_changes_nothing() {
    let good = Decisions {
        anchor: "a1".to_owned(),
        groups: BUILT_IN.to_owned() + &group(11, ALL_COMPUTERS, "Pilot"),
        deployments: deployment(1, 21, 1, id(11), 0, ""),
        ..Decisions::default()
    };
    let fake = Fake::new(good.clone());
    let replica = Tidegate::new(2);
    replica.replicate(&fake.mock.url).unwrap();
    let before = replica.decided();
    let grouped = |groups: &str| Decisions { groups: groups.to_owned(), ..good.clone() };
    let with = |groups: &[String]| grouped(&(BUILT_IN.to_owned() + &groups.concat()));
    let deployed =
        |deployments: &str| Decisions { deployments: deployments.to_owned(), ..good.clone() };
    for (said, why) in [
        (grouped(""), "All Computers"),
        (with(&[group(11, id(12), "a"), group(12, id(11), "b")]), "within itself"),
        (with(&[group(11, id(12), "a")]), "cannot be around"),
        (with(&[group(11, UNASSIGNED_COMPUTERS, "a")]), "cannot be around"),
        (with(&[group(11, ALL_COMPUTERS, "a"), group(11, ALL_COMPUTERS, "b")]), "twice"),
        (grouped("<ServerSyncTargetGroup><Name>x</Name></ServerSyncTargetGroup>"), "TargetGroupID"),
        (deployed(&deployment(2, 22, 1, id(11), 9, "")), "Action"),
        (deployed("<ServerSyncDeployment />"), "ServerSyncDeployment"),
        (Decisions { hidden: "<guid>x</guid>".to_owned(), ..good.clone() }, "HiddenUpdates"),
    ] {
        fake.say(|now| *now = Decisions { anchor: "bad".to_owned(), ..said });
        let error = replica.replicate(&fake.mock.url).unwrap_err().to_string();
        assert!(error.contains(why) || error.contains("GetDeployments"), "{error}");
        assert_eq!(replica.decided(), before);
    }
    assert!(fake.asked().iter().all(|asked| asked.0.as_deref() != Some("bad")));

    // Names that people could not use are made fit; approvals for groups that come later wait.
    fake.say(|said| {
        *said = with(&[
            group(11, ALL_COMPUTERS, "Pilot"),
            group(12, ALL_COMPUTERS, "pilot"),
            group(13, ALL_COMPUTERS, "all computers"),
            group(14, ALL_COMPUTERS, "a;b"),
        ]);
        said.deployments = deployment(9, 29, 1, id(15), 0, "");
    });
    let done = replica.replicate(&fake.mock.url).unwrap();
    assert_eq!(done.notes.len(), 4, "{:?}", done.notes);
    let names: Vec<_> =
        replica.fleet().groups().unwrap().into_iter().map(|group| group.name).collect();
    assert!(names.contains(&format!("pilot ({})", id(12))), "{names:?}");
    assert!(names.contains(&format!("all computers ({})", id(13))), "{names:?}");
    assert!(names.contains(&"a,b".to_owned()), "{names:?}");
    assert_eq!(approved(&replica).len(), 1);
    fake.say(|said| {
        said.groups += &group(15, ALL_COMPUTERS, "Late");
        said.deployments.clear();
    });
    replica.replicate(&fake.mock.url).unwrap();
    assert_eq!(approved(&replica).len(), 2);
}
