//! Deployments, hidden updates and licences of the upstream become approvals, declines and
//! accepted licences.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::decisions::{ChangeMark, DEPLOYMENTS, ReplicaReport, UpstreamDecisions};
use crate::{
    fleet::{
        decisions::overrides,
        error::WriteError,
        limits::{NAME, clip},
    },
    sqlite::{int, moment, update_at, uuid_at},
    update::UpdateId,
};

/// Action and deadline, as they are stored.
type StoredAction = (String, Option<String>);

/// Stores the deployments: dead ones are removed, the others are added or changed by their id.
pub(super) fn store_deployments(
    db: &Connection,
    decisions: &UpstreamDecisions,
    done: &mut ReplicaReport,
) -> Result<(), WriteError> {
    let most = [decisions.deployments.len(), decisions.dead.len(), decisions.hidden.len()]
        .into_iter()
        .max();
    if most.is_some_and(|most| most > DEPLOYMENTS) || decisions.accepted_eulas.len() > DEPLOYMENTS {
        return Err(too_many());
    }
    if decisions.whole {
        db.execute("DELETE FROM replica_deployment", [])?;
    }
    let mut delete =
        db.prepare_cached("DELETE FROM replica_deployment WHERE deployment_id = ?1")?;
    for id in &decisions.dead {
        delete.execute([id.as_bytes()])?;
    }
    let mut insert = db.prepare_cached(
        "INSERT INTO replica_deployment (deployment_id, update_id, revision_number, group_id,
            action, deadline, admin, go_live, priority)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (deployment_id) DO UPDATE SET update_id = ?2, revision_number = ?3,
            group_id = ?4, action = ?5, deadline = ?6, admin = ?7, go_live = ?8, priority = ?9",
    )?;
    for deployment in &decisions.deployments {
        insert.execute(params![
            deployment.id.as_bytes(),
            deployment.identity.id.0.as_bytes(),
            deployment.identity.revision,
            deployment.group.as_bytes(),
            deployment.action.name(),
            deployment.deadline.map(moment),
            clip(&deployment.admin, NAME),
            moment(deployment.go_live),
            deployment.priority,
        ])?;
    }
    let count = |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0));
    let kept = count("SELECT count(*) FROM replica_deployment")?;
    if usize::try_from(kept).unwrap_or(usize::MAX) > DEPLOYMENTS {
        return Err(too_many());
    }
    let lost = count(
        "SELECT count(*) FROM replica_deployment WHERE group_id NOT IN
            (SELECT group_id FROM target_group)",
    )?;
    if lost > 0 {
        done.notes.push(format!(
            "{lost} approvals of the upstream server are for groups that it does not list; they wait for them"
        ));
    }
    Ok(())
}

fn too_many() -> WriteError {
    WriteError::Invalid(format!(
        "the upstream server has more than {DEPLOYMENTS} approvals, declines or licences; no more are taken over"
    ))
}

/// Makes our decisions those that follow from what is stored, and writes only differences.
pub(super) fn apply(
    db: &Connection,
    decisions: &UpstreamDecisions,
    now: Timestamp,
    mark: &mut ChangeMark<'_>,
    done: &mut ReplicaReport,
) -> Result<(), WriteError> {
    let hidden: BTreeSet<UpdateId> = decisions.hidden.iter().copied().collect();
    let declined: BTreeSet<UpdateId> = db
        .prepare_cached("SELECT update_id FROM declined")?
        .query_map([], |row| update_at(row, 0))?
        .collect::<rusqlite::Result<_>>()?;
    for update in declined.difference(&hidden) {
        mark.get()?;
        db.prepare_cached("DELETE FROM declined WHERE update_id = ?1")?
            .execute([update.0.as_bytes()])?;
        done.no_longer_declined += 1;
    }
    for update in hidden.difference(&declined) {
        db.prepare_cached(
            "INSERT INTO declined (update_id, origin, changed, change)
             VALUES (?1, 'local', ?2, ?3)",
        )?
        .execute(params![update.0.as_bytes(), moment(now), int(mark.get()?)])?;
        done.declined += 1;
    }
    // No rule of ours has made what is approved here.
    db.execute("DELETE FROM rule_approval", [])?;
    approvals(db, &hidden, now, mark, done)?;
    eulas(db, decisions, now, mark)
}

/// One approval for each update and group: of several revisions the newest counts, as it is the
/// newest that is offered here; of several deployments of that the last one made.
fn approvals(
    db: &Connection,
    hidden: &BTreeSet<UpdateId>,
    now: Timestamp,
    mark: &mut ChangeMark<'_>,
    done: &mut ReplicaReport,
) -> Result<(), WriteError> {
    let mut wanted: BTreeMap<(UpdateId, Uuid), StoredAction> = BTreeMap::new();
    let mut statement = db.prepare_cached(
        "SELECT update_id, group_id, action, deadline FROM replica_deployment
         WHERE group_id IN (SELECT group_id FROM target_group)
         ORDER BY update_id, group_id, revision_number, go_live, deployment_id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let update = update_at(row, 0)?;
        if !hidden.contains(&update) {
            wanted.insert((update, uuid_at(row, 1)?), (row.get(2)?, row.get(3)?));
        }
    }
    let ours: BTreeMap<(UpdateId, Uuid), StoredAction> = db
        .prepare_cached("SELECT update_id, group_id, action, deadline FROM approval")?
        .query_map([], |row| {
            Ok(((update_at(row, 0)?, uuid_at(row, 1)?), (row.get(2)?, row.get(3)?)))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (update, group) in ours.keys().filter(|key| !wanted.contains_key(key)) {
        mark.get()?;
        db.prepare_cached("DELETE FROM approval WHERE update_id = ?1 AND group_id = ?2")?
            .execute(params![update.0.as_bytes(), group.as_bytes()])?;
        overrides::mark_withdrawn(db, *update, *group, false)?;
        done.approvals_removed += 1;
    }
    for (key, what) in wanted.iter().filter(|(key, what)| ours.get(key) != Some(what)) {
        db.prepare_cached(
            "INSERT INTO approval (update_id, group_id, action, deadline, origin, changed, change)
             VALUES (?1, ?2, ?3, ?4, 'local', ?5, ?6)
             ON CONFLICT (update_id, group_id) DO UPDATE SET
                action = ?3, deadline = ?4, origin = 'local', changed = ?5, change = ?6",
        )?
        .execute(params![
            key.0.0.as_bytes(),
            key.1.as_bytes(),
            what.0,
            what.1,
            moment(now),
            int(mark.get()?)
        ])?;
        overrides::unmark_withdrawn(db, key.0, key.1)?;
        done.approvals_changed += 1;
    }
    Ok(())
}

fn eulas(
    db: &Connection,
    decisions: &UpstreamDecisions,
    now: Timestamp,
    mark: &mut ChangeMark<'_>,
) -> Result<(), WriteError> {
    let wanted: HashSet<String> =
        decisions.accepted_eulas.iter().map(|id| id.hyphenated().to_string()).collect();
    let ours: HashSet<String> = db
        .prepare_cached("SELECT eula_id FROM eula_accepted")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in ours.difference(&wanted) {
        mark.get()?;
        db.prepare_cached("DELETE FROM eula_accepted WHERE eula_id = ?1")?.execute([id])?;
    }
    for id in wanted.difference(&ours) {
        db.prepare_cached(
            "INSERT INTO eula_accepted (eula_id, accepted, change) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![id, moment(now), int(mark.get()?)])?;
    }
    Ok(())
}
