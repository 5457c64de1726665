//! Downstream servers: those that synchronize from this one.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use uuid::Uuid;

use super::{
    Result,
    context::Context,
    error::OpsError,
    hierarchy::{self, DownstreamEntry},
    removal::{RemovalFilter, RemovalOutcome, RemovedEntry},
};
use crate::fleet::{Activity, Downstream, DownstreamComputer, Fleet};

/// All servers below.
#[derive(Debug, Clone, Serialize)]
pub struct ServerList {
    /// Top first.
    pub servers: Vec<DownstreamEntry>,
}

/// What a server reported.
#[derive(Debug, Clone, Serialize)]
pub struct ServerDetails {
    /// The server.
    pub server: Downstream,
    /// Its computers.
    pub computers: Vec<DownstreamComputer>,
    /// By computer: how many updates are in which state.
    pub states: BTreeMap<String, BTreeMap<String, u64>>,
    /// Installations, by revision.
    pub activity: Vec<Activity>,
}

/// A server that was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerRemoved {
    /// Its id.
    pub removed: Uuid,
    /// Its name, as it claimed.
    #[serde(skip)]
    pub name: String,
}

/// All servers, top first.
///
/// # Errors
/// When there is no data folder, or a store fails.
pub fn list(context: &Context<'_>) -> Result<ServerList> {
    let (catalog, fleet) = context.catalog_and_fleet()?;
    Ok(ServerList { servers: hierarchy::entries(&fleet, &catalog, context.now())? })
}

/// What a server reported: its numbers, its computers with their states.
///
/// # Errors
/// When no server, or more than one, has this name or id, or the fleet cannot be read.
pub fn show(context: &Context<'_>, name_or_id: &str) -> Result<ServerDetails> {
    let fleet = context.fleet()?;
    let server = find(&fleet, name_or_id)?;
    let mut computers = fleet.downstream_computers()?;
    computers.retain(|computer| computer.server == server.id);
    let mut states: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for (computer, state, updates) in fleet.downstream_states(server.id)? {
        states.entry(computer).or_default().insert(state, updates);
    }
    let activity = fleet.downstream_activity(server.id)?;
    Ok(ServerDetails { server, computers, states, activity })
}

/// Forgets a server, with those below it and their computers; it is back when it calls again.
///
/// # Errors
/// As [`show`].
pub fn remove(context: &Context<'_>, name_or_id: &str) -> Result<ServerRemoved> {
    let mut fleet = context.fleet_to_change()?;
    let server = find(&fleet, name_or_id)?;
    fleet.remove_downstream(server.id)?;
    Ok(ServerRemoved { removed: server.id, name: server.name })
}

/// Forgets all servers that fit and have none below them that does not; without `really`, only says which.
///
/// # Errors
/// As [`list`].
pub fn remove_all(
    context: &Context<'_>,
    filter: &RemovalFilter,
    really: bool,
) -> Result<RemovalOutcome> {
    let now = context.now();
    let mut fleet = context.fleet_to_change()?;
    let removed = fleet.at_once(|fleet| {
        let mut servers = fleet.downstreams()?;
        let fits = |one: &Downstream| filter.fits(one.last_contact, one.last_rollup, now);
        let mut needed: HashSet<Uuid> =
            servers.iter().filter(|one| !fits(one)).map(|one| one.id).collect();
        // Who has a server below it that stays, stays too.
        let parents: HashMap<Uuid, Option<Uuid>> =
            servers.iter().map(|one| (one.id, one.parent)).collect();
        for id in needed.clone() {
            let mut next = parents.get(&id).copied().flatten();
            while let Some(parent) = next
                && needed.insert(parent)
            {
                next = parents.get(&parent).copied().flatten();
            }
        }
        servers.retain(|one| !needed.contains(&one.id));
        if really {
            for server in &servers {
                fleet.remove_downstream(server.id)?;
            }
        }
        Ok::<_, OpsError>(servers)
    })?;
    let removed = removed.into_iter().map(|server| RemovedEntry {
        id: server.id.to_string(),
        name: server.name,
        last_seen: server.last_contact,
        last_report: server.last_rollup,
    });
    Ok(RemovalOutcome { done: really, removed: removed.collect() })
}

fn find(fleet: &Fleet, name_or_id: &str) -> Result<Downstream> {
    let id = Uuid::try_parse(name_or_id).ok();
    let mut found = fleet.downstreams()?;
    found.retain(|server| Some(server.id) == id || server.name.eq_ignore_ascii_case(name_or_id));
    let ids: Vec<String> = found.iter().map(|server| server.id.to_string()).collect();
    match (found.pop(), ids.len()) {
        (Some(server), 1) => Ok(server),
        (None, _) => Err(OpsError::unfit(format!(
            "there is no server {name_or_id:?}: see `tidegate servers`"
        ))),
        _ => Err(OpsError::unfit(format!(
            "{} servers are called {name_or_id:?}: use one of the ids {}",
            ids.len(),
            ids.join(", ")
        ))),
    }
}
