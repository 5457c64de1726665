//! The last phase: telling the upstream how this server, the servers below and their computers
//! stand. [MS-WUSSS] 3.2.4.5
//!
//! What was told is remembered, so that only differences are told next. Any fault ends the phase;
//! nothing is lost, it is told the next time.

use std::{
    collections::{HashMap, HashSet},
    fs, thread,
    time::Duration,
};

use bundle_format::digest::Sha256;
use jiff::Timestamp;
use reqwest::Url;
use serde::Serialize;
use uuid::Uuid;

use super::{error::UpstreamError, session::Session, summary, upstream_record::known_upstreams};
use crate::{
    catalog::{Catalog, CatalogError},
    fleet::{Downstream, Fleet, FleetError, Installations, PendingReport},
    protocol::{
        DateTime, ProtocolVersion,
        rollup::{
            ClientSummary, ComputerStatus, DownstreamServer, GetOutOfSyncComputers,
            GetRollupConfiguration, LastRollupNumber, RollupChange, RollupComputer,
            RollupComputerStatus, RollupComputers, RollupConfiguration, RollupDownstreamServers,
            SummarizationState, UpdateStatus,
        },
    },
    upstream::report::SyncOptions,
};

/// The first version with reporting between servers.
const SINCE: ProtocolVersion = ProtocolVersion { major: 1, minor: 3 };
/// Servers, computers, numbers and states in one message, whatever the upstream would take.
const SERVERS: usize = 500;
const COMPUTERS: usize = 1000;
const NUMBERS: usize = 20_000;
const STATES: usize = 20_000;
const STATUSES: usize = 100;
/// How often a busy upstream is asked.
const ATTEMPTS: u32 = 4;
/// How often a computer is told anew within one run.
const ROUNDS: u32 = 3;

/// Why nothing more was told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RollupError {
    /// The upstream did not answer, or refused.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The catalogue failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The fleet failed.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// It said so several times.
    #[error("the upstream server is too busy for reports; the rest is told the next time")]
    Busy,
}

/// What the upstream was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RollupReport {
    /// Servers, this one included.
    pub servers: u64,
    /// The upstream wants to know of single computers.
    pub detailed: bool,
    /// Computers.
    pub computers: u64,
    /// Computers whose states were told.
    pub statuses: u64,
}

/// Reports to the server at `base`, which has been synchronized from. `None`: it is too old for
/// reports.
///
/// # Errors
/// When the server does not answer or refuses, or a store fails. What was told is remembered.
pub fn rollup(
    base: &Url,
    catalog: &Catalog,
    fleet: &mut Fleet,
    options: &SyncOptions,
) -> Result<Option<RollupReport>, RollupError> {
    let known = known_upstreams(catalog)?.into_iter().find(|known| known.url == base.as_str());
    let version = known.as_ref().and_then(|known| known.facts.protocol_version.as_deref());
    let version = version.and_then(|version| version.parse::<ProtocolVersion>().ok());
    if version.is_none_or(|version| (version.major, version.minor) < (SINCE.major, SINCE.minor)) {
        return Ok(None);
    }
    let account = catalog.mirror_id()?.unwrap_or_default();
    let session = Session::new(base, account, &options.upstream.connection)?;
    let config = session.report(&GetRollupConfiguration)?;
    fleet.begin_reporting(base.as_str(), config.reset)?;
    let busy = options.upstream.connection.first_pause.saturating_mul(30);
    let told_servers = HashSet::from([account]);
    let done = RollupReport::default();
    let mut run = RollupRun { session, fleet, account, told_servers, config, busy, done };
    run.servers(catalog, known.and_then(|known| known.last_success))?;
    run.done.detailed = config.detailed;
    if config.detailed {
        let told = run.computers()?;
        run.ask_what_is_lacking(&told)?;
        run.statuses(&told)?;
    }
    Ok(Some(run.done))
}

struct RollupRun<'a> {
    session: Session,
    fleet: &'a mut Fleet,
    /// Who we are to the upstream.
    account: Uuid,
    /// Servers that the upstream knows now.
    told_servers: HashSet<Uuid>,
    config: RollupConfiguration,
    /// How long a busy upstream is left alone.
    busy: Duration,
    done: RollupReport,
}

/// A computer that the upstream knows now, with its last synchronization.
type SentComputer = Vec<(String, Option<DateTime>)>;

