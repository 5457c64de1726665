//! Writing XML: tags, attributes, references. What a message or a document means is written by
//! `soap`, `update` and `publish`, each in its own form; all of them write through here.

/// What is wrong with XML, in our words: the library's speak of its own functions.
pub(crate) fn what_is_wrong(error: &quick_xml::Error) -> &'static str {
    use quick_xml::{
        Error,
        errors::{IllFormedError, SyntaxError},
        name::NamespaceError::{TooDeeplyNested, TooManyBindings, UnknownPrefix},
    };
    match error {
        Error::Io(_) => "it could not be read",
        Error::Syntax(SyntaxError::UnclosedTag) => "a tag has no end",
        Error::Syntax(SyntaxError::UnclosedComment) => "a comment has no end",
        Error::Syntax(SyntaxError::UnclosedCData) => "a CDATA section has no end",
        Error::Syntax(SyntaxError::UnclosedPI | SyntaxError::UnclosedXmlDecl) => {
            "a processing instruction or declaration has no end"
        }
        Error::Syntax(_) => "a tag, comment or declaration has no end or is not written as XML",
        Error::IllFormed(IllFormedError::MissingEndTag(_)) => "an element has no end tag",
        Error::IllFormed(IllFormedError::MismatchedEndTag { .. }) => {
            "an end tag has another name than the start tag"
        }
        Error::IllFormed(IllFormedError::UnmatchedEndTag(_)) => "an end tag has no start tag",
        Error::IllFormed(IllFormedError::DoubleHyphenInComment) => {
            "two hyphens stand within a comment"
        }
        Error::IllFormed(IllFormedError::UnclosedReference) => "a reference has no end",
        Error::IllFormed(_) => "it is not well-formed",
        Error::InvalidAttr(_) => "an attribute is repeated or not written as XML",
        Error::Encoding(_) => "it is not in the encoding that it states",
        Error::Escape(_) => "a reference is not written as XML",
        Error::Namespace(TooManyBindings(_)) => "there are too many namespace declarations",
        Error::Namespace(TooDeeplyNested(_)) => "elements are nested too deeply",
        Error::Namespace(UnknownPrefix(_)) => "a prefix is not declared",
        Error::Namespace(_) => "a reserved prefix is declared",
    }
}

/// How a kind of XML is written where XML itself leaves a choice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct XmlStyle {
    /// Which characters become references.
    pub(crate) escaping: Escaping,
    /// How the tag of an empty element ends: `/>` or ` />`.
    pub(crate) empty: &'static str,
}

/// Which characters become references.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escaping {
    /// As the servers of the field write: `&`, `<`, `>` and carriage returns, which any reader would
    /// else take for line feeds; in attributes `"`, line feeds and tabs too.
    Wsus,
    /// The five characters that XML has names for, and carriage returns, in texts and attributes
    /// alike.
    Predefined,
}

/// Writes elements one after another. The caller closes what it opens.
#[derive(Debug)]
pub(crate) struct XmlWriter {
    out: String,
    style: XmlStyle,
    /// The last start tag still lacks its end: attributes may follow, or the element may be empty.
    in_start_tag: bool,
}

impl XmlWriter {
    /// Begins with nothing written.
    pub(crate) fn new(style: XmlStyle) -> Self {
        Self::with_capacity(style, 0)
    }

    /// The same with room for so many bytes.
    pub(crate) fn with_capacity(style: XmlStyle, bytes: usize) -> Self {
        Self { out: String::with_capacity(bytes), style, in_start_tag: false }
    }

    /// `<name`, to be followed by attributes, content or the end.
    pub(crate) fn start(&mut self, prefix: &str, name: &str) {
        self.end_start_tag();
        self.out.push('<');
        self.out.push_str(prefix);
        self.out.push_str(name);
        self.in_start_tag = true;
    }

    /// ` name="value"`, in the start tag that was begun last.
    pub(crate) fn attribute(&mut self, prefix: &str, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(prefix);
        self.out.push_str(name);
        self.out.push_str("=\"");
        match self.style.escaping {
            Escaping::Wsus => push_escaped(&mut self.out, value, attribute_reference),
            Escaping::Predefined => push_escaped(&mut self.out, value, predefined_reference),
        }
        self.out.push('"');
    }

