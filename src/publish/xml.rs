//! Writing XML: everything is escaped, nothing is indented, as the field's documents are.

use std::fmt::Write as _;

use quick_xml::escape::escape;

/// XML in the making. Namespaces are declared by whoever opens the root.
#[derive(Default)]
pub(super) struct Xml(String);

impl Xml {
    /// `<name a="b">`
    pub(super) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.tag(name, attributes, ">")
    }

    /// `<name a="b" />`
    pub(super) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) -> &mut Self {
        self.tag(name, attributes, " />")
    }

    /// `</name>`
    pub(super) fn close(&mut self, name: &str) -> &mut Self {
        let _ = write!(self.0, "</{name}>");
        self
    }

    /// `<name>text</name>`
    pub(super) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.open(name, &[]);
        self.0.push_str(&escape(text));
        self.close(name)
    }

    /// What is XML already.
    pub(super) fn raw(&mut self, xml: &str) -> &mut Self {
        self.0.push_str(xml);
        self
    }

    /// All of it.
    pub(super) fn finish(self) -> String {
        self.0
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)], end: &str) -> &mut Self {
        self.0.push('<');
        self.0.push_str(name);
        for (attribute, value) in attributes {
            let _ = write!(self.0, " {attribute}=\"{}\"", escape(*value));
        }
        self.0.push_str(end);
        self
    }
}
