//! Typed access to the elements of a request; what is wrong is named by its path.

use std::str::FromStr;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::fault::ProtocolFault;
use crate::{
    soap::Element,
    update::{UpdateId, UpdateIdentity},
};

type Result<T> = std::result::Result<T, ProtocolFault>;

/// An element and where it stands.
pub(super) struct Fields<'a> {
    element: &'a Element,
    path: String,
}

impl<'a> Fields<'a> {
    /// The operation itself; its children are named without a path.
    pub(super) fn new(operation: &'a Element) -> Self {
        Self { element: operation, path: String::new() }
    }

    fn wrong(&self, name: &str) -> ProtocolFault {
        ProtocolFault::invalid(format!("{}{name}", self.path))
    }

    /// A child with children of its own.
    pub(super) fn within(&self, name: &str) -> Result<Self> {
        self.maybe_within(name).ok_or_else(|| self.wrong(name))
    }

    pub(super) fn maybe_within(&self, name: &str) -> Option<Self> {
        let element = self.element.child(name)?;
        Some(Self { element, path: format!("{}{name}.", self.path) })
    }

    /// Items of an array that have children of their own; at most `most`.
    pub(super) fn each_within(
        &self,
        list: &'static str,
        item: &'static str,
        most: usize,
    ) -> Result<Vec<Self>> {
        let within: Vec<_> = self
            .element
            .items(list, item)
            .map(|element| Self { element, path: format!("{}{list}.", self.path) })
            .collect();
        if within.len() > most {
            return Err(self.wrong(list));
        }
        Ok(within)
    }

    /// A text that must be there.
    pub(super) fn text(&self, name: &str) -> Result<&'a str> {
        self.element.value(name).ok_or_else(|| self.wrong(name))
    }

    /// A text that may be there.
    pub(super) fn maybe_text(&self, name: &str) -> Option<&'a str> {
        self.element.value(name)
    }

    /// A text that must be there, with the white space around it.
    pub(super) fn raw_text(&self, name: &str) -> Result<&'a str> {
        let child = self.element.child(name).filter(|child| !child.text.is_empty());
        child.map(|child| child.text.as_str()).ok_or_else(|| self.wrong(name))
    }

    /// A value that must be there.
    pub(super) fn get<T: FromStr>(&self, name: &str) -> Result<T> {
        self.maybe(name)?.ok_or_else(|| self.wrong(name))
    }

    /// A value that may be there, but not be malformed.
    pub(super) fn maybe<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        self.element.value(name).map(|text| text.parse().map_err(|_| self.wrong(name))).transpose()
    }

    /// A boolean; absent is false.
    pub(super) fn flag(&self, name: &str) -> Result<bool> {
        match self.element.value(name) {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(self.wrong(name)),
        }
    }

    /// The text of an attribute without white space around it; absent and empty are alike.
    pub(super) fn attribute_text(&self, name: &str) -> Option<&'a str> {
        self.element.attribute("", name).map(str::trim).filter(|text| !text.is_empty())
    }

    /// The value of an attribute that must be there.
    pub(super) fn attribute<T: FromStr>(&self, name: &str) -> Result<T> {
        let parsed = self.attribute_text(name).and_then(|text| text.parse().ok());
        parsed.ok_or_else(|| self.wrong(name))
    }

    /// Values of an array; at most `most`.
    pub(super) fn list<T: FromStr>(
        &self,
        list: &'static str,
        item: &'static str,
        most: usize,
    ) -> Result<Vec<T>> {
        let mut out = Vec::new();
        for element in self.element.items(list, item) {
            if out.len() == most {
                return Err(self.wrong(list));
            }
            out.push(element.text.trim().parse().map_err(|_| self.wrong(list))?);
        }
        Ok(out)
    }

    /// Whether a child is there and holds anything.
    pub(super) fn has(&self, name: &str) -> bool {
        self.element.child(name).is_some_and(|child| !child.children.is_empty())
    }

    /// `UpdateIdentity`: `UpdateID` and `RevisionNumber`.
    pub(super) fn identity(&self) -> Result<UpdateIdentity> {
        Ok(UpdateIdentity {
            id: self.update_id("UpdateID")?,
            revision: self.get("RevisionNumber")?,
        })
    }

    /// A GUID in any letter case.
    pub(super) fn update_id(&self, name: &str) -> Result<UpdateId> {
        self.get(name)
    }

    /// Base64 with white space anywhere; `None` if the child is absent or empty.
    pub(super) fn base64(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.element
            .value(name)
            .map(|text| base64(text).ok_or_else(|| self.wrong(name)))
            .transpose()
    }

    /// Base64 items of an array; at most `most`.
    pub(super) fn base64_list(
        &self,
        list: &'static str,
        item: &'static str,
        most: usize,
    ) -> Result<Vec<Vec<u8>>> {
        let texts: Vec<_> = self.element.items(list, item).take(most + 1).collect();
        if texts.len() > most {
            return Err(self.wrong(list));
        }
        texts.iter().map(|item| base64(&item.text).ok_or_else(|| self.wrong(list))).collect()
    }
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let bytes: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    STANDARD.decode(bytes).ok()
}
