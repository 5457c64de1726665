//! Names become ids; a name that nothing has is met with what is near it.

use std::collections::HashMap;

use super::{
    category::{Category, CategoryLevel},
    error::UpstreamError,
};
use crate::{
    catalog::{same_title, title_distance},
    protocol::server_sync::ConfigData,
    update::UpdateId,
};

/// So many names are suggested.
const SUGGESTIONS: usize = 12;

/// The products or classifications that names mean. A name stands for every category of that title;
/// a family or a company for all products in it. `None`: all. Sorted.
pub(super) fn resolve(
    what: &str,
    names: Option<&[String]>,
    known: &[Category],
    notes: &mut Vec<String>,
) -> Result<Vec<UpdateId>, UpstreamError> {
    let mut ids = Vec::new();
    match names {
        None => ids.extend(known.iter().filter(|c| is_leaf(c)).map(|category| category.id)),
        Some(names) => {
            for name in names {
                let meant = matching(name, known);
                match meant.as_slice() {
                    // An id needs no name: it may be one that only the server knows.
                    [] => match name.trim().parse() {
                        Ok(id) => ids.push(id),
                        Err(_) => return Err(unknown(what, name, known)),
                    },
                    [one] => expand(one, known, &mut ids),
                    several => {
                        let list: Vec<_> =
                            several.iter().map(|one| described(one, known)).collect();
                        notes.push(format!(
                            "{} categories are called {name:?}, and all are taken: {}. Give an id to take one.",
                            several.len(),
                            list.join("; ")
                        ));
                        several.iter().for_each(|one| expand(one, known, &mut ids));
                    }
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

/// By title in any letter case, or by id.
fn matching<'a>(name: &str, known: &'a [Category]) -> Vec<&'a Category> {
    let id = name.trim().parse::<UpdateId>().ok();
    let matches =
        |category: &&Category| same_title(&category.title, name) || Some(category.id) == id;
    known.iter().filter(matches).collect()
}

fn is_leaf(category: &Category) -> bool {
    matches!(category.level, CategoryLevel::Product | CategoryLevel::Classification)
}

/// A family or a company is replaced by its products: only these are named by updates. One without
/// products is kept as it is: its products may come later.
fn expand(category: &Category, known: &[Category], ids: &mut Vec<UpdateId>) {
    let parents: HashMap<UpdateId, Option<UpdateId>> =
        known.iter().map(|category| (category.id, category.within)).collect();
    let before = ids.len();
    ids.extend(known.iter().filter(|c| is_leaf(c)).map(|c| c.id).filter(|id| {
        let mut at = Some(*id);
        // No deeper than there are categories: they may lie in a circle.
        for _ in 0..=known.len() {
            match at {
                Some(id) if id == category.id => return true,
                Some(id) => at = parents.get(&id).copied().flatten(),
                None => return false,
            }
        }
        false
    }));
    if ids.len() == before {
        ids.push(category.id);
    }
}

fn described(category: &Category, known: &[Category]) -> String {
    let level = match category.level {
        CategoryLevel::Company => "a company",
        CategoryLevel::ProductFamily => "a product family",
        CategoryLevel::Product => "a product",
        CategoryLevel::Classification => "a classification",
    };
    let within = known.iter().find(|parent| Some(parent.id) == category.within);
    let within = within.map(|parent| format!(" of {:?}", parent.title)).unwrap_or_default();
    format!("{} ({level}{within})", category.id)
}

/// LCIDs of the languages that are named.
pub(super) fn languages(names: &[String], config: &ConfigData) -> Result<Vec<i32>, UpstreamError> {
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
                let known: Vec<_> = config.languages.iter().map(|l| l.short.as_str()).collect();
                UpstreamError::Choice(format!(
                    "the server has no language {name:?}. It has: {}",
                    known.join(", ")
                ))
            })?;
        ids.push(id);
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn unknown(what: &str, name: &str, known: &[Category]) -> UpstreamError {
    let mut near: Vec<(usize, &Category)> = known
        .iter()
        .filter_map(|category| Some((title_distance(name, &category.title)?, category)))
        .collect();
    near.sort_by(|a, b| (a.0, &a.1.title).cmp(&(b.0, &b.1.title)));
    let (word, list): (_, Vec<&Category>) = match near.is_empty() {
        true => ("It has", known.iter().filter(|c| is_leaf(c)).collect()),
        false => ("Near it are", near.into_iter().map(|(_, category)| category).collect()),
    };
    let more = if list.len() > SUGGESTIONS { ", …" } else { "" };
    let is_twice = |title: &str| list.iter().filter(|c| c.title == title).count() > 1;
    let list: Vec<String> = list
        .iter()
        .take(SUGGESTIONS)
        .map(|category| match is_twice(&category.title) {
            true => format!("{} ({})", category.title, category.id),
            false => category.title.clone(),
        })
        .collect();
    UpstreamError::Choice(format!(
        "the server has no {what} {name:?}. {word}: {}{more}",
        list.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::protocol::server_sync::LanguageData;

    fn id(n: u128) -> UpdateId {
        UpdateId(Uuid::from_u128(n))
    }

    fn known() -> Vec<Category> {
        use CategoryLevel::{Company, Product, ProductFamily};
        [
            (1, None, Company, "Tidewater"),
            (2, Some(1), ProductFamily, "Windows"),
            (3, Some(2), Product, "Windows 10"),
            (4, Some(2), Product, "Windows 11"),
            (5, Some(1), ProductFamily, "Office"),
            (6, Some(5), Product, "Windows 11"),
            (7, Some(5), Product, "Office"),
            (8, Some(1), ProductFamily, "Empty"),
        ]
        .map(|(n, within, level, title)| Category {
            id: id(n),
            title: title.to_owned(),
            level,
            within: within.map(id),
            depth: 0,
            chosen: false,
        })
        .to_vec()
    }

    fn find(names: &[&str]) -> Result<(Vec<UpdateId>, Vec<String>), UpstreamError> {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut notes = Vec::new();
        Ok((resolve("product", Some(&names), &known(), &mut notes)?, notes))
    }

    #[test]
    fn a_name_in_any_case_or_an_id_is_found() {
        assert_eq!(find(&["windows 10"]).unwrap().0, [id(3)]);
        assert_eq!(find(&["00000000-0000-0000-0000-000000000007"]).unwrap().0, [id(7)]);
        // One that only the server knows.
        assert_eq!(find(&["00000000-0000-0000-0000-0000000000ff"]).unwrap().0, [id(255)]);
        let mut notes = Vec::new();
        assert_eq!(
            resolve("product", None, &known(), &mut notes).unwrap(),
            [id(3), id(4), id(6), id(7)]
        );
    }

    #[test]
    fn a_family_or_a_company_stands_for_its_products() {
        assert_eq!(find(&["Windows"]).unwrap().0, [id(3), id(4)]);
        assert_eq!(find(&["tidewater"]).unwrap().0, [id(3), id(4), id(6), id(7)]);
        assert_eq!(find(&["Empty"]).unwrap().0, [id(8)]);
    }

    #[test]
    fn a_title_that_several_have_takes_all_and_names_them() {
        let (ids, notes) = find(&["Windows 11"]).unwrap();
        assert_eq!(ids, [id(4), id(6)]);
        assert_eq!(notes.len(), 1);
        assert!(notes[0].contains(&format!("{} (a product of \"Windows\")", id(4))), "{notes:?}");
        // Family and product of one name.
        assert_eq!(find(&["Office"]).unwrap().0, [id(6), id(7)]);
    }

    #[test]
    fn a_wrong_name_is_met_with_what_is_near() {
        let error = |name: &str| find(&[name]).unwrap_err().to_string();
        let part = error("dows 1");
        assert!(part.contains("Windows 10") && !part.contains("Office"), "{part}");
        assert!(part.contains(&format!("Windows 11 ({})", id(4))), "{part}");
        assert!(error("Ofice").contains("Near it are: Office"), "{}", error("Ofice"));
        assert!(error("Linux").contains("It has"), "{}", error("Linux"));
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
