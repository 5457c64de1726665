//! Telling an upstream server which files it does not have.

use bundle_format::digest::Sha1;
use reqwest::Url;
use uuid::Uuid;

use super::{batches::Batches, error::UpstreamError, session::Session};
use crate::{
    protocol::{ErrorCode, server_sync::MAX_DIGESTS_PER_REQUEST},
    upstream::client::ConnectionOptions,
};

/// Tells an upstream server which of the files that it named it does not have: it fetches them from
/// where it has its own, and answers at once. [MS-WSUSSS] 3.1.4.11
pub(crate) fn ask_for_files(
    base: &Url,
    account: Uuid,
    options: &ConnectionOptions,
    files: &[Sha1],
) -> Result<(), UpstreamError> {
    let session = Session::new(base, account, options)?;
    let mut batches = Batches::new(files, MAX_DIGESTS_PER_REQUEST);
    while let Some(batch) = batches.next() {
        match session.download_files(&batch.ids) {
            // One unknown digest fails them all. Alone it is not a failure.
            Err(e) if e.is_fault(ErrorCode::FileDigestsMissing) => {
                if batch.ids.len() > 1 {
                    batches.halve(&batch.ids);
                }
            }
            done => done?,
        }
    }
    Ok(())
}
