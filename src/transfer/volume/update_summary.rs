//! An update revision as people know it: title and KB numbers, from its document or from the catalogue.

use serde::Serialize;

use crate::{
    catalog::RevisionSummary,
    update::{UpdateDocument, UpdateId, UpdateIdentity, UpdateType},
};

/// An update revision as people know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct UpdateSummary {
    /// The update.
    pub update: UpdateId,
    /// Its revision.
    pub revision: u32,
    /// Title in English, else in its default language; empty when nothing here knows it.
    pub title: String,
    /// KB article numbers, digits only.
    pub kb: Vec<String>,
    /// Its kind, if it is known.
    pub update_type: Option<UpdateType>,
    /// Can be approved by an administrator: no category, no member of a bundle.
    pub explicitly_deployable: bool,
}

impl UpdateSummary {
    /// As its document names it.
    pub(in crate::transfer) fn of_document(document: &UpdateDocument) -> Self {
        let UpdateDocument { identity, properties, update_type, .. } = document;
        Self {
            update: identity.id,
            revision: identity.revision,
            title: document.title("en").unwrap_or_default().to_owned(),
            kb: properties.kb_article_ids.clone(),
            update_type: Some(*update_type),
            explicitly_deployable: properties.explicitly_deployable,
        }
    }

    /// As the catalogue names it.
    pub(in crate::transfer) fn of_summary(summary: RevisionSummary) -> Self {
        Self {
            update: summary.identity.id,
            revision: summary.identity.revision,
            title: summary.title,
            kb: summary.kb,
            update_type: Some(summary.update_type),
            explicitly_deployable: summary.explicitly_deployable,
        }
    }

    /// One that nothing here names.
    pub(in crate::transfer) fn unknown(identity: UpdateIdentity) -> Self {
        Self {
            update: identity.id,
            revision: identity.revision,
            title: String::new(),
            kb: Vec::new(),
            update_type: None,
            explicitly_deployable: true,
        }
    }
}
