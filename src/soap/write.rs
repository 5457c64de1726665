//! Writing XML as the services of WSUS do, in pieces where something larger is put in.

use std::{convert::Infallible, fmt::Display};

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
    text: String,
    empty: &'static str,
}

impl<F> Writer<F> {
    /// Empty elements end in `empty`: `/>` or ` />`.
    pub(super) fn new(empty: &'static str) -> Self {
        Self { done: Vec::new(), text: String::new(), empty }
    }

    /// Writes markup as it is.
    pub(super) fn raw(&mut self, markup: &str) {
        self.text.push_str(markup);
    }

    /// An element with whatever `content` writes.
    pub fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.tag(name, "", content);
    }

    /// An element that sets the default namespace.
    pub fn element_in(&mut self, namespace: &str, name: &str, content: impl FnOnce(&mut Self)) {
        self.tag(name, &format!(" xmlns=\"{}\"", escape_text(namespace)), content);
    }

    /// An element with attributes; those without a value are left out.
    pub fn element_with(
        &mut self,
        name: &str,
        attributes: &[(&str, Option<String>)],
        content: impl FnOnce(&mut Self),
    ) {
        let mut text = String::new();
        for (name, value) in attributes {
            if let Some(value) = value {
                let value = escape_text(value).replace('"', "&quot;");
                let value = value.replace('\n', "&#xA;").replace('\t', "&#x9;");
                text.push_str(&format!(" {name}=\"{value}\""));
            }
        }
        self.tag(name, &text, content);
    }

    fn tag(&mut self, name: &str, attributes: &str, content: impl FnOnce(&mut Self)) {
        self.raw("<");
        self.raw(name);
        self.raw(attributes);
        let (before, pieces) = (self.text.len(), self.done.len());
        self.raw(">");
        content(self);
        if self.done.len() == pieces && self.text.len() == before + 1 {
            self.text.truncate(before);
            self.raw(self.empty);
            return;
        }
        self.raw("</");
        self.raw(name);
        self.raw(">");
    }

    /// An element with a text.
    pub fn value(&mut self, name: &str, value: impl Display) {
        self.element(name, |w| w.text.push_str(&escape_text(&value.to_string())));
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
            let before = std::mem::take(&mut w.text);
            w.done.push(Piece::Text(before));
            w.done.push(Piece::Foreign(text));
        });
    }

    pub(super) fn finish(mut self) -> Vec<Piece<F>> {
        if !self.text.is_empty() {
            self.done.push(Piece::Text(self.text));
        }
        self.done
    }
}

/// Escapes text as WSUS does: `&`, `<` and `>`; quotes stay.
pub fn escape_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // What XML cannot carry must not make the whole answer unreadable.
            '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}' => {
                out.push('\u{fffd}');
            }
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
    out
}
