//! What a walk over a document meets.

use std::borrow::Cow;

use crate::update::namespace::Namespace;

/// What a walk meets. Comments and processing instructions carry nothing and are passed over; CDATA
/// and references arrive as text.
#[derive(Debug)]
pub(in crate::update) enum Event<'a> {
    Start(Tag<'a>),
    Text(Cow<'a, str>),
    End,
}

/// A start tag, its names resolved.
#[derive(Debug)]
pub(in crate::update) struct Tag<'a> {
    pub(in crate::update) namespace: Namespace,
    pub(in crate::update) local: &'a str,
    /// In document order, without declarations.
    pub(in crate::update) attributes: Vec<Attribute<'a>>,
    /// Where among the attributes the element's own namespace was declared, if here.
    pub(in crate::update) declared_at: Option<usize>,
}

/// An attribute, its value normalized.
#[derive(Debug)]
pub(in crate::update) struct Attribute<'a> {
    pub(in crate::update) namespace: Namespace,
    pub(in crate::update) local: &'a str,
    pub(in crate::update) value: Cow<'a, str>,
}

impl<'a> Tag<'a> {
    /// The value of an attribute without a namespace.
    pub(in crate::update) fn attribute(&self, local: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.namespace == Namespace::None && attribute.local == local)
            .map(|attribute| &*attribute.value)
    }
}
