//! What can be chosen, and what is chosen: products and classifications from the catalogue, languages
//! from the server.

use std::collections::{BTreeMap, HashSet};

use super::{
    category::{Category, CategoryKind, CategoryLevel},
    names::{languages, resolve},
    options::SyncSelection,
    state::{NOTE, ResolvedSelection, SelectionNames, UpstreamState},
};
use crate::{
    catalog::{Catalog, CatalogError, RevisionFilter},
    protocol::server_sync::ConfigData,
    update::{UpdateId, UpdateType},
};

/// The word for all of them.
const ALL: &str = "all";

/// The products or classifications that the catalogue knows, sorted by title.
///
/// # Errors
/// When the catalogue fails.
pub fn categories(catalog: &Catalog, kind: CategoryKind) -> Result<Vec<Category>, CatalogError> {
    let level = match kind {
        CategoryKind::Product => CategoryLevel::Product,
        CategoryKind::Classification => CategoryLevel::Classification,
    };
    let mut found = choices(catalog, kind)?;
    found.retain(|category| category.level == level);
    found.sort_by(|a, b| (&a.title, a.id).cmp(&(&b.title, b.id)));
    Ok(found)
}

/// What can be named to choose: classifications, or the tree of companies, product families and
/// products; each is followed by what belongs to it.
///
/// # Errors
/// When the catalogue fails.
pub fn choices(catalog: &Catalog, kind: CategoryKind) -> Result<Vec<Category>, CatalogError> {
    let filter = RevisionFilter {
        update_type: Some(UpdateType::Category),
        newest: true,
        ..RevisionFilter::default()
    };
    let mut found: BTreeMap<UpdateId, Category> = BTreeMap::new();
    catalog.find(&filter, &mut |summary| {
        let Some(level) = summary.category_type.as_deref().and_then(CategoryLevel::parse) else {
            return;
        };
        if (level == CategoryLevel::Classification) == (kind == CategoryKind::Classification) {
            let category = Category {
                id: summary.identity.id,
                title: summary.title,
                level,
                within: None,
                depth: 0,
                chosen: false,
            };
            found.insert(category.id, category);
        }
    })?;
    catalog.category_parents(&mut |child, parent| {
        if child != parent
            && found.contains_key(&parent)
            && let Some(child) = found.get_mut(&child)
        {
            child.within = Some(parent);
        }
    })?;
    let requested = requested_ids(catalog, kind)?;
    for category in found.values_mut() {
        category.chosen = match &requested {
            None => false,
            Some(ids) => ids.is_empty() || ids.contains(&category.id),
        };
    }
    Ok(in_order(found))
}

/// Each category before what is within it, siblings by title.
fn in_order(mut left: BTreeMap<UpdateId, Category>) -> Vec<Category> {
    let mut within: BTreeMap<Option<UpdateId>, Vec<UpdateId>> = BTreeMap::new();
    for category in left.values() {
        within.entry(category.within).or_default().push(category.id);
    }
    for siblings in within.values_mut() {
        siblings
            .sort_by_cached_key(|id| (left.get(id).map(|category| category.title.clone()), *id));
        siblings.reverse();
    }
    let mut open: Vec<(UpdateId, usize)> =
        within.remove(&None).unwrap_or_default().into_iter().map(|id| (id, 0)).collect();
    let mut list = Vec::with_capacity(left.len());
    loop {
        // Categories that are within each other have no top: they come last.
        let next = open.pop().or_else(|| left.keys().next().map(|id| (*id, 0)));
        let Some((id, depth)) = next else { return list };
        let Some(category) = left.remove(&id) else { continue };
        list.push(Category { depth, ..category });
        open.extend(
            within.remove(&Some(id)).unwrap_or_default().into_iter().map(|id| (id, depth + 1)),
        );
    }
}

/// The categories that were requested from any server; empty: all. `None` before the first
/// synchronization.
fn requested_ids(
    catalog: &Catalog,
    kind: CategoryKind,
) -> Result<Option<HashSet<UpdateId>>, CatalogError> {
    let mut all: Option<HashSet<UpdateId>> = None;
    let mut everything = false;
    catalog.notes(NOTE, &mut |_, note| {
        let Ok(state) = serde_json::from_str::<UpstreamState>(note) else { return };
        if state.anchor.is_none() {
            return;
        }
        let ids = match kind {
            CategoryKind::Product => state.selection.products,
            CategoryKind::Classification => state.selection.classifications,
        };
        everything |= ids.is_empty();
        all.get_or_insert_default().extend(ids);
    })?;
    Ok(if everything { Some(HashSet::new()) } else { all })
}

