//! Answers whose lists grow with a catalogue: read item by item, so that memory stays flat.

use std::io::{self, BufRead, Read};

use quick_xml::{NsReader, events::Event};

use super::{
    element::Element,
    read::{MessageLimits, ReadError, ReadFailure, Tree},
    source::MessageSource,
};

/// Envelope, body, answer, result, list.
const LIST_LEVEL: usize = 5;

/// Why an answer with lists was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// It ended early or the source failed.
    #[error("receiving the answer failed")]
    Io(#[source] io::Error),
    /// It is over a limit or not well-formed.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Reads a message and hands the children of its lists to `each`, with the name of the list, as soon
/// as they end. A list is an element of this namespace and one of these names that stands where the
/// services put them: in the result of an answer. Returns the rest: lists in it are empty.
///
/// `limits` hold for each item, and for the rest between two items.
///
/// # Errors
/// When the source fails, the message is over a limit or not well-formed, and what `each` returns.
pub fn read_lists<R: BufRead, E: From<ListError>>(
    source: R,
    limits: &MessageLimits,
    namespace: &str,
    lists: &[&str],
    each: &mut dyn FnMut(&str, Element) -> Result<(), E>,
) -> Result<Element, E> {
    let source = MessageSource::new(source).map_err(ListError::Io)?;
    let is_utf16 = source.is_utf16();
    let mut reader = NsReader::from_reader(Budget { source, left: limits.bytes, spent: false });
    reader.config_mut().check_comments = true;
    let mut tree = Tree::new(limits);
    tree.is_utf16 = is_utf16;
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let step = match reader.read_event_into(&mut buffer) {
            Ok(Event::Eof) => break,
            Ok(event) => {
                // The event borrows the buffer, not the reader.
                tree.add(reader.resolver(), event)
            }
            Err(_) if reader.get_mut().spent => Err(ReadFailure::TooLarge("bytes", limits.bytes)),
            Err(quick_xml::Error::Io(error)) => {
                if let Some(what) = reader.get_ref().source.wrong() {
                    let wrong = ReadFailure::Xml(what.to_owned()).at(reader.buffer_position());
                    return Err(ListError::Read(wrong).into());
                }
                let error = io::Error::new(error.kind(), error);
                return Err(ListError::Io(error).into());
            }
            Err(error) => Err(ReadFailure::library(&error)),
        };
        step.map_err(|wrong| ListError::Read(wrong.at(reader.buffer_position())))?;
        if tree.open.len() == LIST_LEVEL
            && let Some(list) = tree.open.last_mut()
            && !list.children.is_empty()
            && *list.namespace == *namespace
            && lists.contains(&&*list.name)
        {
            let name = list.name.clone();
            for item in std::mem::take(&mut list.children) {
                each(&name, item)?;
            }
            tree.elements = 0;
            reader.get_mut().left = limits.bytes;
        }
    }
    let at = reader.buffer_position();
    Ok(tree.finish().map_err(|wrong| ListError::Read(wrong.at(at)))?)
}

/// Gives so many bytes and no more: the reader would hold an endless text.
struct Budget<R> {
    source: R,
    left: usize,
    spent: bool,
}

impl<R: BufRead> Read for Budget<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Budget<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let available = self.source.fill_buf()?;
        if self.left == 0 && !available.is_empty() {
            self.spent = true;
            return Err(io::Error::other("over the limit"));
        }
        Ok(available.get(..self.left).unwrap_or(available))
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount);
        self.source.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::ENVELOPE;

    fn message(list: &str) -> String {
        format!(
            "<s:Envelope xmlns:s=\"{ENVELOPE}\"><s:Body><R xmlns=\"n\"><X><A>a</A><L>{list}</L>\
             <B>b</B></X></R></s:Body></s:Envelope>"
        )
    }

    fn items(
        text: impl AsRef<[u8]>,
        limits: &MessageLimits,
    ) -> Result<(usize, Element), ListError> {
        let mut count = 0;
        // A small buffer: elements cross its border everywhere.
        let source = io::BufReader::with_capacity(7, text.as_ref());
        let rest = read_lists::<_, ListError>(source, limits, "n", &["L"], &mut |list, item| {
            assert_eq!((list, &*item.name, item.text.as_str()), ("L", "I", "<é>"));
            count += 1;
            Ok(())
        })?;
        Ok((count, rest))
    }

    #[test]
    fn items_pass_through_and_the_rest_stays() {
        let limits = MessageLimits { bytes: 200, elements: 10, ..MessageLimits::default() };
        let text = message(&"<I>&lt;é&gt;</I>".repeat(1000));
        let (count, rest) = items(&text, &limits).unwrap();
        assert_eq!(count, 1000, "far more bytes and elements than the limits of one");
        let result = rest.children[0].children[0].child("X").unwrap();
        assert_eq!((result.value("A"), result.value("B")), (Some("a"), Some("b")));
        assert!(result.child("L").unwrap().children.is_empty());
    }

    #[test]
    fn utf16_is_read_item_by_item_and_damaged_utf16_is_refused() {
        let limits = MessageLimits { bytes: 200, elements: 10, ..MessageLimits::default() };
        let list = "<I>&lt;é&gt;</I>".repeat(1000);
        let head = "<?xml version=\"1.0\" encoding=\"utf-16\"?>";
        for unit in [u16::to_le_bytes, u16::to_be_bytes] {
            for text in [message(&list), format!("\u{feff}{head}{}", message(&list))] {
                let mut wide: Vec<u8> = text.encode_utf16().flat_map(unit).collect();
                assert_eq!(items(&wide, &limits).unwrap().0, 1000);
                wide.pop();
                assert!(items(&wide, &limits).is_err());
            }
        }
        let mut half: Vec<u8> = "<a>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        half.extend([0, 0xd8, b'<', 0]);
        let error = items(&half, &limits).unwrap_err().to_string();
        assert!(error.contains("surrogate"), "{error}");
        // Characters of four bytes cross the borders of the buffer too.
        let pairs = format!("<a>{}</a>", "𝄞".repeat(40));
        let wide: Vec<u8> = pairs.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(items(&wide, &limits).unwrap().1.text, "𝄞".repeat(40));
    }

    #[test]
    fn cut_and_endless_messages_are_refused() {
        let limits = MessageLimits { bytes: 200, elements: 10, ..MessageLimits::default() };
        let text = message("<I>&lt;é&gt;</I>");
        for end in 0..text.len() {
            if text.is_char_boundary(end) {
                assert!(items(&text[..end], &limits).is_err(), "cut at {end}");
            }
        }
        let long = message(&format!("<I>{}</I>", "x".repeat(1000)));
        assert!(matches!(
            items(&long, &limits),
            Err(ListError::Read(ReadError::TooLarge { what: "bytes", .. }))
        ));
        let wide = message(&format!("<I>{}</I>", "<a/>".repeat(11)));
        assert!(matches!(items(&wide, &limits), Err(ListError::Read(_))));
    }
}
