//! Writing XML as the services of WSUS do, in pieces where something larger is put in.

use std::{borrow::Cow, convert::Infallible, fmt::Display};

use crate::xml::{Escaping, XmlStyle, XmlWriter, push_escaped, text_reference};

/// A part of a written message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<F> {
    /// XML.
    Text(String),
    /// Something that the caller holds elsewhere: the text of an element, escaped already.
    Foreign(F),
}

/// Writes elements; open and closing tags always match.
#[derive(Debug)]
pub struct Writer<F = Infallible> {
    done: Vec<Piece<F>>,
    xml: XmlWriter,
}

impl<F> Writer<F> {
    /// Empty elements end in `empty`: `/>` or ` />`.
    pub(super) fn new(empty: &'static str) -> Self {
        let style = XmlStyle { escaping: Escaping::Wsus, empty };
        Self { done: Vec::new(), xml: XmlWriter::new(style) }
    }

    /// Writes markup as it is.
    pub(super) fn raw(&mut self, markup: &str) {
        self.xml.raw(markup);
    }

    /// An element with whatever `content` writes.
    pub fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.xml.start("", name);
        content(self);
        self.xml.end("", name);
    }

    /// An element that sets the default namespace.
    pub fn element_in(&mut self, namespace: &str, name: &str, content: impl FnOnce(&mut Self)) {
        self.xml.start("", name);
        self.xml.attribute("", "xmlns", namespace);
        content(self);
        self.xml.end("", name);
    }

    /// An element with attributes; those without a value are left out.
    pub fn element_with(
        &mut self,
        name: &str,
        attributes: &[(&str, Option<String>)],
        content: impl FnOnce(&mut Self),
    ) {
        self.xml.start("", name);
        for (name, value) in attributes {
            if let Some(value) = value {
                self.xml.attribute("", name, &readable(value));
            }
        }
        content(self);
        self.xml.end("", name);
    }

    /// An element with a text.
    pub fn value(&mut self, name: &str, value: impl Display) {
        self.element(name, |w| w.xml.text(&readable(&value.to_string())));
    }

    /// An element with a text, if there is one.
    pub fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    /// An element whose text is held elsewhere and escaped already.
    pub fn foreign(&mut self, name: &str, text: F) {
        self.element(name, |w| {
            let before = w.xml.take_written();
            w.done.push(Piece::Text(before));
            w.done.push(Piece::Foreign(text));
        });
    }

    pub(super) fn finish(mut self) -> Vec<Piece<F>> {
        let text = self.xml.finish();
        if !text.is_empty() {
            self.done.push(Piece::Text(text));
        }
        self.done
    }
}

/// Escapes text as WSUS does: `&`, `<` and `>`; quotes stay.
pub fn escape_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    push_escaped(&mut out, &readable(text), text_reference);
    out
}

/// What XML cannot carry becomes U+FFFD: it must not make the whole answer unreadable.
fn readable(text: &str) -> Cow<'_, str> {
    let is_forbidden = |c: char| matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}');
    if text.contains(is_forbidden) {
        Cow::Owned(text.replace(is_forbidden, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}
