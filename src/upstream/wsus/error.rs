//! What may go wrong between us and an upstream server.

use std::time::Duration;

use crate::{
    connection_failure::ConnectionFailure,
    error_chain::chain,
    protocol::{ErrorCode, server_sync::AnswerError},
    update::UpdateIdentity,
    upstream::{client::ClientError, permanent::PermanentFailure},
};

/// Why an upstream server could not be synchronized from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// The address is of no use.
    #[error("{url} is no address of a server: {why}")]
    Address {
        /// As given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Something forbids the connection, or it cannot be prepared.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The asynchronous machinery could not be started.
    #[error("cannot start the network machinery")]
    Runtime(#[source] std::io::Error),
    /// No answer, even after retries.
    #[error("no answer from {server} to {operation} in attempt {attempts}: {why}. {advice}")]
    Connection {
        /// Which call.
        operation: &'static str,
        /// The root of its address.
        server: String,
        /// How often it was tried.
        attempts: u32,
        /// The last reason.
        why: ConnectionFailure,
        /// What to do.
        advice: &'static str,
    },
    /// No connection until somebody acts.
    #[error("{operation} failed: {why}")]
    Permanent {
        /// Which call.
        operation: &'static str,
        /// What stands in the way.
        why: PermanentFailure,
    },
    /// An HTTP status that is no answer.
    #[error("{operation} at {url} was answered with HTTP {status}{}", hint(*.status, .url))]
    Status {
        /// Which call.
        operation: &'static str,
        /// Where.
        url: String,
        /// The status.
        status: u16,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The server redirects the call.
    #[error(
        "{operation} at {url} is redirected to {to:?}; redirects are not followed: give that address if it is right"
    )]
    Redirect {
        /// Which call.
        operation: &'static str,
        /// Where.
        url: String,
        /// Where to.
        to: String,
    },
    /// An answer could not be stored while it arrived.
    #[error("cannot keep the answer of the server; is the disk full?")]
    Spool(#[source] std::io::Error),
    /// The answer does not end.
    #[error("the answer to {operation} has more than {limit} bytes")]
    TooLarge {
        /// Which call.
        operation: &'static str,
        /// In bytes.
        limit: usize,
    },
    /// The answer makes no sense.
    #[error("the answer to {operation} cannot be used: {what}")]
    Unusable {
        /// Which call.
        operation: &'static str,
        /// What is wrong.
        what: String,
    },
    /// The server refuses.
    #[error("the server refuses {operation}: {word} {message}")]
    Fault {
        /// Which call.
        operation: &'static str,
        /// `ErrorCode`, when it has one that the protocol knows.
        code: Option<ErrorCode>,
        /// `ErrorCode` as it was sent, or the fault's text when it has none.
        word: String,
        /// `Message`, may be empty.
        message: String,
        /// What Microsoft Update says that it lacks.
        missing_revisions: Vec<UpdateIdentity>,
    },
    /// A name that no category has.
    #[error("{0}")]
    Choice(String),
    /// The state between runs cannot be written.
    #[error("cannot write down where the synchronization stands")]
    State(#[source] serde_json::Error),
    /// A thread of this program ended before its work was done.
    #[error("the work was broken off; synchronize again")]
    Broken,
    /// One update after the other is refused.
    #[error(
        "the server refused {0} updates one after the other; what came before is kept. Look at the server, then synchronize again"
    )]
    RefusesAll(usize),
}

impl UpstreamError {
    /// What is wrong with an answer.
    pub(super) fn answer(operation: &'static str, error: AnswerError) -> Self {
        match error {
            AnswerError::Fault { code, word, message, missing_revisions, .. } => {
                Self::Fault { operation, code, word, message, missing_revisions }
            }
            other => Self::Unusable { operation, what: chain(&other) },
        }
    }

    /// In a few words, without what to do: the same is tried again.
    pub(super) fn brief(&self) -> String {
        match self {
            Self::Connection { server, why, .. } => format!("no answer from {server}: {why}"),
            other => chain(other),
        }
    }

    /// The `ErrorCode` of a fault. One that names what is missing says enough by that.
    pub(super) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Fault { code, missing_revisions, .. } if missing_revisions.is_empty() => *code,
            _ => None,
        }
    }

    /// What the server says that it lacks.
    pub(super) fn missing_revisions(&self) -> &[UpdateIdentity] {
        match self {
            Self::Fault { missing_revisions, .. } => missing_revisions,
            _ => &[],
        }
    }

    /// Whether it is a fault with this `ErrorCode`.
    pub(super) fn is_fault(&self, code: ErrorCode) -> bool {
        self.code() == Some(code)
    }
}

fn hint(status: u16, url: &str) -> &'static str {
    match status {
        // As web servers answer plain HTTP on such a port.
        400 if url.starts_with("http:") => {
            ": if this port is one for TLS, write https:// (a WSUS has 8531 for https, 8530 for http)"
        }
        401 | 403 => ": it wants credentials, or does not serve this computer",
        404 => ": there is no WSUS at this address; its port is usually 8530 or 8531",
        407 => ": the proxy wants credentials",
        _ => "",
    }
}
