//! What replicas take over.

use jiff::Timestamp;
use tidegate::{
    catalog::Catalog,
    fleet::{ALL_COMPUTERS, ApprovalAction, Origin, UNASSIGNED_COMPUTERS},
    protocol::{
        ErrorCode,
        server_sync::{DeploymentAction, Deployments, ServerSyncFilter, SyncDeployment},
    },
};
use uuid::Uuid;

use super::{
    Running, documents,
    documents::{CHILD, PARENT, update},
    downstream::{Downstream, code},
};

/// The deployments of an answer by update, one each.
fn of(answer: &Deployments, n: i32) -> &SyncDeployment {
    let found: Vec<_> = answer.deployments.iter().filter(|d| d.identity.id == update(n)).collect();
    assert_eq!(found.len(), 1, "{answer:?}");
    found[0]
}

#[test]
fn a_replica_takes_over_everything_and_then_changes_only() {
    let site = documents::site();
    let mut fleet = site.fleet();
    let pilots = fleet.create_group("Pilots & more", None).unwrap();
    let inner = fleet.create_group("Inner", Some(pilots.id)).unwrap();
    let deadline: Timestamp = "2026-12-24T18:00:00Z".parse().unwrap();
    let now = Timestamp::now();
    let mut approve = |n, group, action, deadline| {
        fleet.approve(update(n), group, action, deadline, Origin::Local, now).unwrap();
    };
    approve(PARENT, pilots.id, ApprovalAction::Install, Some(deadline));
    approve(CHILD, ALL_COMPUTERS, ApprovalAction::OptionalInstall, None);
    // Not in the catalogue: nobody can be told of it.
    approve(900, ALL_COMPUTERS, ApprovalAction::Install, None);
    fleet.accept_eula("6f1c2f6e-3f0b-4d3a-9b1e-0d2f6a1c5e12", now).unwrap();
    fleet.accept_eula("not a GUID", now).unwrap();

    let server = Running::new(&site);
    let dss = Downstream::new(server.address);
    let synced = dss.list(ServerSyncFilter::default()).unwrap().0;
    let first = dss.deployments(None, &synced).unwrap();
    let groups: Vec<_> =
        first.groups.iter().map(|g| (g.id, g.parent, g.name.as_str(), g.builtin)).collect();
    let expected = [
        (ALL_COMPUTERS, Uuid::nil(), "All Computers", true),
        (pilots.id, ALL_COMPUTERS, "Pilots & more", false),
        (UNASSIGNED_COMPUTERS, ALL_COMPUTERS, "Unassigned Computers", true),
        (inner.id, pilots.id, "Inner", false),
    ];
    assert_eq!(groups, expected);
    assert_eq!(first.deployments.len(), 2);
    let whole = of(&first, PARENT);
    assert_eq!((whole.identity.revision, whole.group, whole.assigned), (1, pilots.id, true));
    assert_eq!(whole.action, DeploymentAction::Install);
    assert_eq!(whole.deadline.unwrap().0, deadline);
    let part = of(&first, CHILD);
    assert_eq!((part.action, part.assigned), (DeploymentAction::Install, false));
    assert_eq!(part.deadline, None);
    assert_eq!((first.dead.as_slice(), first.hidden.as_slice()), (&[][..], &[][..]));
    assert_eq!(first.accepted_eulas.len(), 1);

    // Nothing new; and the same again to one that lost its anchor, with the same ids.
    let again = dss.deployments(Some(&first.anchor), &synced).unwrap();
    assert_eq!((again.deployments.len(), again.groups.len()), (0, 4));
    let lost = dss.deployments(None, &synced).unwrap();
    assert_eq!(lost.deployments, first.deployments);

    // One changes and keeps its id, one goes, one is declined.
    fleet
        .approve(update(PARENT), pilots.id, ApprovalAction::Block, None, Origin::Local, now)
        .unwrap();
    fleet.decline(update(CHILD), Origin::Local, now).unwrap();
    let second = dss.deployments(Some(&again.anchor), &synced).unwrap();
    assert_eq!(second.deployments.len(), 1);
    let blocked = of(&second, PARENT);
    assert_eq!((blocked.id, blocked.action), (whole.id, DeploymentAction::Block));
    assert_eq!(second.dead, [part.id]);
    assert_eq!(second.hidden, [update(CHILD).0]);

    // It comes again as another deployment; the dead one stays dead.
    let optional = ApprovalAction::OptionalInstall;
    fleet.approve(update(CHILD), ALL_COMPUTERS, optional, None, Origin::Local, now).unwrap();
    let third = dss.deployments(Some(&second.anchor), &synced).unwrap();
    assert_ne!(of(&third, CHILD).id, part.id);
    assert_eq!((third.dead.len(), third.hidden.len()), (0, 0));
    // A group that goes takes its deployments with it.
    fleet.remove_group(inner.id).unwrap();
    fleet.remove_group(pilots.id).unwrap();
    let last = dss.deployments(Some(&third.anchor), &synced).unwrap();
    assert_eq!((last.groups.len(), last.dead.as_slice()), (2, &[whole.id][..]));
    let all_dead = dss.deployments(None, &synced).unwrap().dead;
    assert_eq!(all_dead, [part.id, whole.id], "in the order in which they died");
}

