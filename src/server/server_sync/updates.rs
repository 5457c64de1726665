//! Documents and their files. [MS-WSUSSS] 3.1.4.6, 3.1.4.11, 3.1.4.18

use std::collections::HashSet;

use super::{visit, written};
use crate::{
    protocol::{
        ErrorCode, Fault,
        server_sync::{
            Blob, DownloadFiles, FileUrl, GetUpdateData, GetUpdateDecryptionData, Operation as _,
            UpdateData, write_downloading, write_keys, write_update_data,
        },
    },
    server::{
        app::App,
        content,
        exchange::{Call, Pieces},
        failure::Failure,
        view::extension,
    },
    soap::Element,
};

pub(super) fn update_data(app: &App, call: &Call, operation: &Element) -> Result<Pieces, Failure> {
    let request = GetUpdateData::read(operation)?;
    visit(app, call, request.cookie.as_ref())?;
    let catalog = app.catalog()?;
    let (mut updates, mut urls, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for identity in request.updates {
        // One unknown id fails the whole call, as on a WSUS: left out silently it would be lost.
        let id = catalog.revision_id(&identity).map_err(Failure::internal)?;
        let document = match id {
            Some(id) => catalog.document(id).map_err(Failure::internal)?.map(|xml| (id, xml)),
            None => None,
        };
        let Some((id, document)) = document else {
            tracing::warn!(%identity, "a downstream server asks for a revision that is not here");
            return Err(GetUpdateData::unknown().into());
        };
        let document = String::from_utf8(document).map_err(Failure::internal)?;
        let files = catalog.named_files(id).map_err(Failure::internal)?;
        for file in &files {
            if seen.insert(file.sha1) {
                urls.push(FileUrl {
                    digest: file.sha1,
                    // There is no way to the Internet from here.
                    mu_url: None,
                    uss_url: Some(content::path(&file.sha1, extension(&file.name))),
                    decryption_key: None,
                });
            }
        }
        updates.push(UpdateData {
            identity,
            digests: files.iter().filter(|file| !file.eula).map(|file| file.sha1).collect(),
            blob: Blob::new(document).map_err(Failure::internal)?,
        });
    }
    Ok(written(|w| write_update_data(updates, &urls, w)))
}

/// No file here is encrypted: there are no keys to tell.
pub(super) fn decryption_data(
    app: &App,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = GetUpdateDecryptionData::read(operation)?;
    visit(app, call, request.cookie.as_ref())?;
    Ok(written(|w| write_keys(&[], w)))
}

/// Nothing can be fetched from here: what is missing comes with the next bundle.
pub(super) fn download_files(
    app: &App,
    call: &Call,
    operation: &Element,
) -> Result<Pieces, Failure> {
    let request = DownloadFiles::read(operation)?;
    visit(app, call, request.cookie.as_ref())?;
    let catalog = app.catalog()?;
    let mut unknown = Vec::new();
    for digest in &request.digests {
        if catalog.is_named(digest).map_err(Failure::internal)? {
            tracing::info!(sha1 = %digest, "a downstream server misses a file");
        } else {
            unknown.push(digest.to_base64());
        }
    }
    if !unknown.is_empty() {
        return Err(Fault::new(ErrorCode::FileDigestsMissing, unknown.join("|")).into());
    }
    Ok(written(write_downloading))
}
