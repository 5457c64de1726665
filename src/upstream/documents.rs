//! Adding one document to the catalogue.

use super::{
    error::SyncError,
    report::{SyncOptions, SyncReport},
};
use crate::{
    catalog::{AddOutcome, CatalogWriter},
    update::{UpdateDocument, UpdateIdentity},
};

/// Adds a document, or notes as a problem of `at` why it cannot be added. `expected` is the
/// identity under which the source keeps it, if it says one.
pub(super) fn add_if_valid(
    writer: &mut CatalogWriter<'_>,
    xml: &[u8],
    expected: Option<UpdateIdentity>,
    at: &str,
    options: &SyncOptions,
    report: &mut SyncReport,
) -> Result<(), SyncError> {
    let document = match UpdateDocument::parse(xml, &options.limits) {
        Ok(document) => document,
        Err(e) => {
            report.problem(at, e);
            return Ok(());
        }
    };
    if let Some(expected) = expected.filter(|expected| *expected != document.identity) {
        report.problem(at, format!("announced as {expected}, but it is {}", document.identity));
        return Ok(());
    }
    add(writer, &document, xml, options, report)
}

/// Adds a document that has been read and is what it was announced as.
pub(super) fn add(
    writer: &mut CatalogWriter<'_>,
    document: &UpdateDocument,
    xml: &[u8],
    options: &SyncOptions,
    report: &mut SyncReport,
) -> Result<(), SyncError> {
    report.documents += 1;
    match writer.add_revision(document, xml, options.numbering, options.now)? {
        AddOutcome::New(_) => report.new_revisions += 1,
        AddOutcome::Same(_) => report.known += 1,
        AddOutcome::OtherBytes(_) => report.other_bytes += 1,
    }
    Ok(())
}
