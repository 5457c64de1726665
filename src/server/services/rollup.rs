//! What downstream servers report: the part of the Reporting service between servers. All of it are
//! claims, and nobody shows a cookie. [MS-WSUSSS] 3.1.4.13 to 3.1.4.17

use jiff::{SignedDuration, Timestamp};

use super::{operation::Operations, reporting::busy};
use crate::server::{
    call::{Call, Pieces, Service},
    failure::Failure,
    state::server_state::ServerState,
};
use crate::{
    fleet::{
        ComplianceState, ComputerChange, ComputerReport, Fleet, FleetError, ServerReport,
        StatusReport,
    },
    protocol::{
        DateTime, ErrorCode, ProtocolFault,
        rollup::{
            ChangedComputer, ClientSummary, ComputerStatus, DownstreamServer,
            GetOutOfSyncComputers, RollupChange, RollupComputer, RollupComputerStatus,
            RollupComputers, RollupConfiguration, RollupDownstreamServers, SummarizationState,
        },
        server_sync::Operation as _,
    },
    soap::Element,
};

/// Summaries by system in one report: each may hold some hundreds of installations.
const SERVERS_BATCH: usize = 50;
/// Computers in one report.
const COMPUTERS_BATCH: usize = 1000;
/// Numbers of last reports in one question.
const OUT_OF_SYNC_BATCH: usize = 20_000;
/// Computers in one report of states: a first one may tell of every update that there is.
const STATUS_BATCH: usize = 1;
/// A clock that is off by more is put right.
const CLOCK_DIFFERENCE: SignedDuration = SignedDuration::from_mins(1);

pub(super) const OPERATIONS: Operations = &[
    ("GetRollupConfiguration", rollup_configuration),
    ("RollupDownstreamServers", rollup_downstream_servers),
    ("RollupComputers", rollup_computers),
    ("GetOutOfSyncComputers", out_of_sync_computers),
    ("RollupComputerStatus", rollup_computer_status),
];

fn rollup_configuration(state: &ServerState, _: &Call, _: &Element) -> Result<Pieces, Failure> {
    Ok(Service::Reporting.write(|w| configuration(state).write(w)))
}

fn rollup_downstream_servers(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    servers(state, call, RollupDownstreamServers::read(operation)?)?;
    Ok(Service::Reporting.write(RollupDownstreamServers::write_answer))
}

fn rollup_computers(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let changed = computers(state, call, RollupComputers::read(operation)?)?;
    Ok(Service::Reporting.write(|w| RollupComputers::write_answer(&changed, w)))
}

fn out_of_sync_computers(
    state: &ServerState,
    _: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetOutOfSyncComputers::read(operation)?;
    limit(request.computers.len(), OUT_OF_SYNC_BATCH, "lastRollupNumbers")?;
    let numbers: Vec<(String, i32)> =
        request.computers.into_iter().map(|c| (c.computer, c.number)).collect();
    let computers = state.stores.read(|fleet| fleet.out_of_sync(request.parent, &numbers))?;
    Ok(Service::Reporting.write(|w| GetOutOfSyncComputers::write_answer(&computers, w)))
}

fn rollup_computer_status(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    status(state, call, RollupComputerStatus::read(operation)?)?;
    Ok(Service::Reporting.write(|w| RollupComputerStatus::write_answer(true, w)))
}

fn configuration(state: &ServerState) -> RollupConfiguration {
    RollupConfiguration {
        detailed: true,
        reset: state.secrets.rollup_reset(),
        server: state.secrets.server_id(),
        servers_batch: SERVERS_BATCH,
        computers_batch: COMPUTERS_BATCH,
        out_of_sync_batch: OUT_OF_SYNC_BATCH,
        status_batch: STATUS_BATCH,
    }
}

/// These operations have no codes of their own.
fn refused(why: impl Into<String>) -> Failure {
    ProtocolFault::new(ErrorCode::InternalServerError, why).into()
}

fn limit(found: usize, most: usize, list: &str) -> Result<(), Failure> {
    if found > most { Err(refused(format!("{list}: {found}, at most {most}"))) } else { Ok(()) }
}

/// Stores a report. What the fleet refuses is the caller's fault; what fails is ours.
fn written<T>(
    state: &ServerState,
    write: impl FnOnce(&mut Fleet) -> Result<T, FleetError>,
) -> Result<T, Failure> {
    if !state.stores.has_room_for_reports(state.settings.options().report_reserve) {
        return Err(busy());
    }
    match state.stores.try_write(write) {
        Ok(Some(done)) => Ok(done),
        Ok(None) => Err(busy()),
        Err(FleetError::Invalid { what }) => Err(refused(what)),
        Err(error) => Err(error.into()),
    }
}

/// Puts the instants of a request right if the caller's clock is wrong.
struct Clock(Option<SignedDuration>);

impl Clock {
    fn new(call: &Call, client_time: DateTime) -> Self {
        let off = call.now.duration_since(client_time.0);
        Self((off.abs() > CLOCK_DIFFERENCE).then_some(off))
    }

