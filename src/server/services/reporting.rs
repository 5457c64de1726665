//! The Reporting service. What computers report are claims. [MS-WUSP] 3.1.5.11

use crate::{
    fleet::Event,
    protocol::reporting::{ReportEventBatch, ReportEventBatch2, ReportingEvent, write_result},
    server::{
        call::{Call, Pieces, Service},
        failure::Failure,
        state::server_state::ServerState,
    },
    soap::{Element, envelope},
};

/// Does what the operation asks; `None` if there is no such operation.
pub(crate) fn perform(
    app: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Option<Pieces>, Failure> {
    let result = match &*operation.name {
        "ReportEventBatch" => {
            let batch = ReportEventBatch::read(operation)?;
            // The computer that shook hands, whatever the events say it is.
            let visit = app.visit(batch.cookie.as_deref(), call.now)?;
            keep(app, call, &visit.cookie.client, batch.events)?;
            "true"
        }
        "ReportEventBatch2" => {
            let batch = ReportEventBatch2::read(operation)?;
            if app.fleet().is_registered(&batch.computer)? {
                keep(app, call, &batch.computer, batch.events)?;
            } else {
                tracing::info!(computer = batch.computer, "a report of nobody we know is dropped");
            }
            "true"
        }
        // No inventory is wanted, and what comes in spite of that is not kept.
        "GetRequiredInventoryType" => "0",
        "ReportInventory" => "true",
        // Not of a computer, but of a server.
        _ => return super::rollup::perform(app, call, operation),
    };
    let style = Service::Reporting.style();
    Ok(Some(envelope(style, |w| write_result(&operation.name, result, w))))
}

fn keep(
    app: &ServerState,
    call: &Call,
    computer: &str,
    events: Vec<ReportingEvent>,
) -> Result<(), Failure> {
    let events = events.into_iter().map(kept).collect::<Result<Vec<_>, _>>();
    let events = events.map_err(Failure::internal)?;
    let new = app.fleet().report(computer, &events, call.now)?;
    tracing::debug!(computer, events = events.len(), new, "reported");
    Ok(())
}

fn kept(event: ReportingEvent) -> serde_json::Result<Event> {
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
