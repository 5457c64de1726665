//! The first part: this server and the servers below.

use std::{collections::HashMap, fs};

use jiff::Timestamp;
use uuid::Uuid;

use super::{report::RollupError, run::RollupRun, summary};
use crate::{
    catalog::Catalog,
    fleet::{Downstream, Installations},
    protocol::{
        DateTime,
        rollup::{ClientSummary, DownstreamServer, RollupDownstreamServers},
    },
};

/// Servers in one message, whatever the upstream would take.
const SERVERS: usize = 500;

impl RollupRun<'_> {
    /// Reports this server, and those below that have reported here.
    pub(super) fn report_servers(
        &mut self,
        catalog: &Catalog,
        last_sync: Option<Timestamp>,
    ) -> Result<(), RollupError> {
        let (events, installations) = self.fleet.pending_installations()?;
        let activity = self.fleet.pending_activity()?;
        let mut servers = Vec::new();
        for server in in_order(self.fleet.downstreams()?) {
            // Left out: a server whose parent is not reported. A parent that the upstream does not
            // know would end the report.
            if let Some(server) = self.downstream_server(server, &activity)
                && self.reported_servers.contains(&server.parent)
                && self.reported_servers.insert(server.id)
            {
                servers.push(server);
            }
        }
        servers.push(DownstreamServer {
            id: self.account,
            name: host_name().unwrap_or_else(|| format!("tidegate-{}", self.account)),
            last_sync: last_sync.map(DateTime),
            parent: Uuid::nil(),
            version: version().to_owned(),
            replica: self.fleet.replica_of()?.is_some(),
            last_rollup: Some(DateTime(Timestamp::now())),
            summary: summary::server_summary(catalog, self.fleet)?,
            clients: summary::client_summaries(&self.fleet.computers()?, &installations),
        });
        self.done.servers = servers.len() as u64;
        for servers in messages(servers, self.config.servers_batch.min(SERVERS)) {
            let client_time = DateTime(Timestamp::now());
            self.session.report(&RollupDownstreamServers { client_time, servers })?;
        }
        // Counted twice if we are killed before this, as with a WSUS: the protocol has no mark for
        // it.
        Ok(self.fleet.mark_installations_reported(events, &activity)?)
    }

    /// A server below, as it reported itself; `None` for one that only synchronizes.
    fn downstream_server(
        &self,
        server: Downstream,
        activity: &[Installations],
    ) -> Option<DownstreamServer> {
        let from = |value| serde_json::from_value(value).ok();
        let mut clients: Vec<ClientSummary> =
            server.clients.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
        let id = server.id.to_string();
        let activity: Vec<_> = activity
            .iter()
            .filter(|installation| installation.by == id)
            .map(|i| summary::activity(i.identity, i.succeeded, i.failed))
            .collect();
        // On which system is not kept; the sums are right.
        match clients.first_mut() {
            Some(first) => first.activity = activity,
            None if activity.is_empty() => {}
            None => clients.push(ClientSummary { activity, ..ClientSummary::default() }),
        }
        Some(DownstreamServer {
            id: server.id,
            name: server.name,
            last_sync: server.last_sync.map(DateTime),
            parent: server.parent.unwrap_or(self.account),
            version: server.version?,
            replica: server.replica.unwrap_or(false),
            last_rollup: server.last_rollup.map(DateTime),
            summary: server.summary.and_then(from)?,
            clients,
        })
    }
}

/// Parents before their children. Servers whose parents lead nowhere are left out.
fn in_order(servers: Vec<Downstream>) -> Vec<Downstream> {
    let mut below: HashMap<Option<Uuid>, Vec<Downstream>> = HashMap::new();
    for server in servers {
        below.entry(server.parent).or_default().push(server);
    }
    let mut ordered = below.remove(&None).unwrap_or_default();
    let mut next = 0;
    while let Some(server) = ordered.get(next) {
        let children = below.remove(&Some(server.id)).unwrap_or_default();
        ordered.extend(children);
        next += 1;
    }
    ordered
}

/// Messages with at most so many servers and summaries of systems. A server with more comes several
/// times.
fn messages(servers: Vec<DownstreamServer>, most: usize) -> Vec<Vec<DownstreamServer>> {
    let mut messages: Vec<Vec<DownstreamServer>> = Vec::new();
    let mut room = 0;
    for server in servers {
        let mut pieces: Vec<Vec<ClientSummary>> =
            server.clients.chunks(most).map(<[_]>::to_vec).collect();
        if pieces.is_empty() {
            pieces.push(Vec::new());
        }
        for clients in pieces {
            let size = clients.len().max(1);
            if size > room || messages.is_empty() {
                messages.push(Vec::new());
                room = most;
            }
            room -= size.min(room);
            if let Some(message) = messages.last_mut() {
                message.push(DownstreamServer { clients, ..server.clone() });
            }
        }
    }
    messages
}

fn host_name() -> Option<String> {
    let name = fs::read_to_string("/etc/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty() && name.len() <= 255).then(|| name.to_owned())
}

/// Numbers with dots, without what a version before a release adds.
fn version() -> &'static str {
    let version = env!("CARGO_PKG_VERSION");
    version.split(['-', '+']).next().unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(n: u128, clients: usize) -> DownstreamServer {
        DownstreamServer {
            id: Uuid::from_u128(n),
            name: n.to_string(),
            last_sync: None,
            parent: Uuid::nil(),
            version: version().to_owned(),
            replica: false,
            last_rollup: None,
            summary: Default::default(),
            clients: vec![ClientSummary::default(); clients],
        }
    }

    #[test]
    fn messages_hold_what_the_upstream_takes_in_order() {
        let shape = |servers, most| {
            let sizes = |batch: Vec<DownstreamServer>| {
                batch.iter().map(|s| (s.id.as_u128(), s.clients.len())).collect::<Vec<_>>()
            };
            messages(servers, most).into_iter().map(sizes).collect::<Vec<_>>()
        };
        assert_eq!(
            shape(vec![server(1, 0), server(2, 2), server(3, 7)], 3),
            [vec![(1, 0), (2, 2)], vec![(3, 3)], vec![(3, 3)], vec![(3, 1)]]
        );
        assert_eq!(shape(vec![server(1, 1), server(2, 0)], 1), [vec![(1, 1)], vec![(2, 0)]]);
        assert_eq!(shape(vec![], 5), Vec::<Vec<_>>::new());
    }
}