#[test]
fn no_deployment_names_a_revision_that_the_replica_does_not_know() {
    let site = documents::site();
    site.approve(update(PARENT));
    let server = Running::new(&site);
    let dss = Downstream::new(server.address);
    let synced = dss.list(ServerSyncFilter::default()).unwrap().0;
    let first = dss.deployments(None, &synced).unwrap();
    assert_eq!(of(&first, PARENT).identity.revision, 1);

    let newer = documents::parent(PARENT, CHILD).replacen("Number=\"1\"", "Number=\"2\"", 1);
    site.add(110, newer.as_bytes());
    site.approve(update(CHILD));
    // Not told yet of revision 2: the other approval comes, this one waits.
    let early = dss.deployments(Some(&first.anchor), &synced).unwrap();
    assert_eq!(early.deployments.len(), 1);
    assert_eq!(of(&early, CHILD).identity.revision, 1);
    let synced = dss.list(ServerSyncFilter::default()).unwrap().0;
    let late = dss.deployments(Some(&early.anchor), &synced).unwrap();
    assert_eq!(of(&late, PARENT).identity.revision, 2);
    assert_eq!(of(&late, PARENT).id, of(&first, PARENT).id, "it is the same deployment");
    assert_eq!(dss.deployments(Some(&late.anchor), &synced).unwrap().deployments, []);
}

#[test]
fn what_the_mirror_withdraws_is_hidden_from_replicas() {
    let site = documents::site();
    site.approve(update(PARENT));
    let server = Running::new(&site);
    let dss = Downstream::new(server.address);
    let synced = dss.list(ServerSyncFilter::default()).unwrap().0;
    let first = dss.deployments(None, &synced).unwrap();

    let mut catalog = Catalog::open(&site.data.catalog()).unwrap();
    let mut writer = catalog.write().unwrap();
    writer.withdraw(&super::downstream::revision(PARENT)).unwrap();
    writer.commit().unwrap();
    let (anchor, list) =
        dss.list(ServerSyncFilter { anchor: Some(synced), ..ServerSyncFilter::default() }).unwrap();
    assert_eq!(list, [], "no list can take an update back");
    let second = dss.deployments(Some(&first.anchor), &anchor).unwrap();
    assert_eq!(second.hidden, [update(PARENT).0]);
    assert_eq!(second.dead, [of(&first, PARENT).id]);
}

#[test]
fn anchors_that_are_none_or_of_another_time_are_refused() {
    let site = documents::site();
    site.approve(update(PARENT));
    let server = Running::new(&site);
    let dss = Downstream::new(server.address);
    let synced = dss.list(ServerSyncFilter::default()).unwrap().0;
    let ask = |anchor: Option<&str>, synced: &str| code(dss.deployments(anchor, synced));
    let invalid = |name: &str| (Some(ErrorCode::InvalidParameters), name.to_owned());
    assert_eq!(ask(None, ""), invalid("syncAnchor"));
    assert_eq!(ask(None, "garbage"), invalid("syncAnchor"));
    assert_eq!(ask(Some("garbage"), &synced), invalid("deploymentAnchor"));
    // Of a database that was further than this one, which was restored.
    let future = "1000000,2026-10-04 16:33:26.671";
    assert_eq!(ask(Some(future), &synced).0, Some(ErrorCode::ServerChanged));
    assert_eq!(ask(None, future).0, Some(ErrorCode::ServerChanged));
    let nobody = Downstream { address: server.address, cookie: None };
    assert_eq!(code(nobody.deployments(None, &synced)).0, Some(ErrorCode::InvalidCookie));
}

#[test]
fn instants_are_written_with_their_zone() {
    use tidegate::protocol::server_sync::GetDeployments;
    let site = documents::site();
    site.approve(update(PARENT));
    let server = Running::new(&site);
    let dss = Downstream::new(server.address);
    let sync_anchor = dss.list(ServerSyncFilter::default()).unwrap().0;
    let request =
        GetDeployments { cookie: dss.cookie.clone(), deployment_anchor: None, sync_anchor };
    let reply = super::downstream::sent(server.address, &request);
    let text = reply.text();
    assert!(text.contains("<Deadline>9999-12-31T23:59:59.9999999Z</Deadline>"), "{text}");
    let go_live = super::session::between(text, "GoLiveTime");
    assert!(go_live.ends_with('Z'), "{go_live}");
    assert!(text.contains("<Action>0</Action><AdminName>"), "in the order of the schema");
}
