//! What stops a probe.

use std::path::PathBuf;

use crate::{certificate::TlsFailure, file_error::FileError};

/// Why a probe could not go on. What an answer has wrong without stopping the agent is a
/// [`Finding`](super::Finding), not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The address is no http or https URL.
    #[error("{url:?} is not the address of an update server; write it as http://host:8530")]
    Address {
        /// What was given.
        url: String,
    },
    /// No HTTP client can be made.
    #[error("cannot make an HTTP client")]
    Client(#[source] reqwest::Error),
    /// The file of roots cannot be used.
    #[error("cannot use the certificates in {path}: {why}")]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The certificate of the server proves nothing to an agent.
    #[error("{operation}: an agent would not connect: {why}{}", for_agents(.why))]
    Untrusted {
        /// Operation.
        operation: &'static str,
        /// What is wrong, and what to do.
        why: TlsFailure,
    },
    /// The server cannot be reached, or broke off.
    #[error("{operation}: no answer from {url}; is the server running, and the port right?")]
    Connection {
        /// Operation.
        operation: &'static str,
        /// URL that was asked.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// An answer that no agent could read; the findings say what is wrong with it.
    #[error("{operation}: the answer cannot be used: {reason}")]
    Unusable {
        /// Operation.
        operation: &'static str,
        /// Why.
        reason: String,
    },
    /// A fault that an agent does not recover from.
    #[error("{operation}: the server answers with the fault {code}{}", message_part(message))]
    Fault {
        /// Operation.
        operation: &'static str,
        /// `ErrorCode` of the fault, or what stands for it.
        code: String,
        /// `Message` of the fault.
        message: String,
    },
    /// The server takes no reports at present.
    #[error("{operation}: the server is busy{}", message_part(message))]
    Busy {
        /// Operation.
        operation: &'static str,
        /// `Message` of the fault.
        message: String,
    },
    /// The server asks again and again for the same recovery.
    #[error("{operation}: the fault {code} comes again after its recovery; an agent would loop")]
    Endless {
        /// Operation.
        operation: &'static str,
        /// `ErrorCode`.
        code: String,
    },
    /// A state file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A state file is not one of this program and version.
    #[error("{path} is not a state file of this version; delete it, and the agent starts afresh")]
    StateFormat {
        /// The file.
        path: PathBuf,
    },
    /// Payload cannot be stored.
    #[error("cannot write a downloaded file in {path}; is there space?")]
    Disk {
        /// Folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

fn message_part(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(" ({message})") }
}

/// What agents need besides the probe.
fn for_agents(why: &TlsFailure) -> &'static str {
    match why {
        TlsFailure::UnknownIssuer { .. } | TlsFailure::OfAnAuthority { .. } => {
            ". Computers need it among their trusted roots"
        }
        _ => "",
    }
}
