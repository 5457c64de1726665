//! The Reporting service. What computers report are claims. [MS-WUSP] 3.1.5.11

use super::{agent_session::AgentSession, operation::Operations};
use crate::{
    fleet::Event,
    protocol::{
        ErrorCode, ProtocolFault,
        reporting::{ReportEventBatch, ReportEventBatch2, ReportingEvent, write_result},
    },
    server::{
        call::{Call, Pieces, Service},
        failure::Failure,
        state::{server_state::ServerState, turned_away::TurnedAwayReason},
    },
    soap::Element,
};

/// What computers call; what downstream servers call is in `rollup`.
pub(super) const OPERATIONS: Operations = &[
    ("ReportEventBatch", report_event_batch),
    ("ReportEventBatch2", report_event_batch_2),
    ("GetRequiredInventoryType", required_inventory_type),
    ("ReportInventory", report_inventory),
];

fn report_event_batch(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let batch = ReportEventBatch::read(operation)?;
    // The computer that shook hands, whatever the events say it is.
    let session = AgentSession::open(state, batch.cookie.as_deref(), call.now)?;
    store(state, call, &session.cookie.client, batch.events)?;
    Ok(write(operation, "true"))
}

fn report_event_batch_2(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let batch = ReportEventBatch2::read(operation)?;
    // There is no cookie: where the computer introduced itself from is all that speaks for it.
    let from = call.address();
    let is_here = state.stores.read(|fleet| fleet.was_at(&batch.computer, from.as_deref()))?;
    if !is_here {
        state.turned_away.note(call.client(), TurnedAwayReason::UnknownComputer, call.now);
        if state.log_lines.allows(call.client()) {
            tracing::info!(
                computer = batch.computer,
                "a report without a cookie is refused: this computer has not introduced itself from this address. It sends the report again after it has"
            );
        }
        // The same for a computer that nobody knows, and for one that is known elsewhere.
        let why = "introduce yourself from this address, then report again";
        return Err(ProtocolFault::new(ErrorCode::RegistrationRequired, why).into());
    }
    store(state, call, &batch.computer, batch.events)?;
    Ok(write(operation, "true"))
}

/// No inventory is wanted.
fn required_inventory_type(
    _: &ServerState,
    _: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    Ok(write(operation, "0"))
}

/// What comes although no inventory is wanted is not stored.
fn report_inventory(_: &ServerState, _: &Call, operation: &Element) -> Result<Pieces, Failure> {
    Ok(write(operation, "true"))
}

fn write(operation: &Element, result: &str) -> Pieces {
    Service::Reporting.write(|w| write_result(&operation.name, result, w))
}

fn store(
    state: &ServerState,
    call: &Call,
    computer: &str,
    events: Vec<ReportingEvent>,
) -> Result<(), Failure> {
    let events = events.into_iter().map(fleet_event).collect::<Result<Vec<_>, _>>();
    let events = events.map_err(Failure::internal)?;
    if !state.stores.has_room_for_reports(state.settings.options().report_reserve) {
        return Err(busy());
    }
    let from = call.address();
    let new = state
        .stores
        .try_write(|fleet| fleet.report_from(computer, from.as_deref(), &events, call.now))?;
    // Nothing is lost: the computer reports it again.
    let new = new.ok_or_else(busy)?;
    tracing::debug!(computer, events = events.len(), new, "reported");
    Ok(())
}

/// A report that cannot be stored now.
pub(super) fn busy() -> Failure {
    ProtocolFault::new(ErrorCode::ServerBusy, "reports cannot be stored at present").into()
}

fn fleet_event(event: ReportingEvent) -> serde_json::Result<Event> {
    Ok(Event {
        instance: event.instance,
        at_target: event.time_at_target,
        namespace_id: event.namespace_id,
        event_id: event.event_id,
        source_id: event.source_id,
        update: event.update,
        hresult: event.hresult,
        app_name: event.app_name,
        strings: event.replacement_strings,
        misc: event.misc_data,
        extended: serde_json::to_value(event.extended)?,
    })
}
