//! Patterns for titles: `*` stands for any text, `?` for any one character; letter case does not
//! matter. The whole title has to match.

use serde::{Deserialize, Serialize};

/// A pattern for titles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Glob(String);

impl Glob {
    /// A pattern as people write it.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the whole text matches.
    pub fn matches(&self, text: &str) -> bool {
        let (pattern, text) = (folded(&self.0), folded(text));
        // The last star can be made to stand for one character more; earlier ones need not be
        // looked at again. So the time is at most the product of the lengths.
        let (mut p, mut t) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while let Some(have) = text.get(t) {
            match pattern.get(p) {
                Some('*') => {
                    star = Some((p, t));
                    p += 1;
                }
                Some(want) if *want == '?' || want == have => {
                    p += 1;
                    t += 1;
                }
                _ => match star {
                    Some((at, from)) => {
                        star = Some((at, from + 1));
                        p = at + 1;
                        t = from + 1;
                    }
                    None => return false,
                },
            }
        }
        pattern.iter().skip(p).all(|rest| *rest == '*')
    }
}

fn folded(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_titles_in_any_case() {
        let yes = [
            ("*", ""),
            ("", ""),
            ("*windows 11*", "2026-01 Cumulative Update for Windows 11 Version 25H2"),
            ("????-?? *", "2026-01 Update"),
            ("*a*b*c", "xxaxxbxxbxxc"),
            ("über*", "ÜBERSICHT"),
            ("a*a", "aa"),
        ];
        for (pattern, text) in yes {
            assert!(Glob::new(pattern).matches(text), "{pattern:?} {text:?}");
        }
        let no = [
            ("windows", "windows 11"),
            ("?", ""),
            ("a*a", "a"),
            ("*preview", "Preview of Quality Rollup"),
            ("*a*b*c", "xxaxxcxxb"),
            ("", "x"),
        ];
        for (pattern, text) in no {
            assert!(!Glob::new(pattern).matches(text), "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn many_stars_take_no_longer_than_the_product_of_the_lengths() {
        let pattern = "a*".repeat(2_000) + "b";
        assert!(!Glob::new(pattern).matches(&"a".repeat(4_000)));
    }

    /// Against the definition, on all short patterns and texts.
    #[test]
    fn every_short_pattern_means_what_it_says() {
        fn means(pattern: &[char], text: &[char]) -> bool {
            match (pattern, text) {
                ([], []) => true,
                (['*', rest @ ..], text) => {
                    (0..=text.len()).any(|taken| means(rest, &text[taken..]))
                }
                (['?', rest @ ..], [_, more @ ..]) => means(rest, more),
                ([a, rest @ ..], [b, more @ ..]) => a == b && means(rest, more),
                _ => false,
            }
        }
        fn words(alphabet: &[char], longest: usize) -> Vec<String> {
            let mut all = vec![String::new()];
            let mut last = all.clone();
            for _ in 0..longest {
                last = last
                    .iter()
                    .flat_map(|word| alphabet.iter().map(move |c| format!("{word}{c}")))
                    .collect();
                all.extend(last.iter().cloned());
            }
            all
        }
        let texts = words(&['a', 'b'], 5);
        for pattern in words(&['a', 'b', '*', '?'], 4) {
            let chars: Vec<char> = pattern.chars().collect();
            for text in &texts {
                let letters: Vec<char> = text.chars().collect();
                assert_eq!(
                    Glob::new(&pattern).matches(text),
                    means(&chars, &letters),
                    "{pattern:?} {text:?}"
                );
            }
        }
    }
}
