//! Documents and their files. [MS-WSUSSS] 3.1.4.6, 3.1.4.11, 3.1.4.18

use std::collections::HashSet;

use super::session::DownstreamSession;
use crate::{
    catalog::Catalog,
    protocol::{
        ErrorCode, ProtocolFault, content_path,
        server_sync::{
            Blob, DownloadFiles, FileKey, FileUrl, GetUpdateData, GetUpdateDecryptionData,
            Operation as _, UpdateData, UpdateKeys, write_downloading, write_keys,
            write_spooled_update_data,
        },
    },
    server::{
        call::{Call, Pieces, Service, StoredPiece},
        encoding::Encoding,
        failure::Failure,
        spool::AnswerSpool,
        state::server_state::ServerState,
    },
    soap::{Element, part},
    update::{RevisionId, UpdateIdentity},
};

/// Documents over so many bytes are put into their form one after another.
const LARGE: u64 = 4 * 1024 * 1024;
/// Bytes of all documents of one answer. The largest known has 47 MB; a request for a hundred of these
/// gets the same fault as one with too many ids, and is repeated with fewer.
const MOST: u64 = 1 << 30;

pub(super) fn update_data(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetUpdateData::read(operation)?;
    DownstreamSession::open(state, call, request.cookie.as_ref())?;
    let catalog = state.stores.catalog_with_policy()?;
    let may_log = || state.log_lines.allows(call.client());
    let found = find(&catalog, request.updates, &may_log)?;
    let (mut urls, mut seen) = (Vec::new(), HashSet::new());
    let mut spool = AnswerSpool::new(state.stores.data().root(), call.encoding);
    for (identity, id, size) in found {
        // Only one large document at a time is held in all its forms.
        let _large = (size > LARGE).then(|| state.downstream.large_document());
        let document = catalog.document(id)?;
        let document = document.ok_or_else(GetUpdateData::unknown)?;
        let document = String::from_utf8(document).map_err(Failure::internal)?;
        let files = catalog.files(id)?;
        for file in &files {
            if seen.insert(file.sha1) {
                urls.push(FileUrl {
                    digest: file.sha1,
                    // Only if the mirror learned it from its upstream; out of reach on an isolated side.
                    mu_url: catalog.file_url(&file.sha1)?,
                    uss_url: Some(content_path::absolute(&file.sha1, &file.name)),
                    decryption_key: None,
                });
            }
        }
        let update = UpdateData {
            identity,
            digests: files.iter().filter(|file| !file.eula).map(|file| file.sha1).collect(),
            blob: match call.encoding {
                Encoding::Plain => Blob::new(document).map_err(Failure::internal)?,
                // The whole answer is compressed, and text better than a cabinet in base64.
                Encoding::Xpress => Blob::Plain(document),
            },
        };
        spool
            .push(&part(Service::ServerSync.style(), |w| update.write(w)))
            .map_err(Failure::internal)?;
    }
    let spooled = StoredPiece::Spooled(spool.finish().map_err(Failure::internal)?);
    Ok(Service::ServerSync.write(|w| write_spooled_update_data(spooled, &urls, w)))
}

/// The revisions of a request with the sizes of their documents. One unknown id fails the whole
/// call, as on a WSUS: left out silently it would be lost.
fn find(
    catalog: &Catalog,
    updates: Vec<UpdateIdentity>,
    may_log: &dyn Fn() -> bool,
) -> Result<Vec<(UpdateIdentity, RevisionId, u64)>, Failure> {
    let (mut found, mut total) = (Vec::with_capacity(updates.len()), 0_u64);
    for identity in updates {
        let size = match catalog.revision_id(&identity)? {
            Some(id) => catalog.document_size(id)?.map(|size| (id, size)),
            None => None,
        };
        let Some((id, size)) = size else {
            if may_log() {
                tracing::warn!(%identity, "a downstream server asks for a revision that is not here");
            }
            return Err(GetUpdateData::unknown().into());
        };
        total = total.saturating_add(size);
        if total > MOST && !found.is_empty() {
            if may_log() {
                tracing::warn!(total, "a downstream server asks for too much at once");
            }
            return Err(ProtocolFault::invalid("updateIds").into());
        }
        found.push((identity, id, size));
    }
    Ok(found)
}

/// What decrypts the files of revisions, as far as they are encrypted.
pub(super) fn decryption_data(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetUpdateDecryptionData::read(operation)?;
    DownstreamSession::open(state, call, request.cookie.as_ref())?;
    let catalog = state.stores.catalog_with_policy()?;
    let mut updates = Vec::with_capacity(request.updates.len());
    for identity in request.updates {
        let id = catalog.revision_id(&identity)?;
        let keys = match id {
            Some(id) => catalog.keys_of(id)?,
            None => return Err(GetUpdateData::unknown().into()),
        };
        let files = keys.into_iter().map(|(digest, key)| FileKey { digest, key: Some(key) });
        updates.push(UpdateKeys { identity, files: files.collect() });
    }
    Ok(Service::ServerSync.write(|w| write_keys(&updates, w)))
}

/// Nothing is fetched at once: what is missing comes with the next download, or with the next bundle.
/// It is noted until then.
pub(super) fn download_files(
    state: &ServerState,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = DownloadFiles::read(operation)?;
    DownstreamSession::open(state, call, request.cookie.as_ref())?;
    let catalog = state.stores.catalog_with_policy()?;
    let (mut wanted, mut unknown) = (Vec::new(), Vec::new());
    for digest in &request.digests {
        if catalog.is_named(digest)? {
            // Express files are nothing that we promise to have (`ServerHostsPsfFiles`): [MS-WUSSS] 3.2.4.4
            if catalog.file_by_sha1(digest)?.is_some_and(|file| file.express) {
                continue;
            }
            let here = catalog.payload_by_sha1(digest)?;
            if !here.is_some_and(|payload| payload.present) {
                tracing::info!(sha1 = %digest, "a downstream server misses a file");
                wanted.push(*digest);
            }
        } else {
            unknown.push(digest.to_base64());
        }
    }
    if !wanted.is_empty() {
        state.stores.try_write(|fleet| fleet.note_missing_files(&wanted, call.now))?;
    }
    if !unknown.is_empty() {
        return Err(ProtocolFault::new(ErrorCode::FileDigestsMissing, unknown.join("|")).into());
    }
    Ok(Service::ServerSync.write(write_downloading))
}
