//! Which encoding a message is in, by its first bytes: UTF-8 or UTF-16. XML 1.0, appendix F

use std::borrow::Cow;

/// Reads a unit of UTF-16.
pub(super) type UnitReader = fn([u8; 2]) -> u16;

pub(super) const CUT: &str = "UTF-16 that ends within a character";
pub(super) const HALF: &str = "UTF-16 with half of a surrogate pair";

/// How UTF-16 is read, if the first bytes say that it is: a byte order mark, or the `<` that a message
/// begins with. And how many of the bytes are the mark.
pub(super) fn utf16(first: &[u8]) -> Option<(UnitReader, usize)> {
    match first {
        [0xff, 0xfe, ..] => Some((u16::from_le_bytes, 2)),
        [0xfe, 0xff, ..] => Some((u16::from_be_bytes, 2)),
        [b'<', 0, ..] => Some((u16::from_le_bytes, 0)),
        [0, b'<', ..] => Some((u16::from_be_bytes, 0)),
        _ => None,
    }
}

/// The text of a message, UTF-8 or UTF-16, or where it is wrong, and what.
pub(crate) fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, (usize, &'static str)> {
    let Some((unit, mark)) = utf16(bytes) else {
        return std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(|error| (error.valid_up_to(), "neither UTF-8 nor UTF-16"));
    };
    let (pairs, odd) = bytes.get(mark..).unwrap_or_default().as_chunks::<2>();
    if !odd.is_empty() {
        return Err((bytes.len() - 1, CUT));
    }
    let text: Result<String, _> =
        char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect();
    text.map(Cow::Owned).map_err(|_| (0, HALF))
}

#[cfg(test)]
mod tests {
    use crate::soap::{MessageLimits, read};

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn utf16_of_both_orders_is_read_with_mark_and_without() {
        for text in ["<a>Tür 𝄞</a>", "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a>Tür 𝄞</a>"]
        {
            for unit in [u16::to_le_bytes, u16::to_be_bytes] {
                for mark in ["", "\u{feff}"] {
                    let bytes = utf16(&format!("{mark}{text}"), unit);
                    let root = read(&bytes, &MessageLimits::default()).unwrap();
                    assert_eq!(root.text, "Tür 𝄞");
                }
            }
        }
    }

    #[test]
    fn damaged_utf16_is_refused_in_words() {
        for (bytes, why) in [
            (&[0xff, 0xfe, b'<'][..], "ends within a character"),
            (&[b'<', 0, 0, 0xd8, b'>', 0], "surrogate"),
            (&[b'<', 0xff], "neither UTF-8 nor UTF-16"),
        ] {
            let error = read(bytes, &MessageLimits::default()).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn no_library_speaks() {
        let names: String =
            (0..40).map(|at| format!("<a xmlns:p{at}=\"u\" xmlns:q{at}=\"u\">")).collect();
        for xml in [
            names.as_str(),
            "<a></b>",
            "</a>",
            "<a",
            "<a b='1' b='2'/>",
            "<a>&#xzz;</a>",
            "<xml:a xmlns:xml='u'/>",
        ] {
            let error = read(xml.as_bytes(), &MessageLimits { depth: 99, ..Default::default() });
            let error = error.unwrap_err().to_string();
            assert!(
                !error.contains("::") && !error.contains('`') && !error.contains('_'),
                "{error}"
            );
        }
        let many: String = (0..31).map(|at| format!(" xmlns:p{at}=\"u\"")).collect();
        let many = format!("<a{many}>").repeat(20);
        let error = read(many.as_bytes(), &MessageLimits::default()).unwrap_err().to_string();
        assert!(error.contains("too many namespace declarations"), "{error}");
    }
}
