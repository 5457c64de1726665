//! Which encoding a message is in, by its first bytes: UTF-8 or UTF-16. XML 1.0, appendix F

use std::borrow::Cow;

type ToUnit = fn([u8; 2]) -> u16;

/// The text of a message, or where it is wrong, and what. UTF-16 is known by its byte order mark, or by the `<` that it begins with.
pub(super) fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, (usize, &'static str)> {
    let (rest, unit): (&[u8], ToUnit) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        [b'<', 0, ..] => (bytes, u16::from_le_bytes),
        [0, b'<', ..] => (bytes, u16::from_be_bytes),
        _ => {
            return std::str::from_utf8(bytes)
                .map(Cow::Borrowed)
                .map_err(|error| (error.valid_up_to(), "neither UTF-8 nor UTF-16"));
        }
    };
    let (pairs, odd) = rest.as_chunks::<2>();
    if !odd.is_empty() {
        return Err((bytes.len() - 1, "UTF-16 that ends within a character"));
    }
    let text: Result<String, _> =
        char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect();
    text.map(Cow::Owned).map_err(|_| (0, "UTF-16 with half of a surrogate pair"))
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
