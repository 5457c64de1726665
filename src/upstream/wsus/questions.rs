//! Telling an upstream server which files it does not have.

use bundle_format::digest::Sha1;
use reqwest::Url;
use uuid::Uuid;

use super::{error::UpstreamError, session::Session};
use crate::{protocol::server_sync::MAX_DIGESTS_PER_REQUEST, upstream::client::ConnectionOptions};

/// Tells an upstream server which of the files that it named it does not have: it fetches them from
/// where it has its own, and answers at once. [MS-WSUSSS] 3.1.4.11
pub(crate) fn ask_for_files(
    base: &Url,
    account: Uuid,
    options: &ConnectionOptions,
    files: &[Sha1],
) -> Result<(), UpstreamError> {
    let session = Session::new(base, account, options)?;
    for files in files.chunks(MAX_DIGESTS_PER_REQUEST) {
        match session.download_files(files) {
            // One unknown digest fails them all.
            Err(e) if e.is_fault("FileDigestsMissing") && files.len() > 1 => {
                for file in files {
                    match session.download_files(std::slice::from_ref(file)) {
                        Err(e) if e.is_fault("FileDigestsMissing") => {}
                        done => done?,
                    }
                }
            }
            done => done?,
        }
    }
    Ok(())
}
