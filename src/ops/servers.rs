//! Downstream servers: those that synchronize from this one.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use super::{
    Result,
    context::Context,
    error::OpsError,
    hierarchy::{self, DownstreamEntry},
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
    let mut fleet = context.fleet()?;
    let server = find(&fleet, name_or_id)?;
    fleet.remove_downstream(server.id)?;
    Ok(ServerRemoved { removed: server.id, name: server.name })
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
