//! Numbers of KB articles.

/// The number of a KB article as the catalogue keeps it: `KB5031234`, `kb 5031234` and `5031234` are
/// the same article. What follows `KB` is not checked.
pub fn kb_number(text: &str) -> &str {
    let text = text.trim();
    match text.split_at_checked(2) {
        Some((kb, number)) if kb.eq_ignore_ascii_case("kb") => number.trim_start(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_article_has_one_number() {
        for text in ["KB5031234", "kb 5031234", "5031234", " Kb5031234\n"] {
            assert_eq!(kb_number(text), "5031234", "{text:?}");
        }
        assert_eq!(kb_number("KB"), "");
        assert_eq!(kb_number("ä"), "ä");
    }
}
