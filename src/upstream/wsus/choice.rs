//! Names become ids: products and classifications from the catalogue, languages from the server.

use super::{
    Selection, UpstreamError,
    state::{Chosen, Wanted},
};
use crate::{
    catalog::{Catalog, CatalogError, Filter},
    protocol::server_sync::ConfigData,
    update::{UpdateId, UpdateType},
};

/// Says: all of them.
const ALL: &str = "all";

/// A product or a classification that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Category {
    /// Its update.
    pub id: UpdateId,
    /// What people call it.
    pub title: String,
}

/// Which categories are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CategoryKind {
    /// `Product`.
    Product,
    /// `UpdateClassification`.
    Classification,
}

/// The products or classifications that the catalogue knows, sorted by title.
///
/// # Errors
/// When the catalogue fails.
pub fn categories(catalog: &Catalog, kind: CategoryKind) -> Result<Vec<Category>, CatalogError> {
    let word = match kind {
        CategoryKind::Product => "Product",
        CategoryKind::Classification => "UpdateClassification",
    };
    let filter =
        Filter { update_type: Some(UpdateType::Category), newest: true, ..Filter::default() };
    let mut found = Vec::new();
    catalog.find(&filter, &mut |summary| {
        if summary.category_type.as_deref() == Some(word) {
            found.push(Category { id: summary.identity.id, title: summary.title });
        }
    })?;
    found.sort_by(|a, b| (&a.title, a.id).cmp(&(&b.title, b.id)));
    Ok(found)
}

/// What is chosen now, where nothing is said as the last time.
pub(super) fn chosen(selection: &Selection, before: &Chosen) -> Chosen {
    let one = |now: &Option<Vec<String>>, before: &Option<Vec<String>>| match now {
        None => before.clone(),
        Some(names) if names.iter().any(|name| name.trim().eq_ignore_ascii_case(ALL)) => None,
        Some(names) => Some(names.iter().map(|name| name.trim().to_owned()).collect()),
    };
    Chosen {
        products: one(&selection.products, &before.products),
        classifications: one(&selection.classifications, &before.classifications),
        languages: one(&selection.languages, &before.languages),
    }
}

/// What to ask the server for. One list alone would select nothing: then the other one holds all.
pub(super) fn wanted(
    catalog: &Catalog,
    config: &ConfigData,
    chosen: &Chosen,
) -> Result<Wanted, super::super::SyncError> {
    let languages = match &chosen.languages {
        None => Vec::new(),
        Some(names) => languages(names, config)?,
    };
    if chosen.products.is_none() && chosen.classifications.is_none() {
        return Ok(Wanted { languages, ..Wanted::default() });
    }
    let products = categories(catalog, CategoryKind::Product)?;
    let classifications = categories(catalog, CategoryKind::Classification)?;
    Ok(Wanted {
        products: ids("product", chosen.products.as_deref(), &products)?,
        classifications: ids(
            "classification",
            chosen.classifications.as_deref(),
            &classifications,
        )?,
        languages,
    })
}

/// A name stands for every category of that title; several have the same.
fn ids(
    what: &str,
    names: Option<&[String]>,
    known: &[Category],
) -> Result<Vec<UpdateId>, UpstreamError> {
    let mut ids = Vec::new();
    match names {
        None => ids.extend(known.iter().map(|category| category.id)),
        Some(names) => {
            for name in names {
                let before = ids.len();
                let wanted = name.to_lowercase();
                ids.extend(known.iter().filter_map(|category| {
                    (category.title.to_lowercase() == wanted || category.id.to_string() == wanted)
                        .then_some(category.id)
                }));
                // An id needs no name: it may be one that only the server knows.
                if ids.len() == before {
                    if let Ok(id) = name.parse() {
                        ids.push(id);
                        continue;
                    }
                    return Err(unknown(what, name, known.iter().map(|c| c.title.as_str())));
                }
            }
        }
    }
    if ids.is_empty() {
        return Err(UpstreamError::Choice(format!("the server knows no {what}")));
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn languages(names: &[String], config: &ConfigData) -> Result<Vec<i32>, UpstreamError> {
    let mut ids = Vec::new();
    for name in names {
        let id = config
            .languages
            .iter()
            .find(|language| {
                // 0 is the server's own word for all.
                language.id != 0
                    && (language.short.eq_ignore_ascii_case(name)
                        || language.id.to_string() == *name)
            })
            .map(|language| language.id)
            .ok_or_else(|| {
                unknown("language", name, config.languages.iter().map(|l| l.short.as_str()))
            })?;
        ids.push(id);
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> UpstreamError {
    let part = name.to_lowercase();
    let (near, all): (Vec<_>, Vec<_>) =
        known.partition(|title| !part.is_empty() && title.to_lowercase().contains(&part));
    let (word, list) = if near.is_empty() { ("It has", all) } else { ("Near it are", near) };
    let more = if list.len() > 20 { ", …" } else { "" };
    let list: Vec<_> = list.into_iter().take(20).collect();
    let list = list.join(", ");
    UpstreamError::Choice(format!("the server has no {what} {name:?}. {word}: {list}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::server_sync::LanguageData;

    fn known() -> Vec<Category> {
        [(1, "Windows 10"), (2, "Windows 11"), (3, "Windows 11"), (4, "Office")]
            .map(|(n, title)| Category {
                id: UpdateId(uuid::Uuid::from_u128(n)),
                title: title.to_owned(),
            })
            .to_vec()
    }

    #[test]
    fn a_name_in_any_case_or_an_id_is_found_and_a_wrong_one_is_met_with_what_is_near() {
        let find = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            ids("product", Some(&names), &known())
        };
        let found = find(&["windows 11", "00000000-0000-0000-0000-000000000004"]).unwrap();
        assert_eq!(found, [2, 3, 4].map(|n| UpdateId(uuid::Uuid::from_u128(n))));
        let error = find(&["Windows"]).unwrap_err().to_string();
        assert!(error.contains("Windows 10") && !error.contains("Office"), "{error}");
        assert!(find(&["Linux"]).unwrap_err().to_string().contains("Office"));
        assert_eq!(ids("product", None, &known()).unwrap().len(), 4);
    }

    #[test]
    fn what_is_not_said_stays_and_all_resets() {
        let before = Chosen { products: Some(vec!["Office".to_owned()]), ..Chosen::default() };
        assert_eq!(chosen(&Selection::default(), &before), before);
        let all = Selection { products: Some(vec!["All".to_owned()]), ..Selection::default() };
        assert_eq!(chosen(&all, &before), Chosen::default());
    }

    #[test]
    fn languages_are_the_servers() {
        let language = |id, short: &str| LanguageData {
            id,
            short: short.to_owned(),
            long: String::new(),
            enabled: true,
        };
        let config = ConfigData {
            catalog_only_sync: false,
            lazy_sync: true,
            server_hosts_psf_files: false,
            max_updates: 100,
            max_driver_sets: 0,
            max_computer_ids: 0,
            max_pnp_hardware_ids: 0,
            anchor: String::new(),
            version: None,
            languages: vec![language(0, "all"), language(1033, "en"), language(1031, "de")],
            max_decryption_updates: 100,
        };
        let find = |name: &str| languages(&[name.to_owned()], &config);
        assert_eq!(find("DE").unwrap(), [1031]);
        assert_eq!(find("1033").unwrap(), [1033]);
        assert!(find("xx").unwrap_err().to_string().contains("en, de"));
    }
}