/// The names that are selected now; where none are given, those of the last time.
pub(super) fn selected_names(selection: &SyncSelection, before: &SelectionNames) -> SelectionNames {
    let one = |now: &Option<Vec<String>>, before: &Option<Vec<String>>| match now {
        None => before.clone(),
        Some(names) if names.iter().any(|name| name.trim().eq_ignore_ascii_case(ALL)) => None,
        Some(names) => Some(names.iter().map(|name| name.trim().to_owned()).collect()),
    };
    SelectionNames {
        products: one(&selection.products, &before.products),
        classifications: one(&selection.classifications, &before.classifications),
        languages: one(&selection.languages, &before.languages),
    }
}

/// The languages whose files the mirror carries after a run that says so: `Some(None)` is all. An LCID
/// is no name that documents use: what is chosen by LCIDs is not left out by language.
pub fn carried_languages(selection: &SyncSelection) -> Option<Option<Vec<String>>> {
    let names = selection.languages.as_ref()?;
    let is_name = |name: &String| {
        let name = name.trim();
        !name.is_empty() && !name.eq_ignore_ascii_case(ALL) && name.parse::<i32>().is_err()
    };
    let names = names
        .iter()
        .all(is_name)
        .then(|| names.iter().map(|name| name.trim().to_ascii_lowercase()).collect::<Vec<_>>());
    Some(names.filter(|names| !names.is_empty()))
}

/// What to ask the server for, and notes for people. One list alone would select nothing: then the
/// other one holds all.
pub(super) fn resolve_selection(
    catalog: &Catalog,
    config: &ConfigData,
    chosen: &SelectionNames,
) -> Result<(ResolvedSelection, Vec<String>), crate::upstream::error::SyncError> {
    let mut notes = Vec::new();
    let languages = match &chosen.languages {
        None => Vec::new(),
        Some(names) => languages(names, config)?,
    };
    if chosen.products.is_none() && chosen.classifications.is_none() {
        return Ok((ResolvedSelection { languages, ..ResolvedSelection::default() }, notes));
    }
    let products = choices(catalog, CategoryKind::Product)?;
    let classifications = choices(catalog, CategoryKind::Classification)?;
    let resolved = ResolvedSelection {
        products: resolve("product", chosen.products.as_deref(), &products, &mut notes)?,
        classifications: resolve(
            "classification",
            chosen.classifications.as_deref(),
            &classifications,
            &mut notes,
        )?,
        languages,
    };
    Ok((resolved, notes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_stays_and_all_resets() {
        let before = SelectionNames {
            products: Some(vec!["Office".to_owned()]),
            ..SelectionNames::default()
        };
        assert_eq!(selected_names(&SyncSelection::default(), &before), before);
        let all =
            SyncSelection { products: Some(vec!["All".to_owned()]), ..SyncSelection::default() };
        assert_eq!(selected_names(&all, &before), SelectionNames::default());
    }

    #[test]
    fn the_tree_lists_each_before_what_is_within_it_and_loses_none_in_a_circle() {
        let category = |n: u128, within: Option<u128>, title: &str| Category {
            id: UpdateId(uuid::Uuid::from_u128(n)),
            title: title.to_owned(),
            level: CategoryLevel::Product,
            within: within.map(|n| UpdateId(uuid::Uuid::from_u128(n))),
            depth: 9,
            chosen: false,
        };
        let all = [
            category(1, None, "Company"),
            category(2, Some(1), "Windows"),
            category(3, Some(2), "Windows 11"),
            category(4, Some(2), "Windows 10"),
            category(5, Some(1), "Office"),
            category(6, Some(7), "Round"),
            category(7, Some(6), "About"),
        ];
        let list = in_order(all.into_iter().map(|category| (category.id, category)).collect());
        let list: Vec<_> = list.iter().map(|c| (c.depth, c.title.as_str())).collect();
        assert_eq!(
            list,
            [
                (0, "Company"),
                (1, "Office"),
                (1, "Windows"),
                (2, "Windows 10"),
                (2, "Windows 11"),
                (0, "Round"),
                (1, "About"),
            ]
        );
    }
}