    /// `>` of the start tag that was begun last; the element then gets an end tag even if nothing
    /// is in it.
    pub(crate) fn end_start_tag(&mut self) {
        if self.in_start_tag {
            self.out.push('>');
            self.in_start_tag = false;
        }
    }

    /// Text; none leaves an element empty.
    pub(crate) fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.end_start_tag();
        match self.style.escaping {
            Escaping::Wsus => push_escaped(&mut self.out, text, text_reference),
            Escaping::Predefined => push_escaped(&mut self.out, text, predefined_reference),
        }
    }

    /// What is XML already.
    pub(crate) fn raw(&mut self, xml: &str) {
        self.end_start_tag();
        self.out.push_str(xml);
    }

    /// `</name>`, or the end of an empty element.
    pub(crate) fn end(&mut self, prefix: &str, name: &str) {
        if self.in_start_tag {
            self.out.push_str(self.style.empty);
            self.in_start_tag = false;
        } else {
            self.out.push_str("</");
            self.out.push_str(prefix);
            self.out.push_str(name);
            self.out.push('>');
        }
    }

    /// Hands out what is written so far; the start tag that was begun last is ended.
    pub(crate) fn take_written(&mut self) -> String {
        self.end_start_tag();
        std::mem::take(&mut self.out)
    }

    /// All that is written.
    pub(crate) fn finish(mut self) -> String {
        self.end_start_tag();
        self.out
    }
}

/// The reference for a byte of a text as the servers of the field write it, if it needs one.
pub(crate) const fn text_reference(byte: u8) -> Option<&'static str> {
    match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'\r' => Some("&#xD;"),
        _ => None,
    }
}

/// The same in an attribute.
const fn attribute_reference(byte: u8) -> Option<&'static str> {
    match byte {
        b'"' => Some("&quot;"),
        b'\t' => Some("&#x9;"),
        b'\n' => Some("&#xA;"),
        _ => text_reference(byte),
    }
}

const fn predefined_reference(byte: u8) -> Option<&'static str> {
    match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'"' => Some("&quot;"),
        b'\'' => Some("&apos;"),
        b'\r' => Some("&#13;"),
        _ => None,
    }
}

/// Appends a text in which some bytes become references.
pub(crate) fn push_escaped(
    out: &mut String,
    text: &str,
    reference: impl Fn(u8) -> Option<&'static str>,
) {
    let mut rest = text;
    while let Some((at, written)) =
        rest.bytes().enumerate().find_map(|(at, byte)| Some((at, reference(byte)?)))
    {
        // Whatever has a reference is one byte long.
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        out.push_str(written);
        rest = after.get(1..).unwrap_or_default();
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(escaping: Escaping) -> String {
        let mut xml = XmlWriter::new(XmlStyle { escaping, empty: " />" });
        xml.start("", "a");
        xml.attribute("xml:", "b", "<a>&\"'\r\n\té");
        xml.start("b.", "c");
        xml.text("");
        xml.end("b.", "c");
        xml.text("a<b>&\"'\r\n\té");
        xml.start("", "d");
        xml.end_start_tag();
        xml.end("", "d");
        xml.raw("<e/>");
        xml.end("", "a");
        xml.finish()
    }

    #[test]
    fn references_are_those_of_the_style() {
        assert_eq!(
            written(Escaping::Wsus),
            "<a xml:b=\"&lt;a&gt;&amp;&quot;'&#xD;&#xA;&#x9;é\"><b.c />\
             a&lt;b&gt;&amp;\"'&#xD;\n\té<d></d><e/></a>"
        );
        assert_eq!(
            written(Escaping::Predefined),
            "<a xml:b=\"&lt;a&gt;&amp;&quot;&apos;&#13;\n\té\"><b.c />\
             a&lt;b&gt;&amp;&quot;&apos;&#13;\n\té<d></d><e/></a>"
        );
    }

    #[test]
    fn predefined_references_are_those_of_the_xml_library() {
        let all: String = ('\0'..='\u{ff}').collect();
        let mut out = String::new();
        push_escaped(&mut out, &all, predefined_reference);
        assert_eq!(out, quick_xml::escape::escape(&*all));
    }
}
