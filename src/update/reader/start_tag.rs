//! Start tags: attributes, namespace declarations, and the names that they resolve.

use std::borrow::Cow;

use quick_xml::{XmlVersion, errors::Error as XmlError, events::attributes::Attributes};

use super::{
    Reader, shortened,
    tag::{Attribute, Tag},
};
use crate::update::{
    characters::{first_forbidden, is_name},
    error::DocumentError,
    namespace::{Namespace, XML, XMLNS},
};
use crate::xml::what_is_wrong;

/// Attributes of one element, declarations included. Real ones have under twenty.
const MAX_ATTRIBUTES: usize = 256;
/// Declarations in force at one place. Real documents have under ten.
const MAX_BINDINGS: usize = 1024;

impl<'a> Reader<'a> {
    /// Reads the start tag that the parser met last.
    pub(super) fn start(&mut self) -> Result<Tag<'a>, DocumentError> {
        if self.depth == 0 && self.seen_root {
            return Err(self.malformed(self.event_at, "a second root element"));
        }
        self.seen_root = true;
        if self.depth == self.max_depth {
            let what = format!("elements nest deeper than {}", self.max_depth);
            return Err(self.malformed(self.event_at, what));
        }
        self.depth += 1;

        // The tag without its brackets. The parser's own event would not outlive this call.
        let end = self.offset();
        let content = self.text.get(self.event_at + 1..end.saturating_sub(1)).unwrap_or_default();
        let content = content.strip_suffix('/').unwrap_or(content);
        let name_length = content.find([' ', '\t', '\r', '\n']).unwrap_or(content.len());
        let (name, _) = content.split_at(name_length);

        let (prefix, local) = self.split(name, self.event_at + 1)?;
        let mut raw: Vec<(usize, &'a str, &'a str, Cow<'a, str>)> = Vec::new();
        let mut own_declarations: Vec<(&'a str, usize)> = Vec::new();
        for (count, attribute) in Attributes::new(content, name_length).enumerate() {
            let attribute = attribute.map_err(|error| self.bad_attribute(&error))?;
            let key = attribute.key.0;
            let at = self.offset_of(key);
            if count == MAX_ATTRIBUTES {
                let what = format!("more than {MAX_ATTRIBUTES} attributes on one element");
                return Err(self.malformed(at, what));
            }
            if !self.text.as_bytes().get(at - 1).is_some_and(u8::is_ascii_whitespace) {
                return Err(self.malformed(at, "no white space before an attribute"));
            }
            let value = self.value(&attribute.value, at)?;
            let declared = match self.split(key, at)? {
                ("", "xmlns") => "",
                ("xmlns", declared) => declared,
                (prefix, local) => {
                    raw.push((at, prefix, local, value));
                    continue;
                }
            };
            self.declare(declared, &value, at)?;
            own_declarations.push((declared, raw.len()));
        }

        let namespace = self.resolve(prefix, self.event_at + 1)?;
        let declared_at = own_declarations
            .iter()
            .find(|(declared, _)| *declared == prefix)
            .or_else(|| {
                own_declarations
                    .iter()
                    .find(|(other, _)| self.scope.resolve(other).as_ref() == Some(&namespace))
            })
            .map(|(_, at)| *at);
        Ok(Tag { namespace, local, attributes: self.attributes(raw)?, declared_at })
    }

    fn attributes(
        &self,
        raw: Vec<(usize, &'a str, &'a str, Cow<'a, str>)>,
    ) -> Result<Vec<Attribute<'a>>, DocumentError> {
        let mut attributes: Vec<Attribute<'a>> = Vec::with_capacity(raw.len());
        let mut any_prefix = false;
        for (at, prefix, local, value) in raw {
            // An attribute without a prefix is in no namespace, whatever the default is.
            let namespace = match prefix {
                "" => Namespace::None,
                _ => self.resolve(prefix, at)?,
            };
            any_prefix |= !prefix.is_empty();
            // Without prefixes the parser has seen to it. With them, two may mean the same, or
            // become the same once the prefixes are gone from the fragments.
            let xml = namespace == Namespace::Xml;
            if any_prefix
                && attributes
                    .iter()
                    .any(|other| other.local == local && (other.namespace == Namespace::Xml) == xml)
            {
                let what = format!("two attributes named `{local}`, apart from their prefixes");
                return Err(self.malformed(at, what));
            }
            attributes.push(Attribute { namespace, local, value });
        }
        Ok(attributes)
    }

    fn declare(&mut self, prefix: &'a str, uri: &str, at: usize) -> Result<(), DocumentError> {
        if self.scope.len() == MAX_BINDINGS {
            let what = format!("more than {MAX_BINDINGS} namespace declarations in force");
            return Err(self.malformed(at, what));
        }
        let wrong = match prefix {
            "xmlns" => true,
            "xml" => uri != XML,
            "" => uri == XML || uri == XMLNS,
            _ => uri.is_empty() || uri == XML || uri == XMLNS,
        };
        if wrong {
            return Err(self.malformed(at, "a namespace declaration that XML does not allow"));
        }
        self.scope.bind(self.depth, prefix, Namespace::from_uri(uri));
        Ok(())
    }

    fn resolve(&self, prefix: &str, at: usize) -> Result<Namespace, DocumentError> {
        self.scope
            .resolve(prefix)
            .ok_or_else(|| self.malformed(at, format!("prefix `{prefix}` is not bound")))
    }

    fn split(&self, name: &'a str, at: usize) -> Result<(&'a str, &'a str), DocumentError> {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let prefixed = local.len() < name.len();
        if !is_name(local) || (prefixed && !is_name(prefix)) {
            return Err(self.malformed(at, format!("`{}` is not a name", shortened(name))));
        }
        Ok((prefix, local))
    }

    fn value(&self, raw: &Cow<'a, str>, at: usize) -> Result<Cow<'a, str>, DocumentError> {
        if raw.contains('<') {
            return Err(self.malformed(at, "`<` in an attribute value"));
        }
        let attribute = quick_xml::events::attributes::Attribute {
            key: quick_xml::name::QName(""),
            value: raw.clone(),
        };
        let value =
            attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| match error {
                XmlError::Escape(_) => {
                    self.malformed(at, "in an attribute value: a reference is not written as XML")
                }
                error => self.malformed(at, what_is_wrong(&error)),
            })?;
        if matches!(value, Cow::Owned(_)) && first_forbidden(&value).is_some() {
            return Err(self.malformed(at, "a reference to a character that XML does not allow"));
        }
        Ok(value)
    }
}
