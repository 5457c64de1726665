//! Hostile bytes → a tree of bounded size.

use std::{borrow::Cow, sync::Arc};

use quick_xml::{
    NsReader, XmlVersion,
    events::{BytesRef, BytesStart, Event},
    name::{NamespaceResolver, QName, ResolveResult},
};

use super::element::{Attribute, Element};
use crate::{encoding::decoded, xml::what_is_wrong};

/// Bounds on a message.
#[derive(Debug, Clone)]
pub struct MessageLimits {
    /// Bytes of the message.
    pub bytes: usize,
    /// Nesting of elements. Real requests have about ten levels.
    pub depth: usize,
    /// Elements in all. The longest id lists of real agents have some thousands.
    pub elements: usize,
    /// Attributes of one element, namespace declarations included.
    pub attributes: usize,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self { bytes: 8 * 1024 * 1024, depth: 32, elements: 200_000, attributes: 32 }
    }
}

/// Why a message was not read. Positions are bytes from the start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It is over a limit.
    #[error("the message has more than {limit} {what}")]
    TooLarge {
        /// `bytes`, `elements`, `attributes` or `levels`.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// It is no XML in UTF-8 or UTF-16, or holds a document type or entities of its own.
    #[error("byte {at}: {what}")]
    Xml {
        /// Where.
        at: u64,
        /// What is wrong.
        what: String,
    },
}

/// Reads a whole document.
///
/// # Errors
/// When it is over a limit or not well-formed.
pub fn read(bytes: &[u8], limits: &MessageLimits) -> Result<Element, ReadError> {
    if bytes.len() > limits.bytes {
        return Err(ReadError::TooLarge { what: "bytes", limit: limits.bytes });
    }
    let text = decoded(bytes).map_err(|(at, what)| ReadError::Xml {
        at: u64::try_from(at).unwrap_or(u64::MAX),
        what: what.to_owned(),
    })?;
    if text.len() > limits.bytes {
        return Err(ReadError::TooLarge { what: "bytes", limit: limits.bytes });
    }
    let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}'));
    reader.config_mut().check_comments = true;
    let mut tree = Tree::new(limits);
    tree.is_utf16 = matches!(text, Cow::Owned(_));
    loop {
        let event = reader.read_event();
        let step = match event {
            Ok(Event::Eof) => break,
            Ok(event) => tree.add(reader.resolver(), event),
            Err(e) => Err(ReadFailure::library(&e)),
        };
        step.map_err(|wrong| wrong.at(reader.buffer_position()))?;
    }
    tree.finish().map_err(|wrong| wrong.at(reader.buffer_position()))
}

pub(super) enum ReadFailure {
    TooLarge(&'static str, usize),
    Xml(String),
}

impl ReadFailure {
    pub(super) fn library(error: &quick_xml::Error) -> Self {
        Self::Xml(what_is_wrong(error).to_owned())
    }

    pub(super) fn at(self, at: u64) -> ReadError {
        match self {
            Self::TooLarge(what, limit) => ReadError::TooLarge { what, limit },
            Self::Xml(what) => ReadError::Xml { at, what },
        }
    }
}

pub(super) struct Tree<'l> {
    limits: &'l MessageLimits,
    pub(super) open: Vec<Element>,
    pub(super) root: Option<Element>,
    pub(super) elements: usize,
    /// Whether the bytes are UTF-16, so that a declaration may say it.
    pub(super) is_utf16: bool,
    /// Namespaces seen, so that elements share them.
    names: Vec<Arc<str>>,
}

