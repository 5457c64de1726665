//! SOAP 1.1: bounded reading into a small tree, writing as WSUS writes, faults. Everything by
//! namespace, never by prefix. Pure: no I/O, no clock. [MS-WUSP] 2.1, 2.2

mod element;
mod envelope;
mod fault;
mod lists;
mod read;
mod source;
#[cfg(test)]
mod tests;
mod write;

pub use element::{Attribute, Element};
pub use envelope::{EnvelopeError, SoapVersion, Style, body_of, envelope, message_of, part, whole};
pub use fault::{Fault, FaultCode};
pub use lists::{ListError, read_lists};
pub use read::{MessageLimits, ReadError, read};
pub use write::{Piece, Writer, escape_text};

/// Namespace of a SOAP 1.1 envelope.
pub const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// Namespace of a SOAP 1.2 envelope.
pub const ENVELOPE_12: &str = "http://www.w3.org/2003/05/soap-envelope";
/// Namespace of `xsi:nil` and `xsi:type`.
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// Namespace of the schema types; answers declare it, as WSUS does.
pub const XSD: &str = "http://www.w3.org/2001/XMLSchema";
