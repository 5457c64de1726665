//! The ServerSync service: what downstream servers synchronize. [MS-WSUSSS] 3.1
//!
//! | module | what it owns |
//! |---|---|
//! | `anchor` | the text in which a downstream keeps our change counter |
//! | `deployments` | what replicas take over |
//! | `gate` | what servers of an older protocol are not told of |
//! | `handshake` | cookies, configuration |
//! | `languages` | the languages of a WSUS |
//! | `lists` | which revisions there are |
//! | `updates` | documents and files |
//! | `visit` | who calls |

mod anchor;
mod deployments;
mod handshake;
mod languages;
mod lists;
pub(crate) mod session;
mod updates;

use crate::{
    protocol::{
        DateTime, ProtocolFault,
        server_sync::{GetDriverIdList, GetDriverSetData, Operation, Ping, Pong},
    },
    server::{
        call::{Call, Pieces, Service, StoredPiece},
        failure::Failure,
        state::server_state::ServerState,
    },
    soap::{Element, Writer, envelope},
};
use session::DownstreamSession;

/// Does what the operation asks; `None` if there is no such operation.
pub(crate) fn perform(
    app: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Option<Pieces>, Failure> {
    let pieces = match &*operation.name {
        "GetAuthConfig" => handshake::auth_config(app),
        "GetCookie" => handshake::cookie(app, call, operation)?,
        "GetConfigData" => handshake::config_data(app, call, operation)?,
        "GetRevisionIdList" => lists::revision_ids(app, call, operation)?,
        "GetRelatedRevisionsForUpdates" => lists::related(app, call, operation)?,
        "GetUpdateData" => updates::update_data(app, call, operation)?,
        "GetUpdateDecryptionData" => updates::decryption_data(app, call, operation)?,
        "DownloadFiles" => updates::download_files(app, call, operation)?,
        "GetDeployments" => deployments::deployments(app, call, operation)?,
        // Between a WSUS and Microsoft only; our limits of 0 say so.
        "GetDriverIdList" => {
            DownstreamSession::open(app, call, GetDriverIdList::read(operation)?.cookie.as_ref())?;
            return Err(ProtocolFault::invalid("filter").into());
        }
        "GetDriverSetData" => {
            DownstreamSession::open(app, call, GetDriverSetData::read(operation)?.cookie.as_ref())?;
            return Err(ProtocolFault::invalid("driverSets").into());
        }
        _ => return Ok(None),
    };
    Ok(Some(pieces))
}

/// Answers Ping, of both services.
pub(crate) fn ping(service: Service, call: &Call, operation: &Element) -> Result<Pieces, Failure> {
    Ping::read(operation)?;
    let name = if service == Service::DssAuth { "DssAuth" } else { "ServerSync" };
    let pong = Pong { success: true, time: DateTime(call.now) };
    Ok(envelope(service.style(), |w| pong.write(name, w)))
}

/// An envelope as this service writes it.
fn written(content: impl FnOnce(&mut Writer<StoredPiece>)) -> Pieces {
    envelope(Service::ServerSync.style(), content)
}
