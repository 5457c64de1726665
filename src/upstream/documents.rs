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
    if let Err(e) = add(writer, &document, xml, options, report)? {
        report.problem(at, e);
    }
    Ok(())
}

/// Adds a document that has been read and is what it was announced as. The outer error is the
/// store's; the inner one says why this document cannot be added, and then nothing of it is stored.
pub(super) fn add(
    writer: &mut CatalogWriter<'_>,
    document: &UpdateDocument,
    xml: &[u8],
    options: &SyncOptions,
    report: &mut SyncReport,
) -> Result<Result<(), String>, SyncError> {
    report.documents += 1;
    if let Err(why) = check_revision_numbers(document) {
        return Ok(Err(why));
    }
    // What a mirror has stored goes on: only new documents are looked at.
    if let Some(what) = &document.oddity
        && writer.revision_id(&document.identity)?.is_none()
    {
        return Ok(Err(format!("set aside: agents cannot read it: {what}")));
    }
    // A site would refuse a bundle with both. The payload was hashed here: the document is wrong.
    if let Some(what) = writer.contradicted_by(document)? {
        if writer.revision_id(&document.identity)?.is_none() {
            return Ok(Err(format!("set aside: {what}")));
        }
        // It came before the payload. Named at the end of the synchronization.
        report.known += 1;
        return Ok(Ok(()));
    }
    writer.mark_point()?;
    let added = match writer.add_revision(document, xml, options.numbering, options.now) {
        Ok(added) => added,
        Err(e) if e.is_about_the_document() => {
            writer.back_to_mark()?;
            return Ok(Err(e.to_string()));
        }
        Err(e) => return Err(e.into()),
    };
    writer.drop_mark()?;
    match added {
        AddOutcome::New(_) => {
            report.new_revisions += 1;
            if document.prerequisites.iter().any(|clause| clause.any_of.is_empty()) {
                report.notes.push(format!(
                    "{} requires one of no updates (a clause of its `Prerequisites` is empty): it is kept and passed on, but no computer is offered it",
                    document.identity
                ));
            }
        }
        AddOutcome::Same(_) => report.known += 1,
        AddOutcome::OtherBytes(_) => report.other_bytes += 1,
    }
    Ok(Ok(()))
}

/// Agents read `RevisionNumber` as a signed integer of 32 bits, also in the names of bundled
/// updates. Bundles are not checked for it: what a mirror has sealed stays importable.
fn check_revision_numbers(document: &UpdateDocument) -> Result<(), String> {
    let members = document.bundled.iter().flat_map(|clause| &clause.any_of);
    match [&document.identity]
        .into_iter()
        .chain(members)
        .find(|i| i32::try_from(i.revision).is_err())
    {
        None => Ok(()),
        Some(identity) => Err(format!(
            "`RevisionNumber` of {identity} is over the limit of {}: agents cannot read it",
            i32::MAX
        )),
    }
}
