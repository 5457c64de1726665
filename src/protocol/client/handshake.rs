//! GetConfig and GetCookie.

use jiff::Timestamp;

use super::NAMESPACE;
use crate::protocol::ErrorCode;
use crate::{
    protocol::{
        cookie::{EncodedCookie, read_cookie},
        fault::ProtocolFault,
        fields::Fields,
        time::DateTime,
        version::ProtocolVersion,
    },
    soap::{Element, Writer},
};

/// What a client asks first. [MS-WUSP] 2.2.2.2.1
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetConfig {
    /// The client's protocol version.
    pub version: ProtocolVersion,
}

impl GetConfig {
    /// Reads the operation.
    ///
    /// # Errors
    /// `InvalidParameters`.
    pub fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        Ok(Self { version: Fields::new(operation).get("protocolVersion")? })
    }
}

/// The answer to GetConfig. [MS-WUSP] 2.2.2.2.1
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// When any of this last changed.
    pub last_change: Timestamp,
    /// Whether clients must call RegisterComputer.
    pub registration_required: bool,
    /// `ConfigurationProperty` name and value, in order.
    pub properties: Vec<(&'static str, String)>,
}

impl Config {
    /// Writes the answer.
    pub fn write<F>(&self, w: &mut Writer<F>) {
        w.element_in(NAMESPACE, "GetConfigResponse", |w| {
            w.element("GetConfigResult", |w| {
                w.value("LastChange", DateTime(self.last_change));
                w.value("IsRegistrationRequired", self.registration_required);
                w.element("AuthInfo", |w| {
                    w.element("AuthPlugInInfo", |w| {
                        w.value("PlugInID", "SimpleTargeting");
                        w.value("ServiceUrl", "SimpleAuthWebService/SimpleAuth.asmx");
                        w.element("Parameter", |_| {});
                    });
                });
                w.element("Properties", |w| {
                    for (name, value) in &self.properties {
                        w.element("ConfigurationProperty", |w| {
                            w.value("Name", name);
                            w.value("Value", value);
                        });
                    }
                });
            });
        });
    }
}

/// A client asks for its cookie. [MS-WUSP] 2.2.2.2.2
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetCookie {
    /// `CookieData` of the one authorization cookie.
    pub authorization: Vec<u8>,
    /// `EncryptedData` of the cookie that the client had.
    pub old_cookie: Option<Vec<u8>>,
    /// `LastChange` of the configuration that the client has.
    pub last_change: Timestamp,
    /// The client's protocol version.
    pub version: ProtocolVersion,
}

impl GetCookie {
    /// Reads the operation.
    ///
    /// # Errors
    /// `InvalidAuthorizationCookie` when there is not exactly one, `InvalidCookie`,
    /// `InvalidParameters`.
    pub fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        let bad = |why| ProtocolFault::new(ErrorCode::InvalidAuthorizationCookie, why);
        let cookies = fields
            .each_within("authCookies", "AuthorizationCookie", 1)
            .map_err(|_| bad("more than one"))?;
        let cookie = cookies.first().ok_or_else(|| bad("missing"))?;
        let data = cookie.base64("CookieData").map_err(|_| bad("not base64"))?;
        Ok(Self {
            authorization: data.ok_or_else(|| bad("empty"))?,
            old_cookie: read_cookie(&fields, "oldCookie")?,
            last_change: fields.get::<DateTime>("lastChange")?.0,
            version: fields.get("protocolVersion")?,
        })
    }
}

/// Writes the answer to GetCookie.
pub fn write_cookie<F>(cookie: &EncodedCookie, w: &mut Writer<F>) {
    w.element_in(NAMESPACE, "GetCookieResponse", |w| cookie.write("GetCookieResult", w));
}
