//! Which revisions there are. [MS-WSUSSS] 3.1.4.5, 3.1.4.9

use super::{anchor, handshake::VERSION, session::DownstreamSession};
use crate::{
    catalog::{CategoryQuery, RevisionQuery},
    fleet::DownstreamDelivery,
    protocol::{
        ErrorCode, ProtocolFault,
        server_sync::{
            GetRelatedRevisionsForUpdates, GetRevisionIdList, IdAndDelta, Operation as _,
            ServerSyncFilter, write_related, write_revision_ids,
        },
    },
    server::{
        call::{Call, Pieces, Service},
        failure::Failure,
        state::server_state::ServerState,
    },
    soap::Element,
};

/// Languages do not filter: nearly every document is for all of them, which file is for which is in
/// the documents, and what is listed too much is not downloaded. Leaving out could miss something.
pub(super) fn revision_ids(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetRevisionIdList::read(operation)?;
    let session = DownstreamSession::open(state, call, request.cookie.as_ref())?;
    let filter = &request.filter;
    let since = match &filter.anchor {
        Some(text) => anchor::read(text).ok_or_else(|| ProtocolFault::invalid("filter"))?,
        None => 0,
    };
    let products = category_queries(&filter.categories);
    let classifications = category_queries(&filter.classifications);
    let selection = select(filter, &products, &classifications);
    let catalog = state.stores.catalog_with_policy()?;
    let mut revisions = Vec::new();
    let next = catalog.changed_since(&selection, since, &mut |identity| revisions.push(identity));
    let next = next?;
    if session.version < VERSION {
        state.downstream.newer_protocols().keep_compatible(
            &catalog,
            session.version,
            &mut revisions,
        )?;
    }
    if since > next {
        // Of a catalogue that was further: this one was restored, and what is new here would never
        // be asked for.
        let why = "the anchor is newer than this catalogue";
        return Err(ProtocolFault::new(ErrorCode::ServerChanged, why).into());
    }
    let delivery = if filter.config {
        DownstreamDelivery::Categories(next)
    } else {
        DownstreamDelivery::Updates(next)
    };
    session.note_delivery(state, call, delivery)?;
    tracing::debug!(revisions = revisions.len(), since, next, "listed for a downstream server");
    let anchor = anchor::write(next, call.now);
    Ok(Service::ServerSync.write(|w| write_revision_ids(&anchor, revisions, w)))
}

/// With one of the two lists alone nothing is selected, and that is no fault.
fn select<'a>(
    filter: &ServerSyncFilter,
    products: &'a [CategoryQuery],
    classifications: &'a [CategoryQuery],
) -> RevisionQuery<'a> {
    match (filter.config, filter.has_categories || filter.has_classifications) {
        (true, _) => RevisionQuery::Configuration,
        (false, false) => RevisionQuery::Everything,
        (false, true) => RevisionQuery::Of { products, classifications },
    }
}

fn category_queries(list: &[IdAndDelta]) -> Vec<CategoryQuery> {
    list.iter().map(|pair| CategoryQuery { id: pair.id, delta: pair.delta }).collect()
}

/// Nobody uses it: to be answered with nothing.
pub(super) fn related(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetRelatedRevisionsForUpdates::read(operation)?;
    DownstreamSession::open(state, call, request.cookie.as_ref())?;
    Ok(Service::ServerSync.write(|w| write_related(&[], w)))
}
