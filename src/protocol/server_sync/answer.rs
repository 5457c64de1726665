//! Answers as the downstream reads them.

use std::io;

use crate::protocol::ErrorCode;
use crate::{
    protocol::fault::ProtocolFault,
    soap::{self, Element, EnvelopeError, ListError, ReadError, body_of},
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

/// The answer to an operation, once it is known to be one.
pub(super) fn body(
    root: Element,
    namespace: &str,
    operation: &'static str,
) -> Result<Element, AnswerError> {
    let body = body_of(root)?;
    if let Some(fault) = soap::Fault::read(&body) {
        let word = fault.detail("ErrorCode").unwrap_or_default();
        return Err(AnswerError::Fault {
            operation,
            code: word.parse().ok(),
            word: short(if word.is_empty() { &fault.string } else { word }),
            message: short(fault.detail("Message").unwrap_or_default()),
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
