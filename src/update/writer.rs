//! Writes elements the way agents get them: no prefixes, no declarations but foreign ones, no white
//! space between elements.

use super::{
    namespace::Namespace,
    reader::tag::{Attribute, Tag},
};
use crate::xml::{Escaping, XmlStyle, XmlWriter};

/// As servers write fragments.
const STYLE: XmlStyle = XmlStyle { escaping: Escaping::Wsus, empty: " />" };

/// Collects one fragment.
#[derive(Debug)]
pub(super) struct FragmentWriter<'a> {
    xml: XmlWriter,
    open: Vec<Open<'a>>,
    /// White space since the last tag: whether it stays depends on what follows.
    space: String,
    /// Other text was written since the last tag.
    in_text: bool,
}

/// An element that is not closed yet.
#[derive(Debug)]
struct Open<'a> {
    prefix: &'static str,
    name: &'a str,
    /// The default namespace inside it.
    default: Namespace,
    /// It has elements inside.
    has_elements: bool,
}

impl Default for FragmentWriter<'_> {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl<'a> FragmentWriter<'a> {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            xml: XmlWriter::with_capacity(STYLE, bytes),
            open: Vec::new(),
            space: String::new(),
            in_text: false,
        }
    }

    pub(super) fn start(&mut self, tag: &Tag<'a>) {
        self.start_with(tag, tag.local, tag.attributes.iter().collect());
    }

    /// Starts an element like `tag`, under another name and with some of its attributes.
    pub(super) fn start_with(
        &mut self,
        tag: &Tag<'a>,
        name: &'a str,
        attributes: Vec<&Attribute<'a>>,
    ) {
        self.space.clear();
        self.in_text = false;
        if let Some(parent) = self.open.last_mut() {
            parent.has_elements = true;
        }
        let prefix = tag.namespace.element_prefix();
        self.xml.start(prefix, name);

        // Off-spec: servers keep the declaration of what is not Microsoft's update vocabulary,
        // where the document has it, once. Without it agents could not read component manifests.
        let default = match &tag.namespace {
            Namespace::Foreign(_) => tag.namespace.clone(),
            _ => Namespace::None,
        };
        let inherited = self.open.last().map_or(&Namespace::None, |open| &open.default);
        let declaration = (*inherited != default).then(|| match &default {
            Namespace::Foreign(uri) => &**uri,
            _ => "",
        });
        let place = declaration.map(|_| tag.declared_at.unwrap_or(0).min(attributes.len()));

        for (index, attribute) in attributes.iter().enumerate() {
            if place == Some(index) {
                self.declare(declaration);
            }
            let prefix = if attribute.namespace == Namespace::Xml { "xml:" } else { "" };
            self.xml.attribute(prefix, attribute.local, &attribute.value);
        }
        if place == Some(attributes.len()) {
            self.declare(declaration);
        }
        self.open.push(Open { prefix, name, default, has_elements: false });
    }

    /// A piece of text. Off-spec: servers drop a text of nothing but white space beside elements,
    /// where the document is laid out with line breaks; all other text stays as it is.
    pub(super) fn text(&mut self, text: &str) {
        let is_space = text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        if is_space && !self.in_text {
            self.space.push_str(text);
            return;
        }
        self.in_text = true;
        self.write_space();
        self.xml.text(text);
    }

    pub(super) fn end(&mut self) {
        let Some(open) = self.open.pop() else { return };
        if !open.has_elements {
            self.write_space();
        }
        self.space.clear();
        self.in_text = false;
        self.xml.end(open.prefix, open.name);
    }

    fn write_space(&mut self) {
        if !self.space.is_empty() {
            self.xml.text(&self.space);
            self.space.clear();
        }
    }

    /// The fragment, once all its elements are closed.
    pub(super) fn finish(self) -> String {
        let mut fragment = self.xml.finish();
        fragment.shrink_to_fit();
        fragment
    }

    fn declare(&mut self, namespace: Option<&str>) {
        if let Some(namespace) = namespace {
            self.xml.attribute("", "xmlns", namespace);
        }
    }
}
