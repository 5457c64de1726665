//! Whether an update is what a rule asks for.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::rule::Criteria;
use crate::{
    catalog::{Catalog, CatalogError, RevisionSummary, named, near},
    update::{RevisionId, UpdateId},
};

/// Types of categories that count as products.
const PRODUCTS: &[&str] = &["Product", "ProductFamily", "Company"];
const CLASSIFICATIONS: &[&str] = &["UpdateClassification"];
/// What a document without a severity has.
const NO_SEVERITY: &str = "unspecified";

/// Criteria with their names looked up.
pub(super) struct Matcher<'a> {
    criteria: &'a Criteria,
    /// What belongs to the products; `None`: nothing is asked.
    products: Option<HashSet<RevisionId>>,
    classifications: Option<HashSet<RevisionId>>,
}

/// How far an update matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// Not at all.
    No,
    /// In all but its age, which it has not reached yet.
    TooYoung,
    /// It does.
    Yes,
}

impl<'a> Matcher<'a> {
    /// Looks names up. What stands in the way for a person to mend is the inner error.
    pub(super) fn new(
        catalog: &Catalog,
        criteria: &'a Criteria,
    ) -> Result<Result<Self, String>, CatalogError> {
        let products = match members(catalog, "product", &criteria.products, PRODUCTS)? {
            Ok(products) => products,
            Err(what) => return Ok(Err(what)),
        };
        let words = &criteria.classifications;
        let classifications = match members(catalog, "classification", words, CLASSIFICATIONS)? {
            Ok(classifications) => classifications,
            Err(what) => return Ok(Err(what)),
        };
        Ok(Ok(Self { criteria, products, classifications }))
    }

    /// Looks at the newest revision of an update. `superseded` says since when something newer has
    /// been published for which updates.
    pub(super) fn matches(
        &self,
        revision: &RevisionSummary,
        superseded: &HashMap<UpdateId, Timestamp>,
        now: Timestamp,
    ) -> Match {
        let Criteria { severities, min_age, max_age, titles, not_titles, .. } = self.criteria;
        let among = |set: &Option<HashSet<RevisionId>>| {
            set.as_ref().is_none_or(|set| set.contains(&revision.revision_id))
        };
        // Some documents have line breaks around their titles.
        let title = revision.title.trim();
        let severity = revision.severity.as_deref().unwrap_or(NO_SEVERITY);
        let published = revision.published();
        let in_the_way = superseded.get(&revision.identity.id).is_some_and(|since| {
            // A successor that is not old enough itself has not taken its place yet.
            min_age.is_none_or(|age| age.has_passed(*since, now))
        });
        let is_selected = among(&self.products)
            && among(&self.classifications)
            && (severities.is_empty()
                || severities.iter().any(|s| s.eq_ignore_ascii_case(severity)))
            && (titles.is_empty() || titles.iter().any(|glob| glob.matches(title)))
            && !not_titles.iter().any(|glob| glob.matches(title))
            && max_age.is_none_or(|age| !age.has_passed(published, now))
            && (self.criteria.superseded || !in_the_way);
        match (is_selected, min_age.is_none_or(|age| age.has_passed(published, now))) {
            (false, _) => Match::No,
            (true, false) => Match::TooYoung,
            (true, true) => Match::Yes,
        }
    }
}

/// What belongs to the categories of these names; `None` if nothing is named.
fn members(
    catalog: &Catalog,
    what: &str,
    names: &[String],
    types: &[&str],
) -> Result<Result<Option<HashSet<RevisionId>>, String>, CatalogError> {
    if names.is_empty() {
        return Ok(Ok(None));
    }
    let known = catalog.categories(types)?;
    let mut ids: BTreeSet<UpdateId> = BTreeSet::new();
    for name in names {
        let found = named(name, &known);
        if found.is_empty() {
            return Ok(Err(match near(name, &known).as_str() {
                "" => format!(
                    "no {what} {name:?} is known, nor any other: synchronize first (`tidegate sync --categories-only`), or give its id"
                ),
                near => format!("no {what} {name:?} is known; there are {near}"),
            }));
        }
        ids.extend(found);
    }
    let ids: Vec<UpdateId> = ids.into_iter().collect();
    Ok(Ok(Some(catalog.members(&ids)?)))
}
