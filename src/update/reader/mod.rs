//! A strict, namespace-aware walk over a document: what the parser accepts too gladly is refused
//! here, and every refusal says where.

mod start_tag;
pub(super) mod tag;

use std::{borrow::Cow, cell::OnceCell};

use quick_xml::{
    errors::Error as XmlError,
    events::{BytesDecl, BytesRef, Event as RawEvent, attributes::AttrError},
};

use super::{
    characters::{first_forbidden, is_name},
    error::DocumentError,
    limits::DocumentLimits,
    namespace::Scope,
};
use crate::xml::what_is_wrong;
use tag::{Event, Tag};

/// Walks over one document.
pub(super) struct Reader<'a> {
    text: &'a str,
    inner: quick_xml::Reader<&'a [u8]>,
    scope: Scope<'a>,
    depth: usize,
    max_depth: usize,
    /// Where the event handed out last begins.
    event_at: usize,
    seen_root: bool,
    oddity: OnceCell<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(xml: &'a [u8], limits: &DocumentLimits) -> Result<Self, DocumentError> {
        let size = xml.len() as u64;
        if size > limits.bytes {
            return Err(DocumentError::TooLarge { size, limit: limits.bytes });
        }
        let bytes = xml.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(xml);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let (good, _) = bytes.split_at(error.valid_up_to());
                let (line, column) = position(&String::from_utf8_lossy(good));
                let what = if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
                    "UTF-16, but a document must be UTF-8"
                } else {
                    "not UTF-8"
                };
                return Err(DocumentError::Xml { line, column, what: what.into() });
            }
        };
        let mut inner = quick_xml::Reader::from_str(text);
        let config = inner.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        let reader = Self {
            text,
            inner,
            scope: Scope::default(),
            depth: 0,
            max_depth: limits.depth,
            event_at: 0,
            seen_root: false,
            oddity: OnceCell::new(),
        };
        match first_forbidden(text) {
            Some(at) => Err(reader.malformed(at, "a character that XML does not allow")),
            None => Ok(reader),
        }
    }

    /// The next event, `None` at the end of a complete document.
    pub(super) fn next(&mut self) -> Result<Option<Event<'a>>, DocumentError> {
        loop {
            self.event_at = self.offset();
            let event = self.inner.read_event().map_err(|error| self.broken(&error))?;
            match event {
                RawEvent::Start(_) => return self.start().map(|tag| Some(Event::Start(tag))),
                RawEvent::End(_) => {
                    self.scope.leave(self.depth);
                    self.depth -= 1;
                    return Ok(Some(Event::End));
                }
                RawEvent::Text(text) => {
                    if let Some(at) = text.find("]]>") {
                        return Err(self.malformed(self.event_at + at, "`]]>` in text"));
                    }
                    let normalized = line_ends(text.into_inner());
                    if self.depth > 0 {
                        return Ok(Some(Event::Text(normalized)));
                    }
                    self.only_white_space(&normalized)?;
                }
                RawEvent::CData(data) => {
                    if self.depth == 0 {
                        return Err(self.malformed(self.event_at, "CDATA outside the root"));
                    }
                    return Ok(Some(Event::Text(line_ends(data.into_inner()))));
                }
                RawEvent::GeneralRef(reference) => {
                    let resolved = self.reference(&reference)?;
                    return Ok(Some(Event::Text(resolved)));
                }
                RawEvent::Comment(_) => {}
                RawEvent::PI(instruction) => {
                    let target = instruction.target();
                    if !is_name(target) || target.eq_ignore_ascii_case("xml") {
                        return Err(self.malformed(
                            self.event_at,
                            "a processing instruction without a proper target",
                        ));
                    }
                }
                RawEvent::Decl(declaration) => self.declaration(&declaration)?,
                RawEvent::DocType(_) => {
                    return Err(self.malformed(self.event_at, "a document type is not accepted"));
                }
                RawEvent::Empty(_) => {
                    return Err(self.malformed(self.event_at, "an unexpected empty element"));
                }
                RawEvent::Eof => return self.check_end().map(|()| None),
            }
        }
    }

    /// Nesting of the element that was entered last and not left: 1 inside the root.
    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// Goes through the element whose start tag was read last, to its end, or through the whole
    /// document at its beginning. `visit` gets each child and may read it to its end, or not.
    pub(super) fn children(
        &mut self,
        mut visit: impl FnMut(&mut Self, Tag<'a>) -> Result<(), DocumentError>,
    ) -> Result<(), DocumentError> {
        let inside = self.depth;
        while self.depth >= inside {
            match self.next()? {
                Some(Event::Start(tag)) if self.depth == inside + 1 => visit(self, tag)?,
                Some(_) => {}
                None => break,
            }
        }
        Ok(())
    }

    /// The text of the element whose start tag was read last, children's included, to its end.
    pub(super) fn text(&mut self) -> Result<String, DocumentError> {
        let inside = self.depth;
        let mut text = String::new();
        while self.depth >= inside {
            match self.next()? {
                Some(Event::Text(more)) => text.push_str(&more),
                Some(_) => {}
                None => break,
            }
        }
        Ok(text)
    }

    /// The document is XML, but what was met last must not be there.
    pub(super) fn invalid(&self, what: impl Into<String>) -> DocumentError {
        self.invalid_at(self.event_at, what)
    }

    /// As [`Self::invalid`], for what was met where [`Self::event_at`] was this.
    pub(super) fn invalid_at(&self, at: usize, what: impl Into<String>) -> DocumentError {
        let (line, column) = self.position(at);
        DocumentError::Invalid { line, column, what: what.into() }
    }

    /// Where the event handed out last begins: cheap to remember, where a line and a column are not.
    pub(super) fn event_at(&self) -> usize {
        self.event_at
    }

    /// Notes what can be read here, but not by agents, which get it unchanged. The first one stays.
    pub(super) fn note_oddity(&self, what: impl FnOnce() -> String) {
        self.oddity.get_or_init(|| {
            let (line, column) = self.position(self.event_at);
            format!("{} (line {line}, column {column})", what())
        });
    }

    /// What [`Self::note_oddity`] noted first.
    pub(super) fn take_oddity(&mut self) -> Option<String> {
        self.oddity.take()
    }

    /// The end of the text must be the end of a document.
    fn check_end(&self) -> Result<(), DocumentError> {
        match (self.depth, self.seen_root) {
            (0, true) => Ok(()),
            (0, false) => Err(self.malformed(self.event_at, "no element at all")),
            (open, _) => Err(self.malformed(
                self.event_at,
                format!("the document ends with {open} elements still open"),
            )),
        }
    }

    fn reference(&self, reference: &BytesRef<'a>) -> Result<Cow<'a, str>, DocumentError> {
        let name: &str = reference;
        if self.depth == 0 {
            return Err(self.malformed(self.event_at, "a reference outside the root"));
        }
        let character = reference
            .resolve_char_ref()
            .map_err(|error| self.malformed(self.event_at, what_is_wrong(&error)))?;
        if let Some(character) = character {
            let text = String::from(character);
            return match first_forbidden(&text) {
                None => Ok(Cow::Owned(text)),
                Some(_) => Err(self.malformed(
                    self.event_at,
                    format!("`&{}`: a character that XML does not allow", shortened(name)),
                )),
            };
        }
        quick_xml::escape::resolve_predefined_entity(name).map(Cow::Borrowed).ok_or_else(|| {
            let what = format!("entity `{}` is not accepted", shortened(name));
            self.malformed(self.event_at, what)
        })
    }

    fn declaration(&self, declaration: &BytesDecl<'_>) -> Result<(), DocumentError> {
        if self.event_at != 0 {
            return Err(
                self.malformed(self.event_at, "an XML declaration that is not at the start")
            );
        }
        match declaration.version() {
            Ok(version) if version == "1.0" => {}
            Ok(_) => return Err(self.malformed(0, "an XML version other than 1.0")),
            Err(error) => return Err(self.malformed(0, what_is_wrong(&error))),
        }
        match declaration.encoding() {
            None => Ok(()),
            Some(Ok(name))
                if ["utf-8", "us-ascii"].contains(&name.to_ascii_lowercase().as_str()) =>
            {
                Ok(())
            }
            Some(Ok(name)) => {
                let what = format!("encoding `{}`, but a document must be UTF-8", shortened(&name));
                Err(self.malformed(0, what))
            }
            Some(Err(error)) => Err(self.bad_attribute(&error)),
        }
    }

    fn only_white_space(&self, text: &str) -> Result<(), DocumentError> {
        match text.find(|c| !matches!(c, ' ' | '\t' | '\r' | '\n')) {
            None => Ok(()),
            Some(at) => Err(self.malformed(self.event_at + at, "text outside the root")),
        }
    }

    fn broken(&self, error: &XmlError) -> DocumentError {
        let at = usize::try_from(self.inner.error_position()).unwrap_or(usize::MAX);
        self.malformed(at, what_is_wrong(error))
    }

    fn bad_attribute(&self, error: &AttrError) -> DocumentError {
        let (within, what) = match error {
            AttrError::ExpectedEq(at) => (at, "an attribute without `=`"),
            AttrError::ExpectedValue(at) => (at, "an attribute without a value"),
            AttrError::UnquotedValue(at) => (at, "an attribute value without quotes"),
            AttrError::ExpectedQuote(at, _) => (at, "an attribute value without its closing quote"),
            AttrError::Duplicated(at, _) => (at, "the same attribute twice"),
        };
        self.malformed(self.event_at + 1 + within, what)
    }

    fn malformed(&self, at: usize, what: impl Into<String>) -> DocumentError {
        let (line, column) = self.position(at);
        DocumentError::Xml { line, column, what: what.into() }
    }

    fn position(&self, at: usize) -> (u64, u64) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        position(self.text.get(..at).unwrap_or_default())
    }

    fn offset(&self) -> usize {
        // The document is in memory, so its offsets fit.
        usize::try_from(self.inner.buffer_position()).unwrap_or(usize::MAX)
    }

    /// Where a part of the document lies in it.
    fn offset_of(&self, part: &str) -> usize {
        (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)
    }
}

/// Line and column of the end of `before`, both from 1. A column is a character.
fn position(before: &str) -> (u64, u64) {
    let line = before.bytes().filter(|byte| *byte == b'\n').count() as u64 + 1;
    let last = before.rsplit('\n').next().unwrap_or_default();
    (line, last.chars().count() as u64 + 1)
}

/// Line ends become `\n`, as XML 1.0 2.11 asks of every processor.
fn line_ends(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        text
    }
}

/// For messages: the beginning of something that may be megabytes long.
fn shortened(text: &str) -> &str {
    match text.char_indices().nth(40) {
        Some((at, _)) => text.get(..at).unwrap_or_default(),
        None => text,
    }
}