impl RollupRun<'_> {
    fn servers(
        &mut self,
        catalog: &Catalog,
        last_sync: Option<Timestamp>,
    ) -> Result<(), RollupError> {
        let (events, installations) = self.fleet.pending_installations()?;
        let below = self.fleet.pending_activity()?;
        let mut servers = Vec::new();
        for server in in_order(self.fleet.downstreams()?) {
            // Below one that is told by nobody, or by a server that is below us and above: a parent
            // that the upstream does not know would end the report.
            if let Some(server) = self.below(server, &below)
                && self.told_servers.contains(&server.parent)
                && self.told_servers.insert(server.id)
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
            summary: summary::of_server(catalog, self.fleet)?,
            clients: summary::of_clients(&self.fleet.computers()?, &installations),
        });
        self.done.servers = servers.len() as u64;
        for servers in batches(servers, self.config.servers_batch.min(SERVERS)) {
            let client_time = DateTime(Timestamp::now());
            self.session.report(&RollupDownstreamServers { client_time, servers })?;
        }
        // Told twice if we are killed before this, as with a WSUS: the protocol has no mark for it.
        Ok(self.fleet.mark_installations_reported(events, &below)?)
    }

    /// A server below, as it reported; one that only synchronizes is told by nobody.
    fn below(&self, server: Downstream, activity: &[Installations]) -> Option<DownstreamServer> {
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

    /// All computers, with details where they changed, again where the upstream wants it.
    fn computers(&mut self) -> Result<SentComputer, RollupError> {
        let mut told = SentComputer::new();
        let all = self.all_computers()?;
        for batch in all.chunks(self.config.computers_batch.min(COMPUTERS)) {
            let mut send = Vec::new();
            let mut digests = HashMap::new();
            for (computer, last_seen) in batch {
                let known = self.fleet.reported_computer(&computer.id)?;
                if known.deleted.is_some_and(|deleted| *last_seen <= deleted) {
                    continue;
                }
                let json = serde_json::to_vec(&computer.details).unwrap_or_default();
                let digest = Sha256::hash(&json).as_bytes().to_vec();
                let details =
                    computer.details.clone().filter(|_| known.details.as_ref() != Some(&digest));
                digests.insert(computer.id.as_str(), digest);
                send.push(RollupComputer { details, ..computer.clone() });
            }
            for round in 0..ROUNDS {
                if send.is_empty() {
                    break;
                }
                let client_time = DateTime(Timestamp::now());
                let request = RollupComputers { client_time, computers: send.clone() };
                let changed: HashMap<String, RollupChange> = self
                    .session
                    .report(&request)?
                    .into_iter()
                    .map(|changed| (changed.id.to_lowercase(), changed.change))
                    .collect();
                let change = |id: &str| changed.get(&id.to_lowercase()).copied();
                let known: Vec<(&str, &[u8])> = send
                    .iter()
                    .filter(|computer| change(&computer.id).is_none())
                    .filter_map(|c| Some((c.id.as_str(), digests.get(c.id.as_str())?.as_slice())))
                    .collect();
                self.fleet.mark_computers_reported(&known)?;
                self.done.computers += known.len() as u64;
                let mut again = Vec::new();
                for (computer, _) in batch {
                    match change(&computer.id) {
                        Some(RollupChange::Deleted) => {
                            self.fleet.note_deleted_upstream(&computer.id, Timestamp::now())?;
                        }
                        Some(RollupChange::NewParent) => {
                            // It knows no states either.
                            self.fleet.report_again(std::slice::from_ref(&computer.id))?;
                            again.push(computer.clone());
                        }
                        None => {}
                    }
                }
                let ids = known.iter().map(|(id, _)| *id);
                let sync = |id| batch.iter().find(|(c, _)| c.id == id).and_then(|c| c.0.last_sync);
                told.extend(ids.map(|id| (id.to_owned(), sync(id))));
                send = again;
                if round + 1 == ROUNDS && !send.is_empty() {
                    tracing::warn!(
                        computers = send.len(),
                        "the upstream server asks for computers again and again; left for the next time"
                    );
                }
            }
        }
        Ok(told)
    }

    /// Those that come here and those of the servers below, with when they last came.
    fn all_computers(&self) -> Result<Vec<(RollupComputer, Timestamp)>, RollupError> {
        let computers = self.fleet.computers()?;
        let ours: HashSet<String> = computers.iter().map(|c| c.id.to_ascii_lowercase()).collect();
        let mut all: Vec<(RollupComputer, Timestamp)> = computers
            .iter()
            .map(|computer| {
                let rolled = RollupComputer {
                    id: computer.id.clone(),
                    last_sync: computer.last_sync.map(DateTime),
                    last_sync_result: i32::from(computer.last_sync.is_some()),
                    last_reboot: None,
                    last_report: computer.last_report.map(DateTime),
                    last_inventory: None,
                    parent: self.account,
                    details: Some(summary::of_computer(computer)),
                };
                (rolled, computer.last_seen)
            })
            .collect();
        for computer in self.fleet.downstream_computers()? {
            if ours.contains(&computer.id.to_ascii_lowercase())
                || !self.told_servers.contains(&computer.server)
            {
                continue;
            }
            let last_seen = computer.last_sync.max(computer.last_report);
            let last_seen = last_seen.unwrap_or(Timestamp::MIN);
            let rolled = RollupComputer {
                id: computer.id,
                last_sync: computer.last_sync.map(DateTime),
                last_sync_result: computer.last_sync_result,
                last_reboot: None,
                last_report: computer.last_report.map(DateTime),
                last_inventory: None,
                parent: computer.server,
                details: Some(serde_json::from_value(computer.details).unwrap_or_default()),
            };
            all.push((rolled, last_seen));
        }
        Ok(all)
    }

    /// Which computers the upstream has missed a status of.
    fn ask_what_is_lacking(&mut self, told: &SentComputer) -> Result<(), RollupError> {
        for batch in told.chunks(self.config.out_of_sync_batch.min(NUMBERS)) {
            let mut computers = Vec::with_capacity(batch.len());
            for (computer, _) in batch {
                let number = self.fleet.reported_computer(computer)?.number;
                computers.push(LastRollupNumber { computer: computer.clone(), number });
            }
            let lacking =
                self.session.report(&GetOutOfSyncComputers { parent: self.account, computers })?;
            self.fleet.report_again(&lacking)?;
        }
        Ok(())
    }

    fn statuses(&mut self, told: &SentComputer) -> Result<(), RollupError> {
        let most = self.config.status_batch.min(STATUSES);
        let (mut batch, mut states) = (Vec::new(), 0);
        for (computer, last_sync) in told {
            let Some(untold) = self.fleet.pending_report(computer, Timestamp::now())? else {
                continue;
            };
            if !batch.is_empty() && (batch.len() >= most || states + untold.updates.len() > STATES)
            {
                self.send_statuses(std::mem::take(&mut batch))?;
                states = 0;
            }
            states += untold.updates.len();
            batch.push((untold, *last_sync));
        }
        self.send_statuses(batch)
    }

    fn send_statuses(
        &mut self,
        batch: Vec<(PendingReport, Option<DateTime>)>,
    ) -> Result<(), RollupError> {
        if batch.is_empty() {
            return Ok(());
        }
        let computers: Vec<_> = batch.iter().map(|(untold, sync)| status(untold, *sync)).collect();
        let untold: Vec<PendingReport> = batch.into_iter().map(|(untold, _)| untold).collect();
        for attempt in 1..=ATTEMPTS {
            let request = RollupComputerStatus {
                client_time: DateTime(Timestamp::now()),
                parent: self.account,
                computers: computers.clone(),
            };
            if self.session.report(&request)? {
                self.done.statuses += untold.len() as u64;
                return Ok(self.fleet.mark_status_reported(&untold)?);
            }
            if attempt < ATTEMPTS {
                thread::sleep(self.busy);
            }
        }
        Err(RollupError::Busy)
    }
}

