//! Faults, as an agent understands them. [MS-WUSP] 2.2.2.4

use super::{
    judge::{Judge, clip},
    rulebook as rules,
    tree::Element,
};

macro_rules! fault_codes {
    ($($name:ident)*) => {
        /// `ErrorCode` of a fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum FaultCode {
            $($name,)*
        }

        impl FaultCode {
            fn parse(word: &str) -> Option<Self> {
                match word {
                    $(stringify!($name) => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

fault_codes! {
    InvalidCookie
    ServerChanged
    ConfigChanged
    CookieExpired
    RegistrationRequired
    RegistrationNotRequired
    InvalidAuthorizationCookie
    InvalidParameters
    InternalServerError
    ServerBusy
    FileLocationChanged
}

/// A SOAP fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceivedFault {
    /// `None` when agents do not know the code, or there is none.
    pub(crate) code: Option<FaultCode>,
    /// The code as it was sent.
    pub(crate) word: String,
    pub(crate) message: String,
}

/// Reads and judges a fault.
pub(super) fn read_fault(fault: &Element, judge: &mut Judge<'_>) -> ReceivedFault {
    let detail = fault.child("detail");
    let code = detail.and_then(|detail| detail.child("ErrorCode"));
    let text = |name| detail.and_then(|detail| detail.child_text(name)).unwrap_or_default();
    let Some(code) = code.filter(|code| !code.text.trim().is_empty()) else {
        let message = fault.child_text("faultstring").unwrap_or_default();
        judge.broken(&rules::FAULT_NO_CODE, format!("faultstring {:?}", clip(message)));
        let word = "(no ErrorCode)".to_owned();
        return ReceivedFault { code: None, word, message: clip(message) };
    };
    if !code.namespace.is_empty() {
        let what = format!("ErrorCode is in {:?}", clip(&code.namespace));
        judge.broken(&rules::FAULT_QUALIFIED, what);
    }
    let word = clip(&code.text);
    let code = FaultCode::parse(code.text.trim());
    if code.is_none() {
        judge.broken(&rules::FAULT_CODE_UNKNOWN, word.clone());
    }
    ReceivedFault { code, word, message: clip(text("Message")) }
}
