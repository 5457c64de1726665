//! The operations of the Client service.

mod handshake;
mod metadata;
mod scan;

use crate::{
    protocol::client::Deployment,
    server::{
        call::{Call, Pieces, Service},
        failure::Failure,
        state::server_state::ServerState,
        view,
    },
    soap::{Element, Writer, envelope},
};

/// Does what the operation asks; `None` if there is no such operation.
pub(crate) fn perform(
    app: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Option<Pieces>, Failure> {
    let pieces = match &*operation.name {
        "GetConfig" => handshake::config(app, operation)?,
        "GetCookie" => handshake::cookie(app, call, operation)?,
        "RegisterComputer" => handshake::register(app, call, operation)?,
        "StartCategoryScan" => scan::start_category_scan(app, operation)?,
        "SyncUpdates" => scan::sync_updates(app, call, operation)?,
        "SyncPrinterCatalog" => scan::sync_printers(app, call, operation)?,
        "RefreshCache" => scan::refresh_cache(app, call, operation)?,
        "GetExtendedUpdateInfo" => metadata::by_number(app, call, operation)?,
        "GetExtendedUpdateInfo2" => metadata::by_identity(app, call, operation)?,
        "GetFileLocations" => metadata::file_locations(app, call, operation)?,
        _ => return Ok(None),
    };
    Ok(Some(pieces))
}

/// An envelope as this service writes it.
fn written(
    content: impl FnOnce(&mut Writer<crate::server::pack::fragment::PackedFragment>),
) -> Pieces {
    envelope(Service::Client.style(), content).into_iter().map(Into::into).collect()
}

fn wire(deployment: &view::Deployment) -> Deployment {
    Deployment {
        id: deployment.id,
        action: deployment.action,
        deadline: deployment.deadline,
        changed: deployment.changed,
    }
}
