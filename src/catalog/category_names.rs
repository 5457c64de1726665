//! Categories by the names that people type: one rule for `sync --products` and for approval rules.
//! White space around a title does not count (some documents have line breaks there), nor does letter
//! case.

use std::collections::BTreeSet;

use super::categories::NamedCategory;
use crate::update::UpdateId;

/// So many titles are suggested.
const SUGGESTIONS: usize = 20;

/// A title as it is compared.
fn comparable(title: &str) -> String {
    title.trim().to_lowercase()
}

/// Whether two titles name the same.
pub fn same_title(one: &str, other: &str) -> bool {
    comparable(one) == comparable(other)
}

/// How far a title is from a name that was perhaps mistyped: 0 if it holds the name, else the number
/// of letters to change; `None` if it is too far to have been meant.
pub fn title_distance(name: &str, title: &str) -> Option<usize> {
    let (name, title) = (comparable(name), comparable(title));
    if !name.is_empty() && title.contains(&name) {
        return Some(0);
    }
    let steps = strsim::levenshtein(&name, &title);
    (steps <= name.chars().count() / 4 + 1).then_some(steps)
}

/// The categories that a name means: all of that title (several may have the same), or the one with
/// that id. An id may be one that is not known yet.
pub fn named(name: &str, categories: &[NamedCategory]) -> BTreeSet<UpdateId> {
    let id = comparable(name).parse::<UpdateId>().ok();
    let mut ids: BTreeSet<UpdateId> = categories
        .iter()
        .filter(|category| same_title(&category.title, name) || Some(category.id) == id)
        .map(|category| category.id)
        .collect();
    if ids.is_empty() {
        ids.extend(id);
    }
    ids
}

/// Titles that may have been meant, the nearest first; if there are none, all. The first 20.
pub fn near(name: &str, categories: &[NamedCategory]) -> String {
    let mut near: Vec<(usize, &str)> = categories
        .iter()
        .filter_map(|category| {
            Some((title_distance(name, &category.title)?, category.title.trim()))
        })
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    let titles: Vec<&str> = match near.is_empty() {
        true => categories.iter().map(|category| category.title.trim()).collect(),
        false => near.into_iter().map(|(_, title)| title).collect(),
    };
    let more = if titles.len() > SUGGESTIONS { ", …" } else { "" };
    let first: Vec<_> = titles.into_iter().take(SUGGESTIONS).collect();
    format!("{}{more}", first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_every_category_of_that_title_or_an_id() {
        let categories =
            [(1, "Windows 10"), (2, "Windows 11"), (3, "\n\t Windows 11\n"), (4, "Office")].map(
                |(n, title)| NamedCategory {
                    id: UpdateId(uuid::Uuid::from_u128(n)),
                    title: title.to_owned(),
                },
            );
        let find = |name: &str| -> Vec<u128> {
            named(name, &categories).into_iter().map(|id| id.0.as_u128()).collect()
        };
        assert_eq!(find(" windows 11"), [2, 3]);
        assert_eq!(find("00000000-0000-0000-0000-000000000004"), [4]);
        assert_eq!(find("00000000-0000-0000-0000-000000000009"), [9]);
        assert_eq!(find("Windows"), []);
        assert_eq!(near("dows 10", &categories), "Windows 10");
        assert_eq!(near("Ofice", &categories), "Office");
        assert_eq!(near("Linux", &categories), "Windows 10, Windows 11, Windows 11, Office");
    }

    #[test]
    fn a_mistyped_name_is_a_few_letters_away() {
        assert_eq!(title_distance("dows 1", "Windows 10"), Some(0));
        assert_eq!(title_distance("Ofice", " Office\n"), Some(1));
        assert_eq!(title_distance("Linux", "Office"), None);
        assert_eq!(title_distance("", "Windows"), None);
    }
}
