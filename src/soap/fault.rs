//! SOAP 1.1 faults as the services of WSUS send them: the children of `detail` have no namespace.
//! [MS-WUSP] 2.2.2.4

use super::{
    ENVELOPE,
    element::Element,
    envelope::{SoapVersion, Style, whole},
    write::escape_text,
};

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCode {
    /// The message was wrong.
    Client,
    /// The message may succeed later.
    Server,
    /// Another SOAP version.
    VersionMismatch,
}

impl FaultCode {
    /// The word on the wire, without prefix.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "Client",
            Self::Server => "Server",
            Self::VersionMismatch => "VersionMismatch",
        }
    }
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `faultcode`.
    pub code: FaultCode,
    /// `faultstring`.
    pub string: String,
    /// `faultactor`: the URL that was called. Services for agents send none.
    pub actor: Option<String>,
    /// Children of `detail`, in order; none: no `detail`.
    pub detail: Vec<(String, String)>,
}

impl Fault {
    /// The whole message.
    pub fn write(&self, style: Style) -> String {
        let s = style.prefix();
        whole(style, |w| {
            w.element(&format!("{s}:Fault"), |w| {
                w.value("faultcode", format_args!("{s}:{}", self.code.as_str()));
                w.value("faultstring", &self.string);
                w.optional("faultactor", self.actor.as_ref());
                if !self.detail.is_empty() {
                    w.element("detail", |w| {
                        for (name, value) in &self.detail {
                            w.value(name, value);
                        }
                    });
                }
            });
        })
    }

    /// The whole message in SOAP 1.2, whose faults have other elements. SOAP 1.2 part 1, 5.4
    pub fn write_12(&self, style: Style) -> String {
        let s = style.prefix();
        let code = match self.code {
            FaultCode::Client => "Sender",
            FaultCode::Server => "Receiver",
            FaultCode::VersionMismatch => "VersionMismatch",
        };
        let mut message = whole(style, |w| {
            w.element(&format!("{s}:Fault"), |w| {
                w.element(&format!("{s}:Code"), |w| {
                    w.value(&format!("{s}:Value"), format_args!("{s}:{code}"));
                });
                w.element(&format!("{s}:Reason"), |w| {
                    w.raw(&format!(
                        "<{s}:Text xml:lang=\"en\">{}</{s}:Text>",
                        escape_text(&self.string)
                    ));
                });
                w.optional(&format!("{s}:Node"), self.actor.as_ref());
                if !self.detail.is_empty() {
                    w.element(&format!("{s}:Detail"), |w| {
                        for (name, value) in &self.detail {
                            w.value(name, value);
                        }
                    });
                }
            });
        });
        SoapVersion::V12.put_on(&mut message);
        message
    }

    /// Reads the element in the body of an answer; `None` when it is no fault.
    pub fn read(body: &Element) -> Option<Self> {
        if !body.has_name(ENVELOPE, "Fault") {
            return None;
        }
        let text = |name| body.child_in("", name).map_or("", |child| child.text.trim());
        let code = match text("faultcode").rsplit(':').next() {
            Some("Client") => FaultCode::Client,
            Some("VersionMismatch") => FaultCode::VersionMismatch,
            _ => FaultCode::Server,
        };
        let detail = body.child_in("", "detail").map_or(&[][..], |detail| &detail.children);
        let detail =
            detail.iter().map(|child| (child.name.to_string(), child.text.trim().to_owned()));
        let actor = Some(text("faultactor")).filter(|actor| !actor.is_empty()).map(str::to_owned);
        Some(Self { code, string: text("faultstring").to_owned(), actor, detail: detail.collect() })
    }

    /// A child of `detail`.
    pub fn detail(&self, name: &str) -> Option<&str> {
        self.detail.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}
