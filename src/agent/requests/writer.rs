//! Writing envelopes as agents write them: no declaration, no white space, prefix `s`, a default
//! namespace on the operation element.

use quick_xml::escape::partial_escape;

use super::super::operation::Operation;
use crate::agent::state::Cookie;

/// An envelope being written.
#[derive(Debug)]
pub(crate) struct EnvelopeWriter {
    text: String,
}

impl EnvelopeWriter {
    /// Writes the whole envelope of `operation`; `body` writes what is inside its element.
    pub(crate) fn envelope(operation: Operation, body: impl FnOnce(&mut Self)) -> String {
        let mut writer = Self { text: String::with_capacity(4096) };
        writer.text.push_str(
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><",
        );
        writer.text.push_str(operation.name());
        writer.text.push_str(" xmlns=\"");
        writer.text.push_str(operation.service().namespace());
        writer.text.push_str("\">");
        body(&mut writer);
        writer.text.push_str("</");
        writer.text.push_str(operation.name());
        writer.text.push_str("></s:Body></s:Envelope>");
        writer.text
    }

    /// An element with elements inside.
    pub(crate) fn within(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
        inside(self);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// An element with text; without text, an empty-element tag.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            self.text.push_str(&format!("<{name}/>"));
        } else {
            self.text.push_str(&format!("<{name}>{}</{name}>", partial_escape(value)));
        }
    }

    /// An element with whatever prints as its value.
    pub(crate) fn value(&mut self, name: &str, value: impl std::fmt::Display) {
        self.text(name, &value.to_string());
    }

    /// An array; left out when there is nothing in it.
    pub(crate) fn array<T: std::fmt::Display>(
        &mut self,
        name: &str,
        item: &str,
        values: impl IntoIterator<Item = T>,
    ) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_some() {
            self.within(name, |inside| values.for_each(|value| inside.value(item, value)));
        }
    }

    /// A nil element in the shape that agents send.
    pub(crate) fn nil(&mut self, name: &str) {
        self.text.push_str(&format!(
            "<{name} a:nil=\"true\" xmlns:a=\"http://www.w3.org/2001/XMLSchema-instance\"/>"
        ));
    }

    /// A cookie.
    pub(crate) fn cookie(&mut self, name: &str, cookie: Option<&Cookie>) {
        if let Some(cookie) = cookie {
            self.within(name, |inside| {
                inside.text("Expiration", &cookie.expiration);
                inside.text("EncryptedData", &cookie.data);
            });
        }
    }
}