impl<'l> Tree<'l> {
    pub(super) fn new(limits: &'l MessageLimits) -> Self {
        Self {
            limits,
            open: Vec::new(),
            root: None,
            elements: 0,
            is_utf16: false,
            names: Vec::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        resolver: &NamespaceResolver,
        event: Event<'_>,
    ) -> Result<(), ReadFailure> {
        match event {
            Event::Start(start) => {
                let element = self.element(resolver, &start)?;
                self.open.push(element);
                if self.open.len() > self.limits.depth {
                    return Err(ReadFailure::TooLarge("levels", self.limits.depth));
                }
            }
            Event::Empty(start) => {
                let element = self.element(resolver, &start)?;
                self.close(element);
            }
            // The reader has compared the names.
            Event::End(_) => {
                if let Some(element) = self.open.pop() {
                    self.close(element);
                }
            }
            Event::Text(text) => self.text(&text.xml10_content())?,
            Event::CData(text) => self.text(&text.xml10_content())?,
            Event::GeneralRef(entity) => self.text(resolve(&entity)?.encode_utf8(&mut [0; 4]))?,
            Event::DocType(_) => {
                return Err(ReadFailure::Xml("document types are refused".to_owned()));
            }
            Event::Decl(declaration) => {
                let known = if self.is_utf16 {
                    &["utf-16", "utf-16le", "utf-16be"][..]
                } else {
                    &["utf-8"]
                };
                if let Some(Ok(encoding)) = declaration.encoding()
                    && !known.iter().any(|known| encoding.eq_ignore_ascii_case(known))
                {
                    let what =
                        "only UTF-8 and UTF-16 are read, and only if the declaration is true";
                    return Err(ReadFailure::Xml(what.to_owned()));
                }
            }
            Event::Comment(_) | Event::PI(_) | Event::Eof => {}
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Element, ReadFailure> {
        if !self.open.is_empty() {
            return Err(ReadFailure::Xml("it ends before its last element does".to_owned()));
        }
        self.root.ok_or_else(|| ReadFailure::Xml("there is no element".to_owned()))
    }

    fn element(
        &mut self,
        resolver: &NamespaceResolver,
        start: &BytesStart<'_>,
    ) -> Result<Element, ReadFailure> {
        if self.root.is_some() {
            return Err(ReadFailure::Xml("there is a second root element".to_owned()));
        }
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(ReadFailure::TooLarge("elements", self.limits.elements));
        }
        let (namespace, name) = resolver.resolve_element(start.name());
        let namespace = self.namespace(namespace)?;
        let name = checked(name.as_ref())?.into();
        let mut attributes = Vec::new();
        // Repeated names are found among few only.
        let few = start.attributes().with_checks(false).take(self.limits.attributes + 1).count();
        if few > self.limits.attributes {
            return Err(ReadFailure::TooLarge("attributes", self.limits.attributes));
        }
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|e| ReadFailure::library(&e.into()))?;
            if is_declaration(attribute.key) {
                continue;
            }
            let (namespace, name) = resolver.resolve_attribute(attribute.key);
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|e| ReadFailure::library(&e))?;
            attributes.push(Attribute {
                namespace: self.namespace(namespace)?,
                name: checked(name.as_ref())?.into(),
                value: checked(&value)?.to_owned(),
            });
        }
        Ok(Element { namespace, name, attributes, text: String::new(), children: Vec::new() })
    }

    fn namespace(&mut self, resolved: ResolveResult<'_>) -> Result<Arc<str>, ReadFailure> {
        let name = match resolved {
            ResolveResult::Bound(namespace) => namespace.0,
            ResolveResult::Unbound => "",
            ResolveResult::Unknown(prefix) => {
                let prefix: String = prefix.chars().take(40).collect();
                return Err(ReadFailure::Xml(format!("the prefix {prefix:?} is not declared")));
            }
        };
        if let Some(shared) = self.names.iter().find(|shared| ***shared == *name) {
            return Ok(Arc::clone(shared));
        }
        let shared: Arc<str> = checked(name)?.into();
        if self.names.len() < 16 {
            self.names.push(Arc::clone(&shared));
        }
        Ok(shared)
    }

    fn close(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), ReadFailure> {
        let text = checked(text)?;
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => {
                return Err(ReadFailure::Xml("there is text outside the root element".to_owned()));
            }
        }
        Ok(())
    }
}

fn is_declaration(key: QName<'_>) -> bool {
    key.as_namespace_binding().is_some()
}

fn resolve(entity: &BytesRef<'_>) -> Result<char, ReadFailure> {
    match entity.resolve_char_ref() {
        Ok(Some(character)) => Ok(character),
        Ok(None) => match &**entity {
            "lt" => Ok('<'),
            "gt" => Ok('>'),
            "amp" => Ok('&'),
            "apos" => Ok('\''),
            "quot" => Ok('"'),
            other => {
                let other: String = other.chars().take(40).collect();
                Err(ReadFailure::Xml(format!("the entity {other:?} is refused")))
            }
        },
        Err(e) => Err(ReadFailure::library(&e)),
    }
}

/// The reader lets characters pass that XML does not allow, written plainly or as references.
fn checked(text: &str) -> Result<&str, ReadFailure> {
    let bad = |c: char| matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}');
    match text.chars().find(|c| bad(*c)) {
        None => Ok(text),
        Some(c) => {
            Err(ReadFailure::Xml(format!("the character U+{:04X} is not allowed", u32::from(c))))
        }
    }
}
