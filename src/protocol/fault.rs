//! Faults by error code. [MS-WUSP] 2.2.2.4

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::soap::{self, FaultCode};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// `ErrorCode`: what decides how a client recovers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
        }

        impl ErrorCode {
            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }

        impl FromStr for ErrorCode {
            type Err = UnknownErrorCode;

            fn from_str(word: &str) -> Result<Self, UnknownErrorCode> {
                match word {
                    $(stringify!($name) => Ok(Self::$name),)*
                    _ => Err(UnknownErrorCode { word: word.chars().take(100).collect() }),
                }
            }
        }
    };
}

codes! {
    /// The cookie is missing, or not one of ours: start again and refresh the cache.
    InvalidCookie,
    /// The cookie is ours, but the numbering of revisions is another: as `InvalidCookie`.
    ServerChanged,
    /// The configuration changed since the client asked for it: ask again.
    ConfigChanged,
    /// The cookie is past its end: get a new one.
    CookieExpired,
    /// RegisterComputer must come first.
    RegistrationRequired,
    /// RegisterComputer was not asked for.
    RegistrationNotRequired,
    /// The authorization cookie is bad, or there is not exactly one.
    InvalidAuthorizationCookie,
    /// The request does not hold what it must.
    InvalidParameters,
    /// Anything else.
    InternalServerError,
    /// Try later.
    ServerBusy,
    /// Ask for file locations again.
    FileLocationChanged,
    /// Between servers: the major version is not 1.
    IncompatibleProtocolVersion,
    /// Between servers: no revision names these files.
    FileDigestsMissing,
    /// Between servers: more driver sets at once than allowed.
    TooManyIds,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no error code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no error code")]
pub struct UnknownErrorCode {
    word: String,
}

/// Why a request fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ProtocolFault {
    /// What the client does next.
    pub code: ErrorCode,
    /// For people; of [`ErrorCode::InvalidParameters`] the path of the parameter.
    pub message: String,
}

impl ProtocolFault {
    /// A fault.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// [`ErrorCode::InvalidParameters`] for the parameter at a path.
    pub fn invalid(path: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidParameters, path)
    }

    /// What goes on the wire. `id` is logged together with the cause; `method` is the quoted
    /// SOAPAction.
    pub fn to_soap(&self, id: Uuid, method: Option<&str>) -> soap::Fault {
        let code = match self.code {
            ErrorCode::InternalServerError | ErrorCode::ServerBusy => FaultCode::Server,
            _ => FaultCode::Client,
        };
        let mut detail = vec![
            ("ErrorCode".to_owned(), self.code.to_string()),
            ("Message".to_owned(), self.message.clone()),
            ("ID".to_owned(), id.hyphenated().to_string()),
        ];
        detail.extend(method.map(|method| ("Method".to_owned(), method.to_owned())));
        soap::Fault { code, string: "Fault occurred".to_owned(), actor: None, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::Style;

    #[test]
    fn a_fault_is_written_as_specified() {
        let fault = ProtocolFault::invalid("parameters.InstalledNonLeafUpdateIDs");
        let id = uuid::uuid!("f0000000-0000-4000-8000-000000000001");
        let method =
            "\"http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService/SyncUpdates\"";
        let written = fault.to_soap(id, Some(method)).write(Style::Client);
        assert!(
            written.contains(
                "<s:Fault><faultcode>s:Client</faultcode><faultstring>Fault occurred</faultstring>\
                 <detail><ErrorCode>InvalidParameters</ErrorCode>\
                 <Message>parameters.InstalledNonLeafUpdateIDs</Message>\
                 <ID>f0000000-0000-4000-8000-000000000001</ID>\
                 <Method>\"http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService/SyncUpdates\"</Method>\
                 </detail></s:Fault>"
            ),
            "{written}"
        );
        let ours = ProtocolFault::new(ErrorCode::InternalServerError, "").to_soap(id, None);
        assert_eq!(ours.code, FaultCode::Server);
        assert_eq!(ours.detail.len(), 3);
    }

    #[test]
    fn codes_are_spelled_as_specified() {
        for word in ["InvalidCookie", "CookieExpired", "InvalidParameters", "ServerChanged"] {
            assert_eq!(word.parse::<ErrorCode>().unwrap().as_str(), word);
        }
        assert!("InvalidParameter".parse::<ErrorCode>().is_err());
    }
}
