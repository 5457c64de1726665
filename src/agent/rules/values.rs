//! Comparisons of rules.

use std::cmp::Ordering;

use uuid::Uuid;

use crate::agent::tree::Element;

/// `Comparison` of numbers and versions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comparison {
    less: bool,
    equal: bool,
    greater: bool,
}

impl Comparison {
    /// The comparison of a rule; equality when it names none.
    pub(super) fn from_rule(rule: &Element) -> Option<Self> {
        let (less, equal, greater) = match rule.attribute("Comparison").unwrap_or("EqualTo") {
            "LessThan" => (true, false, false),
            "LessThanOrEqualTo" => (true, true, false),
            "EqualTo" => (false, true, false),
            "NotEqualTo" => (true, false, true),
            "GreaterThanOrEqualTo" => (false, true, true),
            "GreaterThan" => (false, false, true),
            _ => return None,
        };
        Some(Self { less, equal, greater })
    }

    /// The machine's value, so ordered against the rule's, fits.
    pub(super) fn fits(self, order: Ordering) -> bool {
        match order {
            Ordering::Less => self.less,
            Ordering::Equal => self.equal,
            Ordering::Greater => self.greater,
        }
    }
}

/// Compares texts without regard to case.
pub(super) fn compare_text(comparison: &str, own: &str, wanted: &str) -> Option<bool> {
    let (own, wanted) = (own.to_lowercase(), wanted.to_lowercase());
    match comparison {
        "EqualTo" => Some(own == wanted),
        "NotEqualTo" => Some(own != wanted),
        "BeginsWith" => Some(own.starts_with(&wanted)),
        "EndsWith" => Some(own.ends_with(&wanted)),
        "Contains" => Some(own.contains(&wanted)),
        _ => None,
    }
}

/// Up to four numbers between dots; missing ones are zero.
pub(super) fn version(text: &str) -> Option<[u64; 4]> {
    let mut parts = [0; 4];
    let mut pieces = text.trim().split('.');
    for part in &mut parts {
        match pieces.next() {
            Some(piece) => *part = piece.parse().ok()?,
            None => break,
        }
    }
    pieces.next().is_none().then_some(parts)
}

/// A GUID with or without braces.
pub(super) fn guid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text.trim().trim_matches(['{', '}'])).ok()
}
