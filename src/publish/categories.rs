//! The categories of a published update: found in the catalogue, or made.

use jiff::Timestamp;
use uuid::{Uuid, uuid};

use super::{
    category::{Categories, Category, CategoryDocument},
    document,
    error::PublishError,
    identities::category_id,
    request::PublishRequest,
};
use crate::catalog::same_title;
use crate::{
    catalog::{Catalog, RevisionFilter, RevisionSummary},
    update::{DocumentLimits, UpdateDocument, UpdateId, UpdateIdentity, UpdateType},
};

/// The company of products that were published without one; every WSUS knows it.
const LOCAL_PUBLISHER: Uuid = uuid!("7c40e8c2-01ae-47f5-9af2-6e75a0582518");

/// Generations above a product that are looked at.
const ANCESTORS: usize = 8;

/// Finds the categories of a request and makes those that are missing; writes nothing.
pub(super) fn plan(
    catalog: &Catalog,
    request: &PublishRequest,
    now: Timestamp,
) -> Result<Categories, PublishError> {
    let mut made = Vec::new();
    let classification = request.classification;
    let mut make = |id: UpdateId, title: &str, kind, parent| -> Result<UpdateId, PublishError> {
        if catalog.newest(id)?.is_none() {
            let identity = UpdateIdentity { id, revision: 1 };
            let category = Category { identity, title, parent, kind };
            let document = document::category(&category, &document::moment(now));
            made.push(CategoryDocument { title: title.to_owned(), document });
        }
        Ok(id)
    };
    make(classification.id(), classification.title(), "UpdateClassification", None)?;
    let product = match existing_product(catalog, &request.product)? {
        Some(product) => product,
        None => {
            let parts: Vec<_> = request.product.split('/').collect();
            let (company, family, product) = match parts.as_slice() {
                [company, family, product] => (Some(*company), Some(*family), *product),
                [company, product] => (Some(*company), None, *product),
                _ => (None, None, request.product.as_str()),
            };
            let mut parent = match company {
                None => make(UpdateId(LOCAL_PUBLISHER), "Local Publisher", "Company", None)?,
                Some(company) => {
                    make(category_id("company", &[company]), company, "Company", None)?
                }
            };
            if let Some(family) = family {
                let id = category_id("family", &[company.unwrap_or_default(), family]);
                parent = make(id, family, "ProductFamily", Some(parent))?;
            }
            make(category_id("product", &parts), product, "Product", Some(parent))?
        }
    };
    Ok(Categories { product, classification: classification.id(), made })
}

/// A product that the catalogue has under that name; what stands before the last slash must be
/// titles of its ancestors.
fn existing_product(catalog: &Catalog, path: &str) -> Result<Option<UpdateId>, PublishError> {
    let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut candidates = Vec::new();
    let filter = RevisionFilter {
        title: Some(name.to_owned()),
        update_type: Some(UpdateType::Category),
        newest: true,
        ..Default::default()
    };
    catalog.find(&filter, &mut |found| {
        let is_product = found.category_type.as_deref() == Some("Product");
        if is_product && same_title(&found.title, name) {
            candidates.push(found);
        }
    })?;
    let mut fitting = Vec::new();
    for candidate in candidates {
        let mut above = above.split('/').rev().filter(|part| !part.is_empty()).peekable();
        for title in ancestors(catalog, &candidate)? {
            above.next_if(|part| same_title(part, &title));
        }
        if above.peek().is_none() {
            fitting.push(candidate);
        }
    }
    match fitting.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.identity.id)),
        [one, other, ..] => Err(PublishError::invalid(format!(
            "there are several products {path:?} ({}, {}): say COMPANY/PRODUCT or COMPANY/FAMILY/PRODUCT",
            one.identity.id, other.identity.id
        ))),
    }
}

/// The titles of what a category belongs to, the nearest first.
fn ancestors(catalog: &Catalog, of: &RevisionSummary) -> Result<Vec<String>, PublishError> {
    let mut titles = Vec::new();
    let mut revision = of.revision_id;
    while titles.len() < ANCESTORS {
        let xml = catalog.document(revision)?.unwrap_or_default();
        let document = UpdateDocument::parse(&xml, &DocumentLimits::default())?;
        let parent =
            document.prerequisites.iter().find(|c| c.is_category).and_then(|c| c.any_of.first());
        let Some(parent) = parent.map(|id| catalog.newest(*id)).transpose()?.flatten() else {
            break;
        };
        titles.push(parent.title);
        revision = parent.revision_id;
    }
    Ok(titles)
}
