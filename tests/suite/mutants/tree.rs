//! A document as a tree that can be changed and written again.

use quick_xml::{Reader, events::Event};

/// An element, or text between elements.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Element(Element),
    /// As it is written, with its references.
    Text(String),
}

/// An element with its prefix, attributes as they are written, and what is in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) children: Vec<Node>,
}

impl Element {
    /// Reads a well-formed document.
    pub(super) fn parse(xml: &str) -> Self {
        let mut reader = Reader::from_str(xml);
        let mut open: Vec<Self> =
            vec![Self { name: String::new(), attributes: vec![], children: vec![] }];
        loop {
            let event = reader.read_event().unwrap();
            let top = open.last_mut().unwrap();
            match event {
                Event::Start(start) => open.push(Self::start(&start)),
                Event::Empty(start) => top.children.push(Node::Element(Self::start(&start))),
                Event::End(_) => {
                    let done = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(Node::Element(done));
                }
                Event::Text(text) => top.children.push(Node::Text((*text).to_owned())),
                Event::GeneralRef(name) => {
                    top.children.push(Node::Text(format!("&{};", &*name)));
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let mut roots = open.pop().unwrap().children.into_iter();
        roots
            .find_map(|node| match node {
                Node::Element(root) => Some(root),
                Node::Text(_) => None,
            })
            .unwrap()
    }

    fn start(start: &quick_xml::events::BytesStart<'_>) -> Self {
        let attributes = start.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            (attribute.key.as_ref().to_owned(), (*attribute.value).to_owned())
        });
        Self {
            name: start.name().as_ref().to_owned(),
            attributes: attributes.collect(),
            children: vec![],
        }
    }

    /// As XML.
    pub(super) fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            out.push_str(&format!(" {name}=\"{value}\""));
        }
        out.push('>');
        for child in &self.children {
            match child {
                Node::Element(element) => element.write(out),
                Node::Text(text) => out.push_str(text),
            }
        }
        out.push_str(&format!("</{}>", self.name));
    }

    /// The element at this place in the order of the document; the root is the first.
    pub(super) fn nth(&mut self, mut place: usize) -> Option<&mut Self> {
        fn find<'a>(element: &'a mut Element, place: &mut usize) -> Option<&'a mut Element> {
            if *place == 0 {
                return Some(element);
            }
            *place -= 1;
            element.children.iter_mut().find_map(|child| match child {
                Node::Element(child) => find(child, place),
                Node::Text(_) => None,
            })
        }
        find(self, &mut place)
    }

    /// How many elements there are, this one among them.
    pub(super) fn count(&self) -> usize {
        let below = self.children.iter().map(|child| match child {
            Node::Element(element) => element.count(),
            Node::Text(_) => 0,
        });
        1 + below.sum::<usize>()
    }

    /// All elements in the order of the document.
    pub(super) fn all<'a>(&'a self, into: &mut Vec<&'a Self>) {
        into.push(self);
        for child in &self.children {
            if let Node::Element(child) = child {
                child.all(into);
            }
        }
    }
}
