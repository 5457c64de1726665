//! The connected side's sources: where update documents and payloads come from, and bringing them
//! into the stores.
//!
//! - a package of `wsusutil export` (`.cab`): documents only;
//! - a folder of update documents and payload files, under any names.
//!
//! Everything here is incremental and idempotent: what is there already changes nothing. Documents
//! of one run go in with one transaction, so a run that is refused or killed leaves nothing half.

mod error;
mod folder;
mod package;
mod payloads;
mod records;
mod report;
mod source;
mod take;

pub use error::{SourceError, SyncError};
pub use report::{Problem, Progress, SyncOptions, SyncReport};
pub use source::Source;

use crate::{catalog::Catalog, content::ContentStore};

/// Brings what `source` has and the stores lack into the stores. What a source holds but cannot be
/// taken in is named in the report; the rest is in.
///
/// # Errors
/// When the source cannot be read or is damaged as a whole, or a store fails. Nothing of a refused
/// package is kept.
pub fn sync(
    source: &Source,
    catalog: &mut Catalog,
    content: &ContentStore,
    options: &SyncOptions,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<SyncReport, SyncError> {
    let before = catalog.change()?;
    let mut report = SyncReport::default();
    match source {
        Source::WsusutilPackage(path) => {
            package::sync(path, catalog, options, progress, &mut report)?;
        }
        Source::Folder(path) => {
            folder::sync(path, catalog, content, options, progress, &mut report)?;
        }
    }
    report.changed = catalog.change()? != before;
    Ok(report)
}
