//! The categories of a published update.

use crate::update::{UpdateId, UpdateIdentity};

/// Which categories an update gets.
pub(super) struct Categories {
    /// Its product.
    pub(super) product: UpdateId,
    /// Its classification.
    pub(super) classification: UpdateId,
    /// What is not in the catalogue yet, parents first.
    pub(super) made: Vec<CategoryDocument>,
}

/// A category document that has been made.
pub(super) struct CategoryDocument {
    pub(super) title: String,
    pub(super) document: String,
}

/// A category as its document describes it.
pub(super) struct Category<'a> {
    pub(super) identity: UpdateIdentity,
    pub(super) title: &'a str,
    pub(super) parent: Option<UpdateId>,
    /// `Company`, `ProductFamily`, `Product` or `UpdateClassification`.
    pub(super) kind: &'static str,
}
