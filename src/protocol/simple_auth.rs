//! The SimpleAuth web service. [MS-WUSP] 2.2.2.1

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{fault::ProtocolFault, fields::Fields};
use crate::soap::{Element, Writer};

/// Namespace of the service, and of the SOAPAction before `/` and the operation.
pub const NAMESPACE: &str =
    "http://www.microsoft.com/SoftwareDistribution/Server/SimpleAuthWebService";

/// A client says who it is. [MS-WUSP] 2.2.2.1.1
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetAuthorizationCookie {
    /// `ClientIdString`, in lower case.
    pub client: String,
    /// Groups that policy names, divided by `;`.
    pub target_group: Option<String>,
    /// DNS name of the computer.
    pub dns_name: String,
}

impl GetAuthorizationCookie {
    /// Reads the operation.
    ///
    /// # Errors
    /// `InvalidParameters` when the client id or the DNS name is missing, too long, or the id holds
    /// anything but letters, digits and hyphens.
    pub fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        let client = fields.text("clientId")?;
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if client.len() > 255 || !client.bytes().all(is_allowed) {
            return Err(ProtocolFault::invalid("clientId"));
        }
        let dns_name = fields.text("dnsName")?;
        if dns_name.chars().count() > 255 {
            return Err(ProtocolFault::invalid("dnsName"));
        }
        let target_group = fields.maybe_text("targetGroupName").map(str::to_owned);
        if target_group.as_ref().is_some_and(|groups| groups.len() > 4096) {
            return Err(ProtocolFault::invalid("targetGroupName"));
        }
        Ok(Self {
            client: client.to_ascii_lowercase(),
            target_group,
            dns_name: dns_name.to_owned(),
        })
    }
}

/// Writes the answer to GetAuthorizationCookie. Mind `PlugInId`: GetConfig has `PlugInID`.
pub fn write_authorization_cookie<F>(token: &[u8], w: &mut Writer<F>) {
    w.element_in(NAMESPACE, "GetAuthorizationCookieResponse", |w| {
        w.element("GetAuthorizationCookieResult", |w| {
            w.value("PlugInId", "SimpleTargeting");
            w.value("CookieData", STANDARD.encode(token));
        });
    });
}
