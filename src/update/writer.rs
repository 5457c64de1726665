//! Writes elements the way agents get them: no prefixes, no declarations but foreign ones.

use super::{
    characters::{push_attribute_value, push_text},
    namespace::Namespace,
    reader::tag::{Attribute, Tag},
};

/// Collects one fragment.
#[derive(Debug, Default)]
pub(super) struct FragmentWriter<'a> {
    out: String,
    open: Vec<Open<'a>>,
    /// The start tag written last still lacks its `>`, in case it becomes an empty element.
    pending: bool,
}

/// An element that is not closed yet.
#[derive(Debug)]
struct Open<'a> {
    prefix: &'static str,
    name: &'a str,
    /// The default namespace inside it.
    default: Namespace,
}

impl<'a> FragmentWriter<'a> {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { out: String::with_capacity(bytes), ..Self::default() }
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
        self.close_pending();
        let prefix = tag.namespace.element_prefix();
        self.out.push('<');
        self.out.push_str(prefix);
        self.out.push_str(name);

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
                push_declaration(&mut self.out, declaration);
            }
            self.out.push(' ');
            if attribute.namespace == Namespace::Xml {
                self.out.push_str("xml:");
            }
            self.out.push_str(attribute.local);
            self.out.push_str("=\"");
            push_attribute_value(&mut self.out, &attribute.value);
            self.out.push('"');
        }
        if place == Some(attributes.len()) {
            push_declaration(&mut self.out, declaration);
        }
        self.open.push(Open { prefix, name, default });
        self.pending = true;
    }

    pub(super) fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.close_pending();
            push_text(&mut self.out, text);
        }
    }

    pub(super) fn end(&mut self) {
        let Some(open) = self.open.pop() else { return };
        if self.pending {
            self.out.push_str(" />");
            self.pending = false;
        } else {
            self.out.push_str("</");
            self.out.push_str(open.prefix);
            self.out.push_str(open.name);
            self.out.push('>');
        }
    }

    /// The fragment, once all its elements are closed.
    pub(super) fn finish(mut self) -> String {
        self.out.shrink_to_fit();
        self.out
    }

    fn close_pending(&mut self) {
        if self.pending {
            self.out.push('>');
            self.pending = false;
        }
    }
}

fn push_declaration(out: &mut String, uri: Option<&str>) {
    if let Some(uri) = uri {
        out.push_str(" xmlns=\"");
        push_attribute_value(out, uri);
        out.push('"');
    }
}
