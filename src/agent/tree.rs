//! Reading what a server answers into a small tree, with limits: the answer of an unknown server is
//! hostile until read.

use std::sync::Arc;

use quick_xml::{
    NsReader,
    escape::resolve_predefined_entity,
    events::{BytesRef, BytesStart, Event},
    name::ResolveResult,
};
use serde::{Deserialize, Serialize};

use crate::xml::what_is_wrong;

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 100;

/// What could not be read as XML, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not well-formed XML at byte {offset}: {reason}")]
pub struct XmlError {
    /// Byte offset in the decoded text.
    pub offset: u64,
    /// What is wrong there.
    pub reason: String,
}

/// An element: what the stand-in needs of XML and no more. Comments and processing instructions
/// are dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Element {
    /// Namespace that the element is in; empty for none. Not kept in a state file.
    #[serde(skip)]
    pub(crate) namespace: Arc<str>,
    /// Local name; with its prefix if that is not declared.
    pub(crate) name: String,
    /// Attributes as written, namespace declarations included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) attributes: Vec<(String, String)>,
    /// All text directly inside, references resolved.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) text: String,
    /// Child elements in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// Trimmed text of the first child of this name.
    pub(crate) fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }

    /// Value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first descendant of this name, depth first.
    pub(crate) fn descendant(&self, name: &str) -> Option<&Self> {
        self.children
            .iter()
            .find_map(|child| if child.name == name { Some(child) } else { child.descendant(name) })
    }

    /// Every descendant of this name.
    pub(crate) fn descendants<'a>(&'a self, name: &str, found: &mut Vec<&'a Self>) {
        for child in &self.children {
            if child.name == name {
                found.push(child);
            }
            child.descendants(name, found);
        }
    }
}

/// Reads one document with one root. At most `max_elements` elements.
pub(crate) fn document(text: &str, max_elements: usize) -> Result<Element, XmlError> {
    let mut roots = read(text, max_elements, |_| false)?;
    match (roots.pop(), roots.len()) {
        (Some(root), 0) => Ok(root),
        (None, _) => Err(XmlError { offset: 0, reason: "no element at all".into() }),
        (Some(_), _) => Err(XmlError { offset: 0, reason: "more than one root element".into() }),
    }
}

/// Reads a fragment: a sequence of elements without a root. What is inside an element that `hollow`
/// names is checked to be well-formed and dropped.
pub(crate) fn fragment(
    text: &str,
    max_elements: usize,
    hollow: fn(&str) -> bool,
) -> Result<Vec<Element>, XmlError> {
    read(text, max_elements, hollow)
}

fn read(
    text: &str,
    max_elements: usize,
    hollow: fn(&str) -> bool,
) -> Result<Vec<Element>, XmlError> {
    let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}'));
    let mut tree = TreeBuilder {
        max_elements,
        hollow,
        roots: Vec::new(),
        open: Vec::new(),
        dropped: 0,
        count: 0,
        namespace: Arc::from(""),
    };
    loop {
        let offset = reader.buffer_position();
        let fail = |reason: String| XmlError { offset, reason };
        let (resolved, event) =
            reader.read_resolved_event().map_err(|error| fail(what_is_wrong(&error).to_owned()))?;
        let done = match event {
            Event::Start(tag) => tree.start(&tag, &resolved, false),
            Event::Empty(tag) => tree.start(&tag, &resolved, true),
            Event::End(_) => {
                tree.end();
                Ok(())
            }
            Event::Text(piece) => tree.text(&piece.xml10_content()),
            Event::CData(piece) => tree.text(&piece.xml10_content()),
            Event::GeneralRef(reference) => tree.reference(&reference),
            Event::DocType(_) => Err("a document type declaration".to_owned()),
            Event::Eof if tree.is_complete() => return Ok(tree.roots),
            Event::Eof => Err("ends inside an element".to_owned()),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => Ok(()),
        };
        done.map_err(fail)?;
    }
}

/// Elements that are being read. Its errors say what is wrong at the place that was read last.
struct TreeBuilder {
    max_elements: usize,
    hollow: fn(&str) -> bool,
    roots: Vec<Element>,
    open: Vec<Element>,
    /// Open elements inside a hollow one.
    dropped: usize,
    count: usize,
    /// The namespace that was seen last: neighbours share it.
    namespace: Arc<str>,
}

impl TreeBuilder {
    fn is_complete(&self) -> bool {
        self.open.is_empty() && self.dropped == 0
    }

