//! Which encoding a text from outside is in, by its first bytes: UTF-8 or UTF-16. XML 1.0, appendix F

use std::borrow::Cow;

/// Reads a unit of UTF-16.
pub(crate) type UnitReader = fn([u8; 2]) -> u16;

pub(crate) const CUT: &str = "UTF-16 that ends within a character";
pub(crate) const HALF: &str = "UTF-16 with half of a surrogate pair";

/// How UTF-16 is read, if the first bytes say that it is: a byte order mark, or the zero beside a first
/// ASCII character. And how many of the bytes are the mark.
pub(crate) fn utf16(first: &[u8]) -> Option<(UnitReader, usize)> {
    match first {
        [0xff, 0xfe, ..] => Some((u16::from_le_bytes, 2)),
        [0xfe, 0xff, ..] => Some((u16::from_be_bytes, 2)),
        [1..=0x7f, 0, ..] => Some((u16::from_le_bytes, 0)),
        [0, 1..=0x7f, ..] => Some((u16::from_be_bytes, 0)),
        _ => None,
    }
}

/// The units of UTF-16; an odd byte at the end is left.
pub(crate) fn units(bytes: &[u8], unit: UnitReader) -> impl Iterator<Item = u16> {
    bytes.as_chunks::<2>().0.iter().map(move |pair| unit(*pair))
}

/// A text, UTF-8 or UTF-16, or where it is wrong, and what. A mark of UTF-8 stays.
pub(crate) fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, (usize, &'static str)> {
    let Some((unit, mark)) = utf16(bytes) else {
        return std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(|error| (error.valid_up_to(), "neither UTF-8 nor UTF-16"));
    };
    let text = bytes.get(mark..).unwrap_or_default();
    if text.len() % 2 == 1 {
        return Err((bytes.len() - 1, CUT));
    }
    let text: Result<String, _> = char::decode_utf16(units(text, unit)).collect();
    text.map(Cow::Owned).map_err(|_| (0, HALF))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_are_known_with_a_mark_and_without() {
        let wide = |text: &str, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(unit).collect()
        };
        for text in ["<a>Tür 𝄞</a>", "ROOT\\ACPI0001"] {
            for unit in [u16::to_le_bytes, u16::to_be_bytes] {
                for mark in ["", "\u{feff}"] {
                    assert_eq!(decoded(&wide(&format!("{mark}{text}"), unit)).unwrap(), text);
                }
            }
            assert_eq!(decoded(text.as_bytes()).unwrap(), text);
        }
        for utf8 in [&b""[..], b"<", b"\0\0", b"\xff", b"<a"] {
            assert!(utf16(utf8).is_none(), "{utf8:?}");
        }
    }

    #[test]
    fn damaged_texts_are_refused_where_they_are_wrong() {
        assert_eq!(decoded(&[0xff, 0xfe, b'<']), Err((2, CUT)));
        assert_eq!(decoded(&[b'<', 0, 0, 0xd8, b'>', 0]), Err((0, HALF)));
        assert_eq!(decoded(&[b'<', 0xff]), Err((1, "neither UTF-8 nor UTF-16")));
    }
}
