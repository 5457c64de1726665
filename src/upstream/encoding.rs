//! Texts that people hand in, as PowerShell and editors of Windows save them: UTF-8 with or without
//! a mark, or UTF-16.

use std::borrow::Cow;

/// In which encoding a text is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16 { little: bool },
}

/// By its byte order mark; without one UTF-16 shows by the zero beside a first ASCII character.
fn encoding_of(start: &[u8]) -> Encoding {
    match start {
        [0xff, 0xfe, ..] | [1..=0x7f, 0, ..] => Encoding::Utf16 { little: true },
        [0xfe, 0xff, ..] | [0, 1..=0x7f, ..] => Encoding::Utf16 { little: false },
        _ => Encoding::Utf8,
    }
}

/// So many bytes may a document have, if it may have so many as UTF-8: UTF-16 takes up to twice as
/// many.
pub(super) fn bytes_allowed(start: &[u8], limit: u64) -> u64 {
    match encoding_of(start) {
        Encoding::Utf8 => limit,
        Encoding::Utf16 { .. } => limit.saturating_mul(2).saturating_add(2),
    }
}

/// The beginning of a text, without a mark; it may be cut within a character. `None` if it is none.
pub(super) fn begin_as_text(start: &[u8]) -> Option<Cow<'_, str>> {
    let text = match encoding_of(start) {
        Encoding::Utf8 => {
            Cow::Borrowed(start.utf8_chunks().next().map_or("", |chunk| chunk.valid()))
        }
        Encoding::Utf16 { little } => {
            let characters = char::decode_utf16(units(start, little));
            Cow::Owned(characters.map_while(Result::ok).collect())
        }
    };
    Some(without_mark(text)).filter(|text| !text.is_empty())
}

/// A whole text as UTF-8, without a mark.
///
/// # Errors
/// What is wrong with it.
pub(super) fn as_text(bytes: Vec<u8>) -> Result<String, &'static str> {
    let text = match encoding_of(&bytes) {
        Encoding::Utf8 => String::from_utf8(bytes).map_err(|_| "it is not UTF-8")?,
        Encoding::Utf16 { .. } if bytes.len() % 2 == 1 => {
            return Err("it is UTF-16, but cut within a character");
        }
        Encoding::Utf16 { little } => char::decode_utf16(units(&bytes, little))
            .collect::<Result<String, _>>()
            .map_err(|_| "it is UTF-16, but with half a character")?,
    };
    Ok(without_mark(Cow::Owned(text)).into_owned())
}

/// An XML document as the catalogue keeps it, UTF-8: what was saved as UTF-16 loses its declaration,
/// which would be untrue. Everything else stays as it is, also what is malformed.
///
/// # Errors
/// As [`as_text`].
pub(super) fn as_document(bytes: Vec<u8>) -> Result<Vec<u8>, &'static str> {
    let is_utf8 = encoding_of(&bytes) == Encoding::Utf8;
    if is_utf8 && !declares_utf16(&bytes) {
        return Ok(bytes);
    }
    let text = as_text(bytes)?;
    let body = match text.split_once("?>") {
        Some((declaration, body)) if declaration.starts_with("<?xml") => body.trim_start(),
        _ => &text,
    };
    Ok(body.as_bytes().to_vec())
}

/// .NET writes this into texts that are then saved as UTF-8.
fn declares_utf16(bytes: &[u8]) -> bool {
    let start = bytes.get(..bytes.len().min(200)).unwrap_or_default();
    let text = begin_as_text(start).unwrap_or_default().to_ascii_lowercase();
    let declaration = text.strip_prefix("<?xml").and_then(|text| text.split_once("?>"));
    declaration.is_some_and(|(declaration, _)| declaration.contains("utf-16"))
}

fn units(bytes: &[u8], little: bool) -> impl Iterator<Item = u16> {
    let (pairs, _) = bytes.as_chunks::<2>();
    pairs.iter().map(move |pair| match little {
        true => u16::from_le_bytes(*pair),
        false => u16::from_be_bytes(*pair),
    })
}

fn without_mark(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_start_matches('\u{feff}')),
        Cow::Owned(text) if text.starts_with('\u{feff}') => {
            Cow::Owned(text.trim_start_matches('\u{feff}').to_owned())
        }
        text => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// UTF-16 in both orders, with and without a mark.
    fn forms(text: &str) -> Vec<Vec<u8>> {
        let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked = format!("\u{feff}{text}");
        vec![little(text), little(&marked), big(text), big(&marked)]
    }

    #[test]
    fn every_form_of_a_document_is_the_same() {
        let body = "<Update é=\"\u{1f600}\"/>";
        let declared = format!("<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n{body}");
        for text in [body, &declared] {
            for form in forms(text) {
                assert_eq!(begin_as_text(&form).unwrap(), text);
                assert_eq!(as_document(form).unwrap(), body.as_bytes());
            }
        }
        assert_eq!(as_document(declared.into_bytes()).unwrap(), body.as_bytes());
        for kept in [
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><a/>",
            "\u{feff}<a>utf-16</a>",
            "<a/>",
            "",
            "<?xml",
        ] {
            assert_eq!(as_document(kept.into()).unwrap(), kept.as_bytes());
        }
    }

    #[test]
    fn broken_texts_are_named() {
        let mut whole = forms("<a/>").remove(1);
        whole.pop();
        assert!(as_document(whole).unwrap_err().contains("cut"));
        assert!(as_document(vec![0xff, 0xfe, b'<', 0, 0, 0xd8]).unwrap_err().contains("half"));
        assert!(as_text(vec![0xc3]).unwrap_err().contains("UTF-8"));
        assert_eq!(begin_as_text(b"\x89PNG"), None);
    }
}
