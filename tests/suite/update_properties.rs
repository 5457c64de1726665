//! Properties that hold for any document: no input makes the parser panic, prefixes mean nothing,
//! and what a tree holds comes out again.

use std::fmt::Write as _;

use proptest::{collection::vec, option, prelude::*};
use tidegate::update::{DocumentLimits, UpdateDocument, fragments};

const MSUS: &str = "http://schemas.microsoft.com/msus/2002/12/";
const NAMESPACES: [(&str, &str); 6] = [
    ("Update", ""),
    ("BaseApplicabilityRules", "b."),
    ("MsiApplicabilityRules", "m."),
    ("UpdateHandlers/WindowsDriver", "d."),
    ("LogicalApplicabilityRules", ""),
    ("urn:example:foreign", ""),
];

#[derive(Debug, Clone)]
enum Node {
    Text(String),
    Element { namespace: usize, name: String, attributes: Vec<(String, String)>, inside: Vec<Node> },
}

/// How the same tree may be written down.
#[derive(Debug, Clone)]
struct Style {
    /// One prefix per namespace; `None` redeclares the default on every element.
    prefixes: Vec<Option<String>>,
    single_quotes: bool,
    long_empty: bool,
    cdata: bool,
    comments: bool,
}

fn text() -> impl Strategy<Value = String> {
    "[a-z<>&\"' é\u{1F600}\n]{1,12}"
}

fn attributes() -> impl Strategy<Value = Vec<(String, String)>> {
    vec(("[A-Z][a-z]{0,4}", "[a-z<>&\"' é]{0,8}"), 0..4).prop_map(|mut list| {
        list.sort();
        list.dedup_by(|a, b| a.0 == b.0);
        list
    })
}

fn tree() -> impl Strategy<Value = Vec<Node>> {
    let leaf = prop_oneof![
        text().prop_map(Node::Text),
        (0..NAMESPACES.len(), "[A-Z][a-z]{0,5}", attributes()).prop_map(
            |(namespace, name, attributes)| Node::Element {
                namespace,
                name,
                attributes,
                inside: Vec::new()
            }
        ),
    ];
    let node = leaf.prop_recursive(4, 32, 4, |inner| {
        (0..NAMESPACES.len(), "[A-Z][a-z]{0,5}", attributes(), vec(inner, 0..4)).prop_map(
            |(namespace, name, attributes, inside)| Node::Element {
                namespace,
                name,
                attributes,
                inside,
            },
        )
    });
    vec(node, 0..4)
}

fn style() -> impl Strategy<Value = Style> {
    let prefixes = vec(option::of("[a-z]{1,3}"), NAMESPACES.len()).prop_map(|mut prefixes| {
        // Distinct, and none that XML keeps for itself.
        for (index, prefix) in prefixes.iter_mut().enumerate() {
            if let Some(prefix) = prefix {
                *prefix = format!("p{prefix}{index}");
            }
        }
        prefixes
    });
    (prefixes, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(prefixes, single_quotes, long_empty, cdata, comments)| Style {
            prefixes,
            single_quotes,
            long_empty,
            cdata,
            comments,
        },
    )
}

fn uri(namespace: usize) -> String {
    match NAMESPACES[namespace].0 {
        foreign if foreign.starts_with("urn:") => foreign.to_owned(),
        known => format!("{MSUS}{known}"),
    }
}

fn escaped(text: &str, quote: Option<char>) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    match quote {
        Some('"') => text.replace('"', "&quot;"),
        Some(_) => text.replace('\'', "&apos;"),
        None => text,
    }
}

/// Writes a tree as one server or another might.
fn written(nodes: &[Node], style: &Style, out: &mut String) {
    for node in nodes {
        match node {
            Node::Text(text) if style.cdata => write!(out, "<![CDATA[{text}]]>").unwrap(),
            Node::Text(text) => out.push_str(&escaped(text, None)),
            Node::Element { namespace, name, attributes, inside } => {
                let prefix = &style.prefixes[*namespace];
                let name = match prefix {
                    Some(prefix) => format!("{prefix}:{name}"),
                    None => name.clone(),
                };
                let quote = if style.single_quotes { '\'' } else { '"' };
                let declaration = match prefix {
                    Some(prefix) => format!("xmlns:{prefix}"),
                    None => "xmlns".to_owned(),
                };
                write!(out, "<{name} {declaration}={quote}{}{quote}", uri(*namespace)).unwrap();
                for (key, value) in attributes {
                    write!(out, " {key}={quote}{}{quote}", escaped(value, Some(quote))).unwrap();
                }
                if inside.is_empty() && !style.long_empty {
                    out.push_str("/>");
                    continue;
                }
                out.push('>');
                if style.comments {
                    out.push_str("<!-- <no:thing/> --><?nor this?>");
                }
                written(inside, style, out);
                write!(out, "</{name}>").unwrap();
            }
        }
    }
}

/// What agents must get, said as simply as possible.
fn expected(nodes: &[Node], default: &str, out: &mut String) {
    let has_elements = nodes.iter().any(|node| matches!(node, Node::Element { .. }));
    for (at, node) in nodes.iter().enumerate() {
        match node {
            Node::Text(_) if has_elements && is_space(nodes, at) => {}
            Node::Text(text) => out.push_str(&escaped(text, None)),
            Node::Element { namespace, name, attributes, inside } => {
                let name = format!("{}{name}", NAMESPACES[*namespace].1);
                let uri = uri(*namespace);
                let own = if uri.starts_with("urn:") { &*uri } else { "" };
                write!(out, "<{name}").unwrap();
                if own != default {
                    write!(out, " xmlns=\"{own}\"").unwrap();
                }
                for (key, value) in attributes {
                    write!(out, " {key}=\"{}\"", escaped(value, Some('"'))).unwrap();
                }
                let mut inner = String::new();
                expected(inside, own, &mut inner);
                if inner.is_empty() {
                    out.push_str(" />");
                } else {
                    write!(out, ">{inner}</{name}>").unwrap();
                }
            }
        }
    }
}

