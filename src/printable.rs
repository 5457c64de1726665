//! Text from outside, fit for a terminal: it colours nothing, hides nothing and forges no line.

/// The text on one line: white space becomes a space, and whatever acts on a terminal (control codes,
/// also C1) or changes the direction of what follows becomes U+FFFD.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if is_break(c) { ' ' } else { harmless(c) }).collect()
}

/// The same for a whole text of our own, whose lines stay.
pub fn printable_lines(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { harmless(c) }).collect()
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn harmless(c: char) -> char {
    if c.is_control() || changes_direction(c) || is_break(c) { '\u{fffd}' } else { c }
}

/// Marks, embeddings, overrides and isolates of the bidirectional algorithm (Unicode UAX #9).
fn changes_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_the_terminal() {
        assert_eq!(printable("Update für 64-bit (KB1), 更新"), "Update für 64-bit (KB1), 更新");
        assert_eq!(
            printable("a\u{1b}[31mred\u{9b}31m\u{7}"),
            "a\u{fffd}[31mred\u{fffd}31m\u{fffd}"
        );
        assert_eq!(printable("one\nforged: line\r\n\ttwo"), "one forged: line   two");
        assert_eq!(
            printable("a\u{202e}exe.fdp\u{2066}\u{200f}"),
            "a\u{fffd}exe.fdp\u{fffd}\u{fffd}"
        );
        assert_eq!(printable("a\u{2028}b\u{85}c"), "a b c");
    }

    #[test]
    fn lines_of_our_own_stay() {
        assert_eq!(printable_lines("one\ntwo\u{1b}[2J\n"), "one\ntwo\u{fffd}[2J\n");
        assert_eq!(printable_lines("a\u{2028}b\u{85}c"), "a\u{fffd}b\u{fffd}c");
    }
}
