//! Texts that people hand in, as PowerShell and editors of Windows save them: UTF-8 with or without
//! a mark, or UTF-16.

use std::borrow::Cow;

use crate::encoding::{decoded, units, utf16};

/// So many bytes may a document have, if it may have so many as UTF-8: UTF-16 takes up to twice as
/// many.
pub(super) fn bytes_allowed(start: &[u8], limit: u64) -> u64 {
    match utf16(start) {
        None => limit,
        Some(_) => limit.saturating_mul(2).saturating_add(2),
    }
}

/// The beginning of a text, without a mark; it may be cut within a character. `None` if it is none.
pub(super) fn begin_as_text(start: &[u8]) -> Option<Cow<'_, str>> {
    let text = match utf16(start) {
        None => Cow::Borrowed(start.utf8_chunks().next().map_or("", |chunk| chunk.valid())),
        Some((unit, mark)) => {
            let text = start.get(mark..).unwrap_or_default();
            Cow::Owned(char::decode_utf16(units(text, unit)).map_while(Result::ok).collect())
        }
    };
    Some(without_mark(text)).filter(|text| !text.is_empty())
}

/// A whole text as UTF-8, without a mark.
///
/// # Errors
/// What is wrong with it.
pub(super) fn as_text(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    let text = decoded(bytes).map_err(|(at, what)| format!("{what}, at byte {at}"))?;
    Ok(without_mark(text))
}

/// An XML document as the catalogue keeps it, UTF-8: what was saved as UTF-16 loses its declaration,
/// which would be untrue. Everything else stays as it is, also what is malformed.
///
/// # Errors
/// As [`as_text`].
pub(super) fn as_document(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if utf16(&bytes).is_none() && !declares_utf16(&bytes) {
        return Ok(bytes);
    }
    let text = as_text(&bytes)?;
    let body = match text.split_once("?>") {
        Some((declaration, body)) if declaration.starts_with("<?xml") => body.trim_start(),
        _ => &*text,
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
        assert!(as_document(whole).unwrap_err().contains("ends within"));
        assert!(as_document(vec![0xff, 0xfe, b'<', 0, 0, 0xd8]).unwrap_err().contains("half"));
        assert!(as_text(&[0xc3]).unwrap_err().contains("UTF-8"));
        assert_eq!(begin_as_text(b"\x89PNG"), None);
    }
}
