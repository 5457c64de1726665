//! List updates, or show one.

use serde::Serialize;

use super::{
    Result,
    context::Context,
    error::OpsError,
    waiting::{obstacles, reasons::ReasonDetails},
};
use crate::{
    catalog::{Catalog, RevisionFilter, RevisionSummary},
    update::{UpdateId, UpdateType, kb_number},
};

/// Which updates to list.
#[derive(Debug, Clone, Default)]
pub struct UpdatesQuery {
    /// Those of a KB article: digits, `KB` before them is allowed.
    pub kb: Option<String>,
    /// Those whose title holds this text.
    pub title: Option<String>,
    /// Those of this kind; if not given, those that can be approved.
    pub kind: Option<UpdateType>,
    /// All revisions, withdrawn ones, members, categories and detectoids too.
    pub all: bool,
}

/// An update, and how it is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct UpdateDetails {
    /// Its newest revision.
    #[serde(flatten)]
    pub revision: RevisionSummary,
    /// Its revisions that the mirror leaves out of its snapshots, and why: the newest of an update of which
    /// nothing is offered, or newer ones.
    pub left_out_revisions: Vec<RevisionSummary>,
    /// Why it is not offered although it is approved; empty if it is offered or not approved.
    pub waiting: Vec<ReasonDetails>,
}

/// The original document of an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UpdateDocument {
    /// Its XML.
    pub document: String,
}

/// Lists updates.
///
/// # Errors
/// When there is no data folder, or the catalogue cannot be read.
pub fn list(context: &Context<'_>, query: UpdatesQuery) -> Result<Vec<RevisionSummary>> {
    let catalog = context.catalog()?;
    let filter = RevisionFilter {
        kb: query.kb.map(|kb| kb_number(&kb).to_owned()),
        title: query.title,
        update_type: query.kind,
        deployable: !query.all && query.kind.is_none(),
        newest: !query.all,
        left_out: true,
    };
    let mut found = Vec::new();
    catalog.find(&filter, &mut |revision| found.push(revision))?;
    Ok(found)
}

/// The newest revision of an update.
///
/// # Errors
/// When there is no such update, or as [`list`].
pub fn show(context: &Context<'_>, update: UpdateId) -> Result<UpdateDetails> {
    let (catalog, fleet) = context.catalog_and_fleet()?;
    let revision = newest(&catalog, update)?;
    let mut left_out_revisions = catalog.revisions_of(update)?;
    left_out_revisions.retain(|revision| revision.left_out.is_some());
    let waiting = obstacles::waiting(context, &catalog, &fleet)?;
    let waiting = waiting.into_iter().find(|one| one.update == update);
    let waiting = waiting.map(|one| one.reasons).unwrap_or_default();
    Ok(UpdateDetails { revision, left_out_revisions, waiting })
}

/// The document of the newest revision of an update.
///
/// # Errors
/// When there is no such update, or as [`list`].
pub fn document(context: &Context<'_>, update: UpdateId) -> Result<UpdateDocument> {
    let catalog = context.catalog()?;
    let revision = newest(&catalog, update)?;
    let document = catalog.document(revision.revision_id)?.unwrap_or_default();
    Ok(UpdateDocument { document: String::from_utf8_lossy(&document).into_owned() })
}

fn newest(catalog: &Catalog, update: UpdateId) -> Result<RevisionSummary> {
    let newest = catalog.newest_known(update)?;
    newest.ok_or_else(|| OpsError::unfit(format!("there is no update {update} here")))
}
