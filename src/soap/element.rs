//! The tree that a message is read into.

use std::sync::Arc;

use super::XSI;

/// An element with everything in it; comments and processing instructions are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its namespace, empty if it has none.
    pub namespace: Arc<str>,
    /// Its name without prefix.
    pub name: Box<str>,
    /// Its attributes without namespace declarations.
    pub attributes: Vec<Attribute>,
    /// All text directly in it, joined.
    pub text: String,
    /// Its child elements.
    pub children: Vec<Element>,
}

/// An attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its namespace, empty if it has none.
    pub namespace: Arc<str>,
    /// Its name without prefix.
    pub name: Box<str>,
    /// Its value, entities resolved.
    pub value: String,
}

impl Element {
    /// Whether it is this one.
    pub fn has_name(&self, namespace: &str, name: &str) -> bool {
        *self.namespace == *namespace && *self.name == *name
    }

    /// The value of an attribute.
    pub fn attribute(&self, namespace: &str, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|a| *a.namespace == *namespace && *a.name == *name)
            .map(|a| a.value.as_str())
    }

    /// `xsi:nil`, whatever its prefix.
    pub fn is_nil(&self) -> bool {
        self.attribute(XSI, "nil").is_some_and(|value| matches!(value.trim(), "true" | "1"))
    }

    /// The first child of this name in a namespace.
    pub fn child_in(&self, namespace: &str, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.has_name(namespace, name))
    }

    /// The first child of this name in the namespace of this element, unless it is nil. Elements of
    /// a message are all in the namespace of its service.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.child_in(&self.namespace, name).filter(|child| !child.is_nil())
    }

    /// All children of this name in the namespace of this element that are not nil.
    pub fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children
            .iter()
            .filter(move |child| child.has_name(&self.namespace, name) && !child.is_nil())
    }

    /// Items of an array: absent, empty and nil are alike.
    pub fn items<'a>(&'a self, list: &'a str, item: &'a str) -> impl Iterator<Item = &'a Self> {
        self.child(list).into_iter().flat_map(move |list| list.children(item))
    }

    /// Text of a child without white space around it; absent, empty and nil are alike.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim()).filter(|text| !text.is_empty())
    }
}
