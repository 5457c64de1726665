//! Payload files by the names that agents use, whole or by range. [MS-WUSP] 2.2.2.5
//!
//! What a file is called in `content/` is its SHA-256; agents ask by SHA-1, and the view knows both.

mod conditions;
mod parts;
mod range;

use std::{
    fs::{File, Metadata},
    io,
    path::Path,
    sync::Arc,
};

use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderValue, Method, StatusCode,
        header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED},
    },
    response::{IntoResponse as _, Response},
};
use bundle_format::digest::{Sha1, Sha256};
use jiff::Timestamp;
use uuid::Uuid;

use super::{
    body::blocking_body,
    call::{ClientAddress, Peer},
    state::server_state::ServerState,
    view::generation::ViewFile,
};
use crate::protocol::content_path;
use conditions::{Condition, Version};
use parts::FileParts;
use range::Range;

/// Answers a GET or HEAD below `/Content/`; both parts of the path in lower case.
pub(super) async fn serve(
    state: Arc<ServerState>,
    folder: &str,
    file: &str,
    request: Request,
) -> Response {
    let Some(sha1) = content_path::parse(folder, file) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let client = request.extensions().get::<Peer>().map(|peer| peer.address.ip().into());
    let work = move || match open(&state, &sha1, client) {
        Ok(Some((file, metadata, etag))) => respond(file, &metadata, &etag, &method, &headers),
        Ok(None) => {
            if state.log_lines.allows(client) {
                tracing::info!(%sha1, "a file was asked for that is not here");
            }
            StatusCode::NOT_FOUND.into_response()
        }
        Err(error) => {
            if state.log_lines.allows(client) {
                tracing::error!(%sha1, %error, "cannot read a file that should be here");
            }
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Opens a file and gives its strong entity tag. Blocking.
fn open(
    state: &ServerState,
    sha1: &Sha1,
    client: Option<ClientAddress>,
) -> io::Result<Option<(File, Metadata, String)>> {
    let Some((sha256, size)) = find(state, sha1)? else { return Ok(None) };
    let path = state.stores.content().path(&sha256);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if state.log_lines.allows(client) {
                tracing::error!(%sha1, %sha256, "a payload is gone: run `tidegate check`");
            }
            // Not where its folder is gone too: then a disk may be missing.
            if path.parent().is_some_and(Path::is_dir) {
                state.serving.note_missing(sha1);
            }
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    // Agents download what the document says, not what is there.
    if metadata.len() != size {
        if state.log_lines.allows(client) {
            tracing::error!(%sha1, %sha256, "a payload has another size: run `tidegate check`");
        }
        return Ok(None);
    }
    Ok(Some((file, metadata, format!("\"{sha256}\""))))
}

/// A payload that is here. Downstream servers get revisions from the catalogue, which may be ahead of
/// the view by a moment: so a file that the view lacks is looked up in the catalogue.
fn find(state: &ServerState, sha1: &Sha1) -> io::Result<Option<(Sha256, u64)>> {
    let serving = state.serving.get();
    let file = serving.view.file(sha1).filter(|file| file.present);
    if let Some(ViewFile { sha256: Some(sha256), size, .. }) = file {
        return Ok(Some((*sha256, *size)));
    }
    let catalog = state.stores.catalog().map_err(io::Error::other)?;
    let row = catalog.payload_by_sha1(sha1).map_err(io::Error::other)?;
    Ok(row.filter(|row| row.present).map(|row| (row.sha256, row.size)))
}

fn respond(
    file: File,
    metadata: &Metadata,
    etag: &str,
    method: &Method,
    request: &HeaderMap,
) -> Response {
    let modified = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    let version = Version::new(etag, modified);
    let size = metadata.len();

    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if let Some(modified) = version.last_modified() {
        headers.insert(LAST_MODIFIED, modified);
    }
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(ETAG, etag);
    }
    match version.check(request) {
        Condition::Holds => {}
        Condition::NotModified => return (StatusCode::NOT_MODIFIED, headers).into_response(),
        Condition::Failed => return (StatusCode::PRECONDITION_FAILED, headers).into_response(),
    }
    let wanted = if method == Method::GET && version.range_applies(request) {
        Range::requested(request, size)
    } else {
        Range::Whole
    };
    let (status, file) = match wanted {
        Range::Whole => (StatusCode::OK, FileParts::one(file, 0, size)),
        Range::Part(part) => {
            let text = format!("bytes {}-{}/{size}", part.first, part.last);
            headers.extend(HeaderValue::from_str(&text).map(|value| (CONTENT_RANGE, value)));
            (StatusCode::PARTIAL_CONTENT, FileParts::one(file, part.first, part.length()))
        }
        Range::Several(parts) => {
            let boundary = Uuid::new_v4().simple().to_string();
            let text = format!("multipart/byteranges; boundary={boundary}");
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(CONTENT_TYPE, value);
            }
            (StatusCode::PARTIAL_CONTENT, FileParts::several(file, &parts, size, &boundary))
        }
        Range::Unsatisfiable => {
            let text = format!("bytes */{size}");
            headers.extend(HeaderValue::from_str(&text).map(|value| (CONTENT_RANGE, value)));
            return (StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response();
        }
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(file.length()));
    if method == Method::HEAD {
        return (status, headers, Body::empty()).into_response();
    }
    (status, headers, blocking_body(file)).into_response()
}
