//! Counted nouns for outcomes and texts, and lists for the journal.

use serde::Serialize;
use serde_json::{Value, json};

/// `1 update`, `2 updates`, `2 categories`, `2 days`.
pub fn count(n: u64, thing: &str) -> String {
    if n == 1 {
        return format!("1 {thing}");
    }
    match thing.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{n} {stem}ies"),
        _ => format!("{n} {thing}s"),
    }
}

/// So many things of a list are named in an entry of the journal.
const NAMED: usize = 50;

/// A list for an entry of the journal: how many there are, and the first of them.
pub(super) fn listed<T: Serialize>(things: impl IntoIterator<Item = T>) -> Value {
    let mut things = things.into_iter();
    let first: Vec<Value> = things.by_ref().take(NAMED).map(|thing| json!(thing)).collect();
    json!({ "count": first.len() + things.count(), "first": first })
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn things_are_counted_in_english() {
        assert_eq!(count(1, "category"), "1 category");
        assert_eq!(count(2, "category"), "2 categories");
        assert_eq!(count(0, "day"), "0 days");
        assert_eq!(count(3, "update"), "3 updates");
    }
}
