//! The form of published documents: everything is escaped, nothing is indented, as the field's
//! documents are.

use crate::xml::{Escaping, XmlStyle, XmlWriter};

/// As the publishing tools of the field write.
const STYLE: XmlStyle = XmlStyle { escaping: Escaping::Predefined, empty: " />" };

/// XML in the making. Namespaces are declared by whoever opens the root.
pub(super) struct Xml(XmlWriter);

impl Default for Xml {
    fn default() -> Self {
        Self(XmlWriter::new(STYLE))
    }
}

impl Xml {
    /// `<name a="b">`
    pub(super) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.start(name, attributes);
        self.0.end_start_tag();
        self
    }

    /// `<name a="b" />`
    pub(super) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.start(name, attributes);
        self.close(name)
    }

    /// `</name>`
    pub(super) fn close(&mut self, name: &str) -> &mut Self {
        self.0.end("", name);
        self
    }

    /// `<name>text</name>`
    pub(super) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.open(name, &[]);
        self.0.text(text);
        self.close(name)
    }

    /// What is XML already.
    pub(super) fn raw(&mut self, xml: &str) -> &mut Self {
        self.0.raw(xml);
        self
    }

    /// All of it.
    pub(super) fn finish(self) -> String {
        self.0.finish()
    }

    fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.0.start("", name);
        for (attribute, value) in attributes {
            self.0.attribute("", attribute, value);
        }
    }
}
