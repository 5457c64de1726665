//! Which characters XML 1.0 allows where.

/// The first byte that cannot be part of any XML 1.0 document, by offset.
pub(super) fn first_forbidden(text: &str) -> Option<usize> {
    // Offsets of control bytes and of U+FFFE, U+FFFF, which begin with 0xEF 0xBF.
    text.bytes().enumerate().position(|(at, byte)| match byte {
        b'\t' | b'\n' | b'\r' => false,
        0..0x20 => true,
        0xEF => text.get(at..).is_some_and(|rest| rest.starts_with(['\u{FFFE}', '\u{FFFF}'])),
        _ => false,
    })
}

/// A name without a colon.
pub(super) fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(is_name_start) && characters.all(is_name_character)
}

fn is_name_start(c: char) -> bool {
    matches!(c, 'A'..='Z' | 'a'..='z' | '_'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
        | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}'
        | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn is_name_character(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '0'..='9' | '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}'
            | '\u{203F}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_no_document_may_hold() {
        assert_eq!(first_forbidden("plain\t\r\n \u{FFFD}\u{FEFF}"), None);
        assert_eq!(first_forbidden("ab\u{1}"), Some(2));
        assert_eq!(first_forbidden("é\u{FFFF}"), Some(2));
        assert_eq!(first_forbidden("é\u{FFFE}"), Some(2));
    }

    #[test]
    fn names() {
        for good in ["a", "_x-1.2", "Größe", "b.RegDword"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "1a", "-a", "a b", "a:b", "a\"", "a/", "<"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
