//! What a data folder holds, as far as no later version may read it differently. No times, and no ids
//! that are made by chance.

use std::path::Path;

use bundle_format::digest::Sha256;
use serde_json::{Value, json};
use tidegate::{
    catalog::{Catalog, RevisionFilter},
    fleet::{Fleet, PolicyState},
};
use uuid::Uuid;

/// Everything that a data folder's databases say.
pub(super) fn described(data: &Path) -> Value {
    let catalog = Catalog::open(&data.join("catalog.sqlite")).unwrap();
    let fleet = Fleet::open(&data.join("fleet.sqlite")).unwrap();
    json!({
        "revisions": revisions(&catalog),
        "counts": counts(&catalog),
        "snapshots": snapshots(&catalog),
        "sites": catalog.sites().unwrap(),
        "groups": groups(&fleet),
        "approvals": approvals(&fleet),
        "declined": fleet.declined().unwrap(),
        "licences": fleet.accepted_eulas().unwrap(),
        "rules": rules(&fleet),
        "policy": policy(&fleet),
        "computers": computers(&fleet),
        "servers": servers(&fleet),
        "replica": fleet.replica_of().unwrap().is_some(),
    })
}

/// All revisions with their numbers, titles and the digests of their documents.
fn revisions(catalog: &Catalog) -> Vec<Value> {
    let mut found = Vec::new();
    catalog.find(&RevisionFilter::default(), &mut |revision| found.push(revision)).unwrap();
    found.sort_by_key(|revision| revision.revision_id);
    let revision = |revision: tidegate::catalog::RevisionSummary| {
        let document = catalog.document(revision.revision_id).unwrap().unwrap();
        json!({
            "number": revision.revision_id,
            "update": revision.identity.id,
            "revision": revision.identity.revision,
            "title": revision.title,
            "kb": revision.kb,
            "expired": revision.expired,
            "withdrawn": revision.withdrawn,
            "document": Sha256::hash(&document),
        })
    };
    found.into_iter().map(revision).collect()
}

fn counts(catalog: &Catalog) -> Value {
    let counts = catalog.counts().unwrap();
    json!({
        "updates": counts.updates,
        "revisions": counts.revisions,
        "withdrawn": counts.withdrawn,
        "payloads": counts.payloads,
        "payloads-here": counts.present,
        "bytes-here": counts.present_bytes,
    })
}

fn snapshots(catalog: &Catalog) -> Vec<Value> {
    let snapshots = catalog.snapshots().unwrap();
    let snapshot = |snapshot: &tidegate::catalog::SnapshotRow| {
        json!({
            "number": snapshot.number,
            "state": snapshot.state,
            "index": snapshot.index_sha256,
        })
    };
    snapshots.iter().map(snapshot).collect()
}

/// The name of a group: the ids of those that a policy makes are made by chance.
fn name(fleet: &Fleet, group: Uuid) -> String {
    let groups = fleet.groups().unwrap();
    groups.into_iter().find(|known| known.id == group).unwrap().name
}

/// Values in the order of their texts.
fn sorted(values: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut values: Vec<_> = values.collect();
    values.sort_by_key(Value::to_string);
    values
}

fn groups(fleet: &Fleet) -> Vec<Value> {
    let groups = fleet.groups().unwrap();
    sorted(groups.iter().map(
        |group| json!({ "name": group.name, "in": group.parent.map(|parent| name(fleet, parent)) }),
    ))
}

fn approvals(fleet: &Fleet) -> Vec<Value> {
    let approvals = fleet.approvals().unwrap();
    sorted(approvals.iter().map(|approval| {
        json!({
            "update": approval.update,
            "group": name(fleet, approval.group),
            "action": approval.action,
            "deadline": approval.deadline,
            "origin": approval.origin,
            "rule": approval.rule.as_ref().map(|rule| &rule.name),
        })
    }))
}

fn rules(fleet: &Fleet) -> Vec<Value> {
    let rules = fleet.rules().unwrap();
    rules.iter().map(|rule| json!({ "name": rule.name, "enabled": rule.enabled })).collect()
}

/// The snapshots whose policies are in each state.
fn policy(fleet: &Fleet) -> Value {
    let of = |state| fleet.policy(state).unwrap().map(|policy| policy.snapshot);
    json!({
        "applied": of(PolicyState::Applied),
        "held": of(PolicyState::Held),
        "rejected": of(PolicyState::Rejected),
    })
}

/// The computers that come here, and those that come to servers below.
fn computers(fleet: &Fleet) -> Value {
    let here = fleet.computers().unwrap().into_iter().map(|computer| {
        let groups = computer.groups.iter().map(|group| name(fleet, *group));
        let states = fleet.compliance(Some(&computer.id)).unwrap();
        let states = states.iter().map(|known| json!([known.update, known.state, known.hresult]));
        json!({
            "name": computer.dns_name,
            "asks-for": computer.requested_group,
            "groups": groups.collect::<Vec<_>>(),
            "states": sorted(states),
        })
    });
    let below = fleet.downstream_computers().unwrap().into_iter().map(
        |computer| json!({ "id": computer.id, "last-sync-result": computer.last_sync_result }),
    );
    json!({ "here": sorted(here), "below": sorted(below) })
}

fn servers(fleet: &Fleet) -> Vec<Value> {
    let servers = fleet.downstreams().unwrap();
    sorted(servers.into_iter().map(|server| {
        let states = fleet.downstream_states(server.id).unwrap();
        json!({ "name": server.name, "replica": server.replica, "states": states })
    }))
}
