//! SyncUpdates and RefreshCache.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::super::action::Action;
use super::handshake::read_cookie;
use crate::agent::{
    fragments::{Core, UpdateType},
    judge::{Judge, clip, parse_instant},
    rulebook as rules, schema,
    state::Cookie,
    tree::Element,
};

/// A revision in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UpdateInfo {
    pub(crate) id: i32,
    /// `None` when the answer has no deployment for it.
    pub(crate) action: Option<Action>,
    pub(crate) leaf: bool,
    /// `None` when there is none or it cannot be used.
    pub(crate) core: Option<Core>,
}

/// What an agent takes from SyncUpdates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SyncInfo {
    pub(crate) new: Vec<UpdateInfo>,
    pub(crate) out_of_scope: Vec<i32>,
    pub(crate) changed: Vec<UpdateInfo>,
    pub(crate) truncated: bool,
    pub(crate) cookie: Option<Cookie>,
    /// `DeployedOutOfScopeRevisionIds`: still deployed, but not in this category scan.
    pub(crate) other_categories: Vec<i32>,
    pub(crate) no_drivers: bool,
}

/// The answer of SyncUpdates ([MS-WUSP] 2.2.2.2.4). `drivers` for the driver pass.
pub(crate) fn sync_info(response: &Element, drivers: bool, judge: &mut Judge<'_>) -> SyncInfo {
    judge.sequence(response, schema::SYNC_UPDATES_RESPONSE);
    let Some(result) = response.child("SyncUpdatesResult") else { return SyncInfo::default() };
    judge.sequence(result, schema::SYNC_INFO);
    let new = update_infos(result.child("NewUpdates"), true, judge);
    let truncated = judge.boolean(result, "Truncated", false);
    if truncated && new.is_empty() {
        judge.broken(&rules::TRUNCATED_EMPTY, "Truncated is true and NewUpdates is empty");
    }
    let cookie = result.child("NewCookie").and_then(|cookie| read_cookie(cookie, judge));
    if cookie.is_none() {
        judge.broken(&rules::NEW_COOKIE_MISSING, "no NewCookie");
    }
    let not_needed = result.child_text("DriverSyncNotNeeded");
    if not_needed.is_none() && !drivers {
        judge.broken(&rules::DRIVER_SYNC_MISSING, "no DriverSyncNotNeeded");
    }
    let changed = update_infos(result.child("ChangedUpdates"), false, judge);
    let out_of_scope = int_array(result, "OutOfScopeRevisionIDs", judge);
    let other_categories = int_array(result, "DeployedOutOfScopeRevisionIds", judge);
    SyncInfo {
        new,
        out_of_scope,
        changed,
        truncated,
        cookie,
        other_categories,
        no_drivers: judge.boolean(result, "DriverSyncNotNeeded", false) && not_needed.is_some(),
    }
}

pub(super) fn int_array(parent: &Element, name: &str, judge: &mut Judge<'_>) -> Vec<i32> {
    let array = parent.child(name);
    if let Some(array) = array {
        judge.sequence(array, schema::INTS);
    }
    judge.ints(array)
}

fn update_infos(list: Option<&Element>, new: bool, judge: &mut Judge<'_>) -> Vec<UpdateInfo> {
    let Some(list) = list else { return Vec::new() };
    judge.sequence(list, schema::UPDATE_INFOS);
    let mut seen = BTreeSet::new();
    let mut infos = Vec::new();
    for element in list.all("UpdateInfo") {
        judge.sequence(element, schema::UPDATE_INFO);
        let Some(id) = element.child("ID").and_then(|id| judge.int32(id, "UpdateInfo/ID")) else {
            continue;
        };
        if !seen.insert(id) {
            judge.broken(&rules::ID_DUPLICATE, format!("revision {id} twice in {}", list.name));
            continue;
        }
        let core = if new { read_core(element, id, judge) } else { None };
        let leaf = judge.boolean(element, "IsLeaf", true);
        let action = deployment(element, id, new, judge);
        if let (Some(core), Some(action)) = (&core, action) {
            judge_action(core, action, id, judge);
        }
        infos.push(UpdateInfo { id, action, leaf, core });
    }
    infos
}

