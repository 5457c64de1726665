//! Downstream servers: those that synchronize from this one.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use uuid::Uuid;

use super::{
    Result,
    context::Context,
    hierarchy::{self, DownstreamEntry},
    removal::{self, RemovalChoice, RemovalOutcome, RemovalTarget, RemovedEntry, find},
};
use crate::{
    fleet::{Activity, Downstream, DownstreamComputer, Fleet},
    journal::EntryKind,
};

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
    let server = find(fleet.downstreams()?, name_or_id)?;
    let mut computers = fleet.downstream_computers()?;
    computers.retain(|computer| computer.server == server.id);
    let mut states: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for (computer, state, updates) in fleet.downstream_states(server.id)? {
        states.entry(computer).or_default().insert(state, updates);
    }
    let activity = fleet.downstream_activity(server.id)?;
    Ok(ServerDetails { server, computers, states, activity })
}

/// Forgets a server with those below it, or all that fit and have none below them that does not; their
/// computers go with them. Without `really`, only says which. They are back when they call again.
///
/// # Errors
/// As [`show`].
pub fn remove(
    context: &Context<'_>,
    choice: &RemovalChoice<'_>,
    really: bool,
) -> Result<RemovalOutcome> {
    let now = context.now();
    removal::remove(context, really, |fleet| {
        let mut servers = fleet.downstreams()?;
        let parents: HashMap<Uuid, Option<Uuid>> =
            servers.iter().map(|one| (one.id, one.parent)).collect();
        match choice {
            RemovalChoice::Named(name) => {
                let top = find(servers.clone(), name)?.id;
                servers.retain(|one| with_parents(&parents, one.id).contains(&top));
            }
            RemovalChoice::All(filter) => {
                let fits = |one: &Downstream| filter.fits(one.last_contact, one.last_rollup, now);
                // Who has a server below it that stays, stays too.
                let staying = servers.iter().filter(|one| !fits(one));
                let stay: HashSet<Uuid> =
                    staying.flat_map(|one| with_parents(&parents, one.id)).collect();
                servers.retain(|one| !stay.contains(&one.id));
            }
        }
        Ok(servers)
    })
}

/// A server and all above it. A circle of parents ends.
fn with_parents(parents: &HashMap<Uuid, Option<Uuid>>, server: Uuid) -> HashSet<Uuid> {
    let mut found = HashSet::new();
    let mut next = Some(server);
    while let Some(server) = next
        && found.insert(server)
    {
        next = parents.get(&server).copied().flatten();
    }
    found
}

impl RemovalTarget for Downstream {
    const KIND: &'static str = "server";
    const ENTRY: EntryKind = EntryKind::Servers;

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn entry(&self) -> RemovedEntry {
        RemovedEntry {
            id: self.id.to_string(),
            name: self.name.clone(),
            last_seen: self.last_contact,
            last_report: self.last_rollup,
        }
    }

    fn remove(&self, fleet: &mut Fleet) -> Result<()> {
        // It may have gone with the one above it.
        Ok(fleet.remove_downstream(self.id).map(drop)?)
    }
}
