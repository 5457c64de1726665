//! Local publishing: an installer becomes an update document, so that sites can ship what no
//! upstream server has. [MS-WSUSSS] 2.2.4 is what the document must be; how WSUS itself publishes
//! locally is what it should look like to agents.
//!
//! | file | becomes |
//! |---|---|
//! | `.exe` | a command line installation |
//! | `.msi` | a Windows Installer installation; product code and version are read from it |
//! | `.cab` with `update.mum` | a servicing package, with its own rules |
//! | `.cab` otherwise | a command line installation of a program in it |
//! | `.msu` | a command line installation by `wusa.exe` |
//!
//! Company, product and classification are documents too. They are made when the catalogue has no
//! such, with identities that are the same everywhere.

mod applies_if;
mod authenticode;
mod categories;
mod category;
mod document;
mod error;
mod identities;
mod installer;
mod request;
mod rule_parser;
mod xml;

pub use applies_if::{AppliesIf, Comparison, KnownFolder, RegistryData};
pub use authenticode::{Signature, signature};
pub use error::PublishError;
pub use request::{Classification, PublishRequest, Reboot, Severity};
pub use rule_parser::BadRule;

use bundle_format::digest::PayloadDigests;
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    catalog::{AddOutcome, Catalog, Numbering, PayloadRow, RevisionSummary},
    content::ContentStore,
    update::{DocumentLimits, RevisionId, UpdateDocument, UpdateId, UpdateIdentity},
};

/// What became of a file that was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Published {
    /// The revision that stands for it.
    pub identity: UpdateIdentity,
    /// Its number towards agents.
    pub revision_id: RevisionId,
    /// False when the same was published before: nothing has changed then.
    pub changed: bool,
    /// SHA-256 of the payload, in hexadecimal.
    pub sha256: String,
    /// Size of the payload in bytes.
    pub size: u64,
    /// Titles of the categories that were made for it.
    pub categories_made: Vec<String>,
    /// What agents may stumble over.
    pub warnings: Vec<String>,
}

/// Takes the file into the content and its document into the catalogue. The same request twice
/// changes nothing; the same file and title with other details is a new revision of one update.
/// `progress` hears of the bytes read.
///
/// # Errors
/// When the request cannot be made into a valid update, the file cannot be read, or a store fails.
/// The catalogue then is as before.
pub fn publish(
    request: &PublishRequest,
    catalog: &mut Catalog,
    content: &ContentStore,
    numbering: Numbering,
    now: Timestamp,
    progress: &mut dyn FnMut(u64),
) -> Result<Published, PublishError> {
    let request = request.checked()?;
    let (installer, mut warnings) = installer::inspect(&request)?;
    let modified = request.file_modified()?;
    let categories = categories::plan(catalog, &request, now)?;
    let payload = content.add_file(&request.file, progress)?;
    if payload.size == 0 {
        return Err(PublishError::invalid("the file is empty"));
    }
    let id = request.update_id.unwrap_or_else(|| identities::update_id(&request, &payload));
    warnings.extend(check_superseded(catalog, &request, id)?);

    let mut parts = document::DocumentParts {
        request: &request,
        installer: &installer,
        payload: &payload,
        categories: &categories,
        identity: UpdateIdentity { id, revision: 1 },
        created: document::moment(now),
        modified: document::moment(modified),
    };
    if let Some(newest) = catalog.newest(id)? {
        let stored = local_document(catalog, &newest)?;
        // Would it be the same again? Then it is.
        parts.identity = newest.identity;
        let created = std::mem::replace(&mut parts.created, newest.created.unwrap_or_default());
        if stored == document::write(&parts).into_bytes() {
            // The bytes may have been lost since.
            let changed = commit(catalog, &[], &payload, numbering, now)?.1;
            return Ok(report(
                newest.identity,
                newest.revision_id,
                changed,
                payload,
                vec![],
                warnings,
            ));
        }
        parts.created = created;
    }
    parts.identity.revision = next_revision(catalog, id)?;
    let mut documents: Vec<String> = categories.made.iter().map(|c| c.document.clone()).collect();
    documents.push(document::write(&parts));
    let identity = parts.identity;
    let made = categories.made.iter().map(|c| c.title.clone()).collect();
    let (numbers, _) = commit(catalog, &documents, &payload, numbering, now)?;
    let revision_id = numbers.last().copied().unwrap_or(RevisionId(0));
    Ok(report(identity, revision_id, true, payload, made, warnings))
}

/// The number that no revision of the update has had, withdrawn ones neither: what was withdrawn stays
/// so.
fn next_revision(catalog: &Catalog, id: UpdateId) -> Result<u32, PublishError> {
    let Some(last) = catalog.revisions_of(id)?.pop() else { return Ok(1) };
    local_document(catalog, &last)?;
    let next = last.identity.revision.checked_add(1);
    next.ok_or_else(|| PublishError::invalid("the update has no revision numbers left"))
}

/// Warns of superseded updates that the catalogue does not have.
fn check_superseded(
    catalog: &Catalog,
    request: &PublishRequest,
    id: UpdateId,
) -> Result<Vec<String>, PublishError> {
    if request.supersedes.contains(&id) {
        return Err(PublishError::invalid("an update cannot supersede itself"));
    }
    let mut warnings = Vec::new();
    for superseded in &request.supersedes {
        if catalog.newest(*superseded)?.is_none() {
            warnings.push(format!("{superseded}, which it supersedes, is not in the catalogue"));
        }
    }
    Ok(warnings)
}

/// The document of an update that was published locally; no other one can be revised here.
fn local_document(catalog: &Catalog, newest: &RevisionSummary) -> Result<Vec<u8>, PublishError> {
    let stored = catalog.document(newest.revision_id)?.unwrap_or_default();
    let document = UpdateDocument::parse(&stored, &DocumentLimits::default())?;
    if !document.properties.locally_published {
        return Err(PublishError::invalid(format!(
            "{} ({}) was not published locally: only its publisher can revise it",
            newest.identity.id, newest.title
        )));
    }
    Ok(stored)
}

fn report(
    identity: UpdateIdentity,
    revision_id: RevisionId,
    changed: bool,
    payload: PayloadDigests,
    categories_made: Vec<String>,
    warnings: Vec<String>,
) -> Published {
    let (sha256, size) = (payload.sha256.to_string(), payload.size);
    Published { identity, revision_id, changed, sha256, size, categories_made, warnings }
}

/// Writes all with one transaction; every document is read back first, as an import would read it.
/// Returns the numbers of the documents, and whether anything changed.
fn commit(
    catalog: &mut Catalog,
    documents: &[String],
    payload: &PayloadDigests,
    numbering: Numbering,
    now: Timestamp,
) -> Result<(Vec<RevisionId>, bool), PublishError> {
    let mut numbers = Vec::new();
    let mut writer = catalog.write()?;
    for xml in documents {
        let document = UpdateDocument::parse(xml.as_bytes(), &DocumentLimits::default())?;
        let added = writer.add_revision(&document, xml.as_bytes(), numbering, now)?;
        // A category that was withdrawn before is wanted again.
        writer.offer_again(&document.identity)?;
        let (AddOutcome::New(number) | AddOutcome::Same(number) | AddOutcome::OtherBytes(number)) =
            added;
        numbers.push(number);
    }
    let PayloadDigests { sha256, sha1, size, chunks } = payload.clone();
    let changed = writer.store_payload(&PayloadRow {
        sha256,
        sha1,
        size,
        chunks,
        present: true,
        not_carried: None,
    })?;
    writer.commit()?;
    Ok((numbers, changed))
}
