//! The connected side's sources: where update documents and payloads come from, and bringing them
//! into the stores.
//!
//! - a package of `wsusutil export` (`.cab`): documents only;
//! - Microsoft Update, a WSUS, or another Tidegate, over the network: documents and where their files are;
//! - a folder of update documents and payload files, under any names.
//!
//! Everything here is incremental and idempotent: what is there already changes nothing. Documents
//! of a package or a folder go in with one transaction, those of a server in batches; a run that is
//! refused or killed leaves no partial transaction.

mod address;
mod client;
mod documents;
mod download;
mod encoding;
mod error;
mod folder;
mod package;
mod payloads;
mod permanent;
mod records;
mod report;
mod retry;
mod roots;
mod source;
mod source_kind;
mod wsus;

pub use client::{ClientError, ConnectionOptions};
pub use download::{
    download,
    download_forecast::DownloadForecast,
    error::DownloadError,
    forecast,
    locations::ContentBase,
    outcome::RejectedContent,
    report::{DownloadOptions, DownloadProgress, DownloadReport, StopReason},
    selection::FileSelection,
    window::{BadWindow, Window},
};
pub use error::{SourceError, SyncError};
pub use permanent::PermanentFailure;
pub use report::{Problem, SyncOptions, SyncProgress, SyncReport, Unresolved};
pub use roots::{Fingerprint, MicrosoftUpdate, RootsError};
pub use source::Source;
pub use wsus::{
    category::{Category, CategoryKind, CategoryLevel},
    choice::{carried_languages, categories, choices},
    error::UpstreamError,
    facts::UpstreamFacts,
    hardware::{Hardware, HardwareError},
    health::{Health, health},
    options::{SyncSelection, UpstreamOptions},
    replica::{ReplicaError, replicate},
    rollup::{
        report::{RollupError, RollupReport},
        rollup,
    },
    upstream_record::{UpstreamRecord, known_upstreams},
};

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
    progress: &mut dyn FnMut(SyncProgress<'_>),
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
        Source::Server(base) => wsus::engine::run(base, catalog, options, progress, &mut report)?,
        Source::MicrosoftUpdate => {
            let base = options.upstream.connection.microsoft.base();
            wsus::engine::run(base, catalog, options, progress, &mut report)?;
        }
    }
    let mut writer = catalog.write()?;
    report.left_out = writer.leave_out_contradicting()?;
    writer.commit()?;
    report.changed = catalog.change()? != before;
    Ok(report)
}