    fn start(
        &mut self,
        tag: &BytesStart<'_>,
        resolved: &ResolveResult<'_>,
        is_empty: bool,
    ) -> Result<(), String> {
        if self.open.len() + self.dropped >= MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} elements"));
        }
        if self.dropped > 0 || self.open.last().is_some_and(|parent| (self.hollow)(&parent.name)) {
            check_attributes(tag)?;
            self.dropped += usize::from(!is_empty);
            return Ok(());
        }
        self.count += 1;
        if self.count > self.max_elements {
            return Err(format!("more than {} elements", self.max_elements));
        }
        let element = element(tag, resolved, &mut self.namespace)?;
        if is_empty {
            self.close(element);
        } else {
            self.open.push(element);
        }
        Ok(())
    }

    fn end(&mut self) {
        if self.dropped > 0 {
            self.dropped -= 1;
        } else if let Some(element) = self.open.pop() {
            self.close(element);
        }
    }

    fn close(&mut self, element: Element) {
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.roots.push(element),
        }
    }

    fn text(&mut self, piece: &str) -> Result<(), String> {
        if self.dropped > 0 {
            return Ok(());
        }
        match self.open.last_mut() {
            Some(element) => element.text.push_str(piece),
            None if piece.trim().is_empty() => {}
            None => return Err("text outside of any element".into()),
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), String> {
        let mut buffer = [0; 4];
        let resolved = match reference.resolve_char_ref() {
            Ok(Some(character)) => Some(&*character.encode_utf8(&mut buffer)),
            Ok(None) => resolve_predefined_entity(reference),
            Err(error) => return Err(what_is_wrong(&error).to_owned()),
        };
        let piece = resolved.ok_or_else(|| format!("unknown entity &{};", &**reference))?;
        self.text(piece)
    }
}

fn element(
    tag: &BytesStart<'_>,
    resolved: &ResolveResult<'_>,
    last_namespace: &mut Arc<str>,
) -> Result<Element, String> {
    let (namespace, name) = match resolved {
        ResolveResult::Bound(namespace) => (namespace.0, tag.local_name().into_inner()),
        ResolveResult::Unbound => ("", tag.local_name().into_inner()),
        ResolveResult::Unknown(_) => ("", tag.name().into_inner()),
    };
    if **last_namespace != *namespace {
        *last_namespace = Arc::from(namespace);
    }
    let mut attributes = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| what_is_wrong(&error.into()).to_owned())?;
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map_err(|error| what_is_wrong(&error).to_owned())?;
        attributes.push((attribute.key.into_inner().to_owned(), value.into_owned()));
    }
    Ok(Element {
        namespace: Arc::clone(last_namespace),
        name: name.to_owned(),
        attributes,
        text: String::new(),
        children: Vec::new(),
    })
}

fn check_attributes(tag: &BytesStart<'_>) -> Result<(), String> {
    tag.attributes().try_for_each(|attribute| {
        attribute.map(drop).map_err(|e| what_is_wrong(&e.into()).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_namespaces_references_and_text() {
        let root = document(
            "<?xml version=\"1.0\"?><s:A xmlns:s=\"urn:s\"><B xmlns=\"urn:b\" c=\"1 &amp; 2\">x &lt;y&gt; &#65;<!-- no --><![CDATA[<z>]]></B></s:A>",
            100,
        )
        .unwrap();
        assert_eq!((&*root.namespace, root.name.as_str()), ("urn:s", "A"));
        let b = root.child("B").unwrap();
        assert_eq!(&*b.namespace, "urn:b");
        assert_eq!(b.text, "x <y> A<z>");
        assert_eq!(b.attribute("c"), Some("1 & 2"));
    }

    #[test]
    fn refuses_what_is_not_well_formed_or_too_much() {
        for (text, reason) in [
            ("<a><b></a>", "another name"),
            ("<a>", "ends inside"),
            ("<a/><b/>", "more than one"),
            ("", "no element"),
            ("x<a/>", "outside"),
            ("<a>&unknown;</a>", "entity"),
            ("<!DOCTYPE a><a/>", "document type"),
            ("<a x=1/>", ""),
            ("<a><b/><b/><b/></a>", "more than 3"),
        ] {
            let error = document(text, 3).unwrap_err();
            assert!(error.reason.contains(reason), "{text}: {error}");
        }
        let deep = "<a>".repeat(200) + &"</a>".repeat(200);
        assert!(document(&deep, 1000).unwrap_err().reason.contains("deeper"));
    }

    #[test]
    fn a_hollow_element_keeps_its_name_and_loses_its_content() {
        let parts =
            fragment("<a><big><x><y/>t</x></big></a><c/>", 3, |name| name == "big").unwrap();
        assert_eq!(parts.len(), 2);
        assert!(parts[0].child("big").unwrap().children.is_empty());
        assert!(fragment("<big><x></y></big>", 3, |name| name == "big").is_err());
    }
}