fn read_core(element: &Element, id: i32, judge: &mut Judge<'_>) -> Option<Core> {
    let Some(xml) = element.child("Xml") else {
        judge.broken(&rules::CORE_MISSING, format!("revision {id} has no Xml"));
        return None;
    };
    if !xml.children.is_empty() {
        judge.broken(&rules::CORE_NOT_TEXT, format!("revision {id}"));
        return None;
    }
    Core::read(&xml.text, id, judge)
}

/// Reads and judges the `Deployment` of a revision; gives its action.
fn deployment(element: &Element, id: i32, new: bool, judge: &mut Judge<'_>) -> Option<Action> {
    let Some(deployment) = element.child("Deployment") else {
        if new {
            judge.broken(&rules::DEPLOYMENT_MISSING, format!("revision {id}"));
        }
        return None;
    };
    judge.sequence(deployment, schema::DEPLOYMENT);
    if let Some(number) = deployment.child("ID") {
        judge.int32(number, &format!("deployment of revision {id}"));
    }
    let missing: Vec<_> = ["AutoSelect", "AutoDownload", "SupersedenceBehavior"]
        .into_iter()
        .filter(|name| deployment.child(name).is_none())
        .collect();
    if !missing.is_empty() {
        let what = format!("revision {id}: no {}", missing.join(", "));
        judge.broken(&rules::DEPLOYMENT_SHORT, what);
    }
    if let Some(deadline) = deployment.child_text("Deadline")
        && (deadline.starts_with("9999") || parse_instant(deadline).is_none())
    {
        judge.broken(&rules::DEADLINE, format!("revision {id}: {:?}", clip(deadline)));
    }
    if let Some(time) = deployment.child_text("LastChangeTime")
        && time.parse::<jiff::civil::Date>().is_err()
        && parse_instant(time).is_none()
    {
        let what = format!("revision {id}: LastChangeTime {:?}", clip(time));
        judge.broken(&rules::VALUE_BAD, what);
    }
    judge.boolean(deployment, "IsAssigned", true);
    let action = deployment.child_text("Action")?;
    let known = Action::parse(action);
    if known.is_none() {
        judge.broken(&rules::ACTION_UNKNOWN, format!("revision {id}: {:?}", clip(action)));
    }
    known.or(Some(Action::Evaluate))
}

fn judge_action(core: &Core, action: Action, id: i32, judge: &mut Judge<'_>) {
    let to_evaluate = matches!(core.kind, UpdateType::Category | UpdateType::Detectoid);
    if to_evaluate && action != Action::Evaluate {
        let what = format!("revision {id}, {:?} {}: {action}", core.kind, core.update_id);
        judge.broken(&rules::ACTION_NOT_EVALUATE, what);
    }
}

/// The answer of RefreshCache ([MS-WUSP] 2.2.2.2.5): new ids and deployments of what is kept.
pub(crate) fn refreshed(
    response: &Element,
    requested: &[(Uuid, i32)],
    judge: &mut Judge<'_>,
) -> Vec<((Uuid, i32), UpdateInfo)> {
    judge.sequence(response, schema::REFRESH_CACHE_RESPONSE);
    let Some(list) = response.child("RefreshCacheResult") else { return Vec::new() };
    judge.sequence(list, schema::REFRESHED);
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    for entry in list.all("RefreshCacheResult") {
        judge.sequence(entry, schema::REFRESH);
        let id = entry.child("RevisionID").and_then(|id| judge.int32(id, "RevisionID"));
        let (Some(id), Some(identity)) = (id, entry.child("GlobalID")) else { continue };
        judge.sequence(identity, schema::IDENTITY);
        let update = judge.guid(identity.child_text("UpdateID").unwrap_or_default(), "GlobalID");
        let revision = identity
            .child("RevisionNumber")
            .and_then(|number| judge.int32(number, "GlobalID/RevisionNumber"));
        let (Some(update), Some(revision)) = (update, revision) else { continue };
        if !seen.insert(id) {
            judge.broken(&rules::ID_DUPLICATE, format!("revision {id} twice"));
            continue;
        }
        if !requested.contains(&(update, revision)) {
            let what = format!("{update} revision {revision}");
            judge.broken(&rules::REFRESH_FOREIGN, what);
            continue;
        }
        let leaf = judge.boolean(entry, "IsLeaf", true);
        let action = deployment(entry, id, true, judge);
        kept.push(((update, revision), UpdateInfo { id, action, leaf, core: None }));
    }
    kept
}
