//! The Reporting service. What computers report are claims. [MS-WUSP] 3.1.5.11

use super::{agent_session::AgentSession, operation::Operations};
use crate::{
    fleet::Event,
    protocol::reporting::{ReportEventBatch, ReportEventBatch2, ReportingEvent, write_result},
    server::{
        call::{Call, Pieces, Service},
        failure::Failure,
        state::server_state::ServerState,
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
    // In a statement of its own: the fleet is locked again for what is stored.
    let is_registered = state.stores.fleet_reader().is_registered(&batch.computer)?;
    if is_registered {
        store(state, call, &batch.computer, batch.events)?;
    } else {
        tracing::info!(computer = batch.computer, "a report of nobody we know is dropped");
    }
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
    let new = state.stores.fleet().report(computer, &events, call.now)?;
    tracing::debug!(computer, events = events.len(), new, "reported");
    Ok(())
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