fn status(untold: &PendingReport, last_detection: Option<DateTime>) -> ComputerStatus {
    use crate::fleet::ComplianceState;
    let state = |state| match state {
        None => SummarizationState::NothingToDo,
        Some(ComplianceState::Needed) => SummarizationState::NotInstalled,
        Some(ComplianceState::Downloaded) => SummarizationState::Downloaded,
        Some(ComplianceState::Installed) => SummarizationState::Installed,
        Some(ComplianceState::Failed) => SummarizationState::Failed,
        Some(ComplianceState::RestartPending) => SummarizationState::RestartPending,
    };
    ComputerStatus {
        instance: Uuid::new_v4(),
        computer: untold.computer.clone(),
        last_detection,
        number: untold.number,
        full: untold.full,
        updates: untold
            .updates
            .iter()
            .map(|(update, found, changed)| UpdateStatus {
                update: *update,
                state: state(*found),
                changed: Some(DateTime(*changed)),
            })
            .collect(),
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
fn batches(servers: Vec<DownstreamServer>, most: usize) -> Vec<Vec<DownstreamServer>> {
    let mut batches: Vec<Vec<DownstreamServer>> = Vec::new();
    let mut room = 0;
    for server in servers {
        let mut pieces: Vec<Vec<ClientSummary>> =
            server.clients.chunks(most).map(<[_]>::to_vec).collect();
        if pieces.is_empty() {
            pieces.push(Vec::new());
        }
        for clients in pieces {
            let takes = clients.len().max(1);
            if takes > room || batches.is_empty() {
                batches.push(Vec::new());
                room = most;
            }
            room -= takes.min(room);
            if let Some(batch) = batches.last_mut() {
                batch.push(DownstreamServer { clients, ..server.clone() });
            }
        }
    }
    batches
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
            batches(servers, most).into_iter().map(sizes).collect::<Vec<_>>()
        };
        assert_eq!(
            shape(vec![server(1, 0), server(2, 2), server(3, 7)], 3),
            [vec![(1, 0), (2, 2)], vec![(3, 3)], vec![(3, 3)], vec![(3, 1)]]
        );
        assert_eq!(shape(vec![server(1, 1), server(2, 0)], 1), [vec![(1, 1)], vec![(2, 0)]]);
        assert_eq!(shape(vec![], 5), Vec::<Vec<_>>::new());
    }
}
