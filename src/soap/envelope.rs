//! The envelope, read and written. Two families of services write it differently.

use std::convert::Infallible;

use super::{
    ENVELOPE, ENVELOPE_12, XSD, XSI,
    element::Element,
    write::{Piece, Writer},
};

/// Why a message has no operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The root is an envelope of another SOAP version.
    #[error("only SOAP 1.1 is spoken here")]
    Version,
    /// The root is no envelope.
    #[error("the message is no SOAP envelope")]
    NoEnvelope,
    /// There is not exactly one element in the body.
    #[error("the body must hold exactly one element")]
    NoOperation,
}

/// How a family of services writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// The Client service: no declaration, prefix `s`, `<X/>`.
    Client,
    /// SimpleAuth and Reporting: a declaration, prefix `soap`, `<X />`.
    Asmx,
}

impl Style {
    /// The prefix of the envelope's elements.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Client => "s",
            Self::Asmx => "soap",
        }
    }

    const fn empty(self) -> &'static str {
        match self {
            Self::Client => "/>",
            Self::Asmx => " />",
        }
    }

    const fn declaration(self) -> &'static str {
        match self {
            Self::Client => "",
            Self::Asmx => "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
        }
    }
}

/// The only element in the body. Headers are ignored: no service of WSUS knows any.
///
/// # Errors
/// When this is no SOAP 1.1 message with one element in its body.
pub fn body_of(root: Element) -> Result<Element, EnvelopeError> {
    match message_of(root)? {
        (SoapVersion::V11, operation) => Ok(operation),
        (SoapVersion::V12, _) => Err(EnvelopeError::Version),
    }
}

/// A version of SOAP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoapVersion {
    /// What all clients of WSUS speak by default.
    V11,
    /// What its services between servers take besides.
    V12,
}

impl SoapVersion {
    /// The namespace of the envelope.
    pub const fn namespace(self) -> &'static str {
        match self {
            Self::V11 => ENVELOPE,
            Self::V12 => ENVELOPE_12,
        }
    }

    /// The `Content-Type` of messages.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::V11 => "text/xml; charset=utf-8",
            Self::V12 => "application/soap+xml; charset=utf-8",
        }
    }

    /// Makes a message of this version of one that [`envelope`] or [`whole`] wrote for SOAP 1.1: in
    /// its first part, the envelopes differ in nothing but the namespace.
    pub fn put_on(self, message: &mut String) {
        if self == Self::V12 {
            *message = message.replacen(ENVELOPE, ENVELOPE_12, 1);
        }
    }
}

/// The only element in the body of a message of either version.
///
/// # Errors
/// When this is no SOAP message with one element in its body.
pub fn message_of(root: Element) -> Result<(SoapVersion, Element), EnvelopeError> {
    if &*root.name != "Envelope" {
        return Err(EnvelopeError::NoEnvelope);
    }
    let version = match &*root.namespace {
        ENVELOPE => SoapVersion::V11,
        ENVELOPE_12 => SoapVersion::V12,
        _ => return Err(EnvelopeError::Version),
    };
    let envelope = version.namespace();
    let mut bodies = root.children.into_iter().filter(|child| child.has_name(envelope, "Body"));
    let body = bodies.next().ok_or(EnvelopeError::NoOperation)?;
    let mut operations = body.children.into_iter();
    match (operations.next(), operations.next(), bodies.next()) {
        (Some(operation), None, None) => Ok((version, operation)),
        _ => Err(EnvelopeError::NoOperation),
    }
}

/// Writes an envelope around what `content` writes.
pub fn envelope<F>(style: Style, content: impl FnOnce(&mut Writer<F>)) -> Vec<Piece<F>> {
    let s = style.prefix();
    let types = format!(" xmlns:xsi=\"{XSI}\" xmlns:xsd=\"{XSD}\"");
    let (on_envelope, on_body) = match style {
        Style::Client => ("", types.as_str()),
        Style::Asmx => (types.as_str(), ""),
    };
    let mut writer = Writer::new(style.empty());
    writer.raw(style.declaration());
    writer.raw(&format!("<{s}:Envelope xmlns:{s}=\"{ENVELOPE}\"{on_envelope}><{s}:Body{on_body}>"));
    content(&mut writer);
    writer.raw(&format!("</{s}:Body></{s}:Envelope>"));
    writer.finish()
}

/// Writes a part of a message, to be put into it later.
pub fn part(style: Style, content: impl FnOnce(&mut Writer<Infallible>)) -> String {
    let mut writer = Writer::new(style.empty());
    content(&mut writer);
    joined(writer.finish())
}

/// Writes an envelope that holds everything itself.
pub fn whole(style: Style, content: impl FnOnce(&mut Writer<Infallible>)) -> String {
    joined(envelope(style, content))
}

fn joined(pieces: Vec<Piece<Infallible>>) -> String {
    pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Foreign(never) => match never {},
        })
        .collect()
}