/// Whether the text at a place, with those that touch it, is nothing but white space.
fn is_space(nodes: &[Node], at: usize) -> bool {
    let blank = |node: &&Node| matches!(node, Node::Text(text) if text.trim().is_empty());
    let is_text = |node: &&Node| matches!(node, Node::Text(_));
    let (before, after) = (nodes[..at].iter().rev(), nodes[at..].iter());
    before.take_while(is_text).all(|node| blank(&node))
        && after.take_while(is_text).all(|node| blank(&node))
}

/// A real WSUS drops what lays a document out, and nothing else.
#[test]
fn white_space_between_elements_is_dropped_and_all_other_stays() {
    let xml = format!(
        "<u:Update xmlns:u=\"{MSUS}Update\">\r\n  <u:UpdateIdentity UpdateID=\"1d000000-0000-4000-8000-000000000001\" RevisionNumber=\"1\">\n  </u:UpdateIdentity>\n\
         <u:Properties UpdateType=\"Software\">\n\t<u:SupportUrl> http://a </u:SupportUrl>\n</u:Properties>\
         <u:LocalizedPropertiesCollection>\n<u:LocalizedProperties>\n  <u:Language>en</u:Language>\n  <u:Title> a\n b </u:Title> <u:Description> </u:Description>\n</u:LocalizedProperties>\n</u:LocalizedPropertiesCollection>\
         <u:ApplicabilityRules>\r\n <u:A> &#x20;<!-- no --> <u:B/>\n<u:C>x <u:D/> &#x20;y<u:E/> </u:C></u:A>\n</u:ApplicabilityRules></u:Update>"
    );
    let got = fragments(xml.as_bytes(), &DocumentLimits::default()).unwrap();
    assert_eq!(
        got.core,
        "<UpdateIdentity UpdateID=\"1d000000-0000-4000-8000-000000000001\" RevisionNumber=\"1\">\n  </UpdateIdentity><Properties UpdateType=\"Software\" />\
         <ApplicabilityRules><A><B /><C>x <D />  y<E /></C></A></ApplicabilityRules>"
    );
    assert_eq!(
        got.extended,
        "<ExtendedProperties><SupportUrl> http://a </SupportUrl></ExtendedProperties>"
    );
    assert_eq!(
        got.localized[0].xml,
        "<LocalizedProperties><Language>en</Language><Title> a\n b </Title><Description> </Description></LocalizedProperties>"
    );
}

fn document(rules: &[Node], style: &Style) -> String {
    let mut inside = String::new();
    written(rules, style, &mut inside);
    format!(
        "<u:Update xmlns:u=\"{MSUS}Update\"><u:UpdateIdentity \
         UpdateID=\"1d000000-0000-4000-8000-000000000001\" RevisionNumber=\"1\" />\
         <u:Properties UpdateType=\"Software\" /><u:ApplicabilityRules>{inside}\
         </u:ApplicabilityRules></u:Update>"
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_tree_holds_comes_out(rules in tree(), one in style(), other in style()) {
        let mut wanted = String::new();
        expected(&rules, "", &mut wanted);
        let rules_element = if wanted.is_empty() {
            "<ApplicabilityRules />".to_owned()
        } else {
            format!("<ApplicabilityRules>{wanted}</ApplicabilityRules>")
        };
        let wanted = format!(
            "<UpdateIdentity UpdateID=\"1d000000-0000-4000-8000-000000000001\" \
             RevisionNumber=\"1\" /><Properties UpdateType=\"Software\" />{rules_element}"
        );
        for style in [one, other] {
            let xml = document(&rules, &style);
            let got = fragments(xml.as_bytes(), &DocumentLimits::default()).unwrap();
            prop_assert_eq!(&got.core, &wanted, "{}", xml);
            prop_assert!(UpdateDocument::parse(xml.as_bytes(), &DocumentLimits::default()).is_ok());
        }
    }

    #[test]
    fn mutated_documents_never_panic(
        rules in tree(),
        style in style(),
        cuts in vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..6),
    ) {
        let mut bytes = document(&rules, &style).into_bytes();
        for (place, byte, kind) in cuts {
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                // A piece of the document again, somewhere else in it.
                _ => {
                    let piece = bytes[at..(at + 40).min(bytes.len())].to_vec();
                    let to = place.index(bytes.len() / 2 + 1);
                    bytes.splice(to..to, piece);
                }
            }
        }
        let derived = fragments(&bytes, &DocumentLimits::default());
        // What parses has fragments; fragments alone ask less of values.
        if UpdateDocument::parse(&bytes, &DocumentLimits::default()).is_ok() {
            prop_assert!(derived.is_ok());
        }
    }

    #[test]
    fn noise_never_panics(noise in "[<>/&;=\"'!?\\[\\]a:x#-]{0,60}") {
        let _ = fragments(noise.as_bytes(), &DocumentLimits::default());
        let xml = format!("<Update xmlns='{MSUS}Update'>{noise}</Update>");
        let _ = UpdateDocument::parse(xml.as_bytes(), &DocumentLimits::default());
    }
}