    fn at(&self, at: Option<DateTime>) -> Option<Timestamp> {
        let at = at?.0;
        Some(self.0.map_or(at, |off| at.checked_add(off).unwrap_or(at)))
    }
}

fn servers(
    state: &ServerState,
    call: &Call,
    request: RollupDownstreamServers,
) -> Result<(), Failure> {
    let clients = request.servers.iter().map(|server| server.clients.len()).sum();
    limit(clients, SERVERS_BATCH, "ClientSummaries")?;
    let stranger = |server: &&DownstreamServer| {
        server.parent.is_nil() && !state.settings.is_welcome(server.id)
    };
    if let Some(stranger) = request.servers.iter().find(stranger) {
        let id = stranger.id;
        return Err(refused(format!("{id} is not in the list of downstream servers")));
    }
    let clock = Clock::new(call, request.client_time);
    let reports = request.servers.into_iter().map(|server| server_report(state, &clock, server));
    let reports = reports.collect::<serde_json::Result<Vec<_>>>().map_err(Failure::internal)?;
    let from = call.address();
    written(state, |fleet| fleet.report_servers_from(&reports, from.as_deref(), call.now))?;
    tracing::info!(servers = reports.len(), "a downstream server reported");
    Ok(())
}

fn server_report(
    state: &ServerState,
    clock: &Clock,
    server: DownstreamServer,
) -> serde_json::Result<ServerReport> {
    let positive = |count: i32| u32::try_from(count).unwrap_or(0);
    let activity = server.clients.iter().flat_map(|client| &client.activity);
    let activity = activity.map(|a| (a.identity, positive(a.succeeded), positive(a.failed)));
    let activity = activity.collect();
    let client = |client: ClientSummary| {
        serde_json::to_value(ClientSummary { activity: Vec::new(), ..client })
    };
    // A server that names us by our id means the same as one that names nobody.
    let parent = Some(server.parent).filter(|id| !id.is_nil() && *id != state.secrets.server_id());
    Ok(ServerReport {
        id: server.id,
        name: server.name,
        parent,
        version: server.version,
        replica: server.replica,
        last_sync: clock.at(server.last_sync),
        last_rollup: clock.at(server.last_rollup),
        summary: serde_json::to_value(server.summary)?,
        clients: server.clients.into_iter().map(client).collect::<serde_json::Result<_>>()?,
        activity,
    })
}

fn computers(
    state: &ServerState,
    call: &Call,
    request: RollupComputers,
) -> Result<Vec<ChangedComputer>, Failure> {
    limit(request.computers.len(), COMPUTERS_BATCH, "computers")?;
    let clock = Clock::new(call, request.client_time);
    let report = |computer: RollupComputer| {
        let details = computer.details.map(serde_json::to_value).transpose()?;
        Ok(ComputerReport {
            id: computer.id,
            server: computer.parent,
            last_sync: clock.at(computer.last_sync),
            last_sync_result: computer.last_sync_result,
            last_reboot: clock.at(computer.last_reboot),
            last_report: clock.at(computer.last_report),
            last_inventory: clock.at(computer.last_inventory),
            details,
        })
    };
    let reports = request.computers.into_iter().map(report);
    let reports = reports.collect::<serde_json::Result<Vec<_>>>().map_err(Failure::internal)?;
    let changes = written(state, |fleet| fleet.report_computers(&reports, call.now))?;
    let changed = changes.into_iter().map(|(id, change)| {
        let change = match change {
            ComputerChange::Gone => RollupChange::Deleted,
            ComputerChange::DetailsWanted => RollupChange::NewParent,
        };
        ChangedComputer { id, change }
    });
    Ok(changed.collect())
}

fn status(state: &ServerState, call: &Call, request: RollupComputerStatus) -> Result<(), Failure> {
    limit(request.computers.len(), STATUS_BATCH, "computers")?;
    let clock = Clock::new(call, request.client_time);
    let report = |computer: ComputerStatus| StatusReport {
        computer: computer.computer,
        last_detection: clock.at(computer.last_detection),
        number: computer.number,
        full: computer.full,
        updates: computer
            .updates
            .into_iter()
            .map(|u| (u.update, compliance_state(u.state), clock.at(u.changed)))
            .collect(),
    };
    let reports: Vec<_> = request.computers.into_iter().map(report).collect();
    written(state, |fleet| fleet.report_status(request.parent, &reports, call.now))
}

fn compliance_state(state: SummarizationState) -> Option<ComplianceState> {
    match state {
        SummarizationState::NothingToDo => None,
        SummarizationState::NotInstalled => Some(ComplianceState::Needed),
        SummarizationState::Downloaded => Some(ComplianceState::Downloaded),
        SummarizationState::Installed => Some(ComplianceState::Installed),
        SummarizationState::Failed => Some(ComplianceState::Failed),
        SummarizationState::RestartPending => Some(ComplianceState::RestartPending),
    }
}
