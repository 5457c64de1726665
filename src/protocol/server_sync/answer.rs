//! Answers as the downstream reads them.

use std::io;

use crate::protocol::ErrorCode;
use crate::{
    protocol::fault::ProtocolFault,
    soap::{self, Element, EnvelopeError, ListError, ReadError, body_of},
    update::UpdateIdentity,
};

/// Why an answer is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The upstream refuses. [MS-WSUSSS] 2.2.9.3
    #[error("the upstream answers {word} to {operation}{}", with_colon(.message))]
    Fault {
        /// What was asked.
        operation: &'static str,
        /// What decides how to go on; without one: stop.
        code: Option<ErrorCode>,
        /// `ErrorCode` as it was sent, else the fault's text.
        word: String,
        /// `Message`, may be empty; of `InvalidParameters` the name of the parameter.
        message: String,
        /// What Microsoft Update names after the words `Missing Revisions`.
        missing_revisions: Vec<UpdateIdentity>,
    },
    /// It lacks something or has it malformed.
    #[error("the answer to {operation} is malformed at {path}")]
    Malformed {
        /// What was asked.
        operation: &'static str,
        /// Where.
        path: String,
    },
    /// It is the answer to something else.
    #[error("{operation} was asked and {found:?} came back")]
    Other {
        /// What was asked.
        operation: &'static str,
        /// The element in the body.
        found: String,
    },
    /// Receiving it failed.
    #[error("receiving the answer failed")]
    Io(#[source] io::Error),
    /// It is over a limit or not well-formed.
    #[error("the answer cannot be read")]
    Read(#[from] ReadError),
    /// It is no SOAP 1.1 message.
    #[error("the answer is none of this protocol: is the address that of a WSUS?")]
    Envelope(#[from] EnvelopeError),
}

impl AnswerError {
    /// The error code, if the upstream gave one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Fault { code, .. } => *code,
            _ => None,
        }
    }
}

impl From<ListError> for AnswerError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Io(error) => Self::Io(error),
            ListError::Read(error) => Self::Read(error),
        }
    }
}

fn with_colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

fn short(text: &str) -> String {
    text.chars().take(300).collect()
}

/// The revisions that a fault of Microsoft Update names as missing, as `GUID.REVISION`, whatever
/// stands between them.
fn missing_revisions(text: &str) -> Vec<UpdateIdentity> {
    let lower = text.to_ascii_lowercase();
    let Some((_, named)) = lower.split_once("missing revisions") else { return Vec::new() };
    named
        .split(|c: char| !(c.is_ascii_hexdigit() || c == '-' || c == '.'))
        .filter_map(|word| {
            let (id, revision) = word.trim_matches('.').split_once('.')?;
            Some(UpdateIdentity { id: id.parse().ok()?, revision: revision.parse().ok()? })
        })
        .collect()
}

/// The answer to an operation, once it is known to be one.
pub(super) fn body(
    root: Element,
    namespace: &str,
    operation: &'static str,
) -> Result<Element, AnswerError> {
    let body = body_of(root)?;
    if let Some(fault) = soap::Fault::read(&body) {
        let word = fault.detail("ErrorCode").unwrap_or_default();
        let message = fault.detail("Message").unwrap_or_default();
        return Err(AnswerError::Fault {
            operation,
            code: word.parse().ok(),
            word: short(if word.is_empty() { &fault.string } else { word }),
            message: short(message),
            missing_revisions: missing_revisions(&format!("{message} {}", fault.string)),
        });
    }
    let expected = body.name.strip_suffix("Response");
    if *body.namespace != *namespace || expected != Some(operation) {
        return Err(AnswerError::Other { operation, found: short(&body.name) });
    }
    Ok(body)
}

pub(super) fn malformed(operation: &'static str, fault: &ProtocolFault) -> AnswerError {
    AnswerError::Malformed { operation, path: fault.message.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_microsoft_update_lacks_is_read_from_its_words() {
        let (one, two) =
            ("0fa1201d-4330-4fa8-8ae9-b877473b6441", "E6CF1350-C01B-414D-A61F-263D14D133B4");
        let identity = |id: &str, revision| UpdateIdentity { id: id.parse().unwrap(), revision };
        for between in [",", ", ", ";", " ", "\n", "…"] {
            let text =
                format!("Requested 7 returned 5. Missing Revisions: {one}.200{between}{two}.1.");
            assert_eq!(missing_revisions(&text), [identity(one, 200), identity(two, 1)], "{text}");
        }
        for text in [
            "",
            "updateIds",
            "Missing Revisions:",
            &format!("{one}.200"),
            &format!("Missing Revisions: {one}"),
            &format!("Missing Revisions: {one}.99999999999"),
        ] {
            assert_eq!(missing_revisions(text), [], "{text}");
        }
    }
}
