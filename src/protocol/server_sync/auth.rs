//! How a downstream comes to its cookie. [MS-WSUSSS] 3.1.4.1 to 3.1.4.3

use std::convert::Infallible;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use uuid::Uuid;

use super::{
    DSS_AUTH_NAMESPACE,
    operation::{Operation, write_result},
};
use crate::protocol::ErrorCode;
use crate::{
    protocol::{
        cookie::EncodedCookie, fault::ProtocolFault, fields::Fields, time::DateTime,
        version::ProtocolVersion,
    },
    soap::{Element, Writer},
};

/// The only plug-in.
pub const PLUG_IN: &str = "DssTargeting";
/// Where DssAuth is, under the root of the server.
pub const SERVICE_URL: &str = "DssAuthWebService/DssAuthWebService.asmx";

/// How to authorize? [MS-WSUSSS] 3.1.4.1
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GetAuthConfig;

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthConfig {
    /// Nobody looks at it.
    pub last_change: DateTime,
    /// Where [`GetAuthorizationCookie`] goes, under the root of the server.
    pub service_url: String,
}

impl Operation for GetAuthConfig {
    type Answer = AuthConfig;
    const NAME: &'static str = "GetAuthConfig";

    fn read(_: &Element) -> Result<Self, ProtocolFault> {
        Ok(Self)
    }

    fn write_fields(&self, _: &mut Writer<Infallible>) {}

    fn read_answer(answer: &Element) -> Result<AuthConfig, ProtocolFault> {
        let result = Fields::new(answer).within("GetAuthConfigResult")?;
        let plug_ins = result.each_within("AuthInfo", "AuthPlugInInfo", 100)?;
        let service_url = plug_ins
            .iter()
            .find(|plug_in| plug_in.maybe_text("PlugInID") == Some(PLUG_IN))
            .ok_or_else(|| ProtocolFault::invalid("GetAuthConfigResult.AuthInfo"))?
            .text("ServiceUrl")?;
        Ok(AuthConfig {
            last_change: result.get("LastChange")?,
            service_url: service_url.trim_start_matches('/').to_owned(),
        })
    }
}

impl AuthConfig {
    /// Writes the answer.
    pub fn write<F>(&self, w: &mut Writer<F>) {
        write_result::<GetAuthConfig, F>(w, |w| {
            w.value("LastChange", self.last_change);
            w.element("AuthInfo", |w| {
                w.element("AuthPlugInInfo", |w| {
                    w.value("PlugInID", PLUG_IN);
                    w.value("ServiceUrl", &self.service_url);
                    w.element("Parameter", |_| {});
                });
            });
        });
    }
}

/// A downstream says who it is. [MS-WSUSSS] 3.1.4.2
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetAuthorizationCookie {
    /// Its name, as a rule the FQDN: a claim.
    pub account_name: String,
    /// Its id, chosen by itself.
    pub account_guid: Uuid,
}

/// What lets it ask for a cookie. It travels in two namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DssAuthorization {
    /// As it was sent.
    pub plug_in: String,
    /// Opaque to the downstream.
    pub data: Vec<u8>,
}

impl Operation for GetAuthorizationCookie {
    type Answer = DssAuthorization;
    const NAME: &'static str = "GetAuthorizationCookie";
    const NAMESPACE: &'static str = DSS_AUTH_NAMESPACE;

    /// Microsoft's library swaps name and GUID; both of its are GUIDs of zeros.
    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        let fields = Fields::new(operation);
        let name = fields.text("accountName")?;
        let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
        if name.len() > 255 || !name.bytes().all(is_allowed) {
            return Err(ProtocolFault::invalid("accountName"));
        }
        let guid = Uuid::try_parse(fields.text("accountGuid")?);
        let account_guid = guid.map_err(|_| ProtocolFault::invalid("accountGuid"))?;
        Ok(Self { account_name: name.to_owned(), account_guid })
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        w.value("accountName", &self.account_name);
        w.value("accountGuid", self.account_guid.hyphenated());
    }

    fn read_answer(answer: &Element) -> Result<DssAuthorization, ProtocolFault> {
        DssAuthorization::read(&Fields::new(answer).within("GetAuthorizationCookieResult")?)
    }
}

impl DssAuthorization {
    fn read(fields: &Fields<'_>) -> Result<Self, ProtocolFault> {
        Ok(Self {
            plug_in: fields.maybe_text("PlugInId").unwrap_or_default().to_owned(),
            data: fields
                .base64("CookieData")?
                .ok_or_else(|| ProtocolFault::invalid("CookieData"))?,
        })
    }

    fn write_fields<F>(&self, w: &mut Writer<F>) {
        w.value("PlugInId", &self.plug_in);
        w.value("CookieData", STANDARD.encode(&self.data));
    }

    /// Writes the answer of DssAuth.
    pub fn write<F>(&self, w: &mut Writer<F>) {
        write_result::<GetAuthorizationCookie, F>(w, |w| self.write_fields(w));
    }
}

/// A downstream asks for its cookie. [MS-WSUSSS] 3.1.4.3
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetCookie {
    /// From DssAuth.
    pub authorization: DssAuthorization,
    /// The last cookie, if there was one.
    pub old_cookie: Option<SyncCookie>,
    /// What the downstream speaks. 1.20 is newer than 1.8.
    pub version: ProtocolVersion,
}

/// A cookie as a downstream keeps it. [MS-WSUSSS] 2.2.4.8
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncCookie {
    /// `Expiration`, as it was sent: it goes back like that.
    pub expiration: String,
    /// `EncryptedData`.
    pub data: Vec<u8>,
}

impl Operation for GetCookie {
    type Answer = SyncCookie;
    const NAME: &'static str = "GetCookie";

    fn read(operation: &Element) -> Result<Self, ProtocolFault> {
        const LIST: &str = "authCookies";
        let fields = Fields::new(operation);
        let cookies = fields.each_within(LIST, "AuthorizationCookie", 1)?;
        let cookie = cookies.first().ok_or_else(|| ProtocolFault::invalid(LIST))?;
        Ok(Self {
            authorization: DssAuthorization::read(cookie).map_err(|_| {
                ProtocolFault::new(ErrorCode::InvalidAuthorizationCookie, "CookieData is no cookie")
            })?,
            // Nothing depends on it.
            old_cookie: SyncCookie::read(&fields, "oldCookie").unwrap_or_default(),
            version: fields.get("protocolVersion")?,
        })
    }

    fn write_fields(&self, w: &mut Writer<Infallible>) {
        w.element("authCookies", |w| {
            w.element("AuthorizationCookie", |w| self.authorization.write_fields(w));
        });
        if let Some(cookie) = &self.old_cookie {
            cookie.write("oldCookie", w);
        }
        w.value("protocolVersion", self.version);
    }

    fn read_answer(answer: &Element) -> Result<SyncCookie, ProtocolFault> {
        const RESULT: &str = "GetCookieResult";
        SyncCookie::read(&Fields::new(answer), RESULT)?
            .ok_or_else(|| ProtocolFault::invalid(RESULT))
    }
}

impl SyncCookie {
    /// Until when it may be sent, if that can be read.
    pub fn expires(&self) -> Option<DateTime> {
        self.expiration.parse().ok()
    }

    /// Absent, empty and without data are alike.
    ///
    /// # Errors
    /// `InvalidCookie`.
    pub(super) fn read(fields: &Fields<'_>, name: &str) -> Result<Option<Self>, ProtocolFault> {
        let Some(cookie) = fields.maybe_within(name) else { return Ok(None) };
        let data = cookie.base64("EncryptedData").map_err(|_| {
            ProtocolFault::new(ErrorCode::InvalidCookie, "the cookie is not base64")
        })?;
        let expiration = cookie.maybe_text("Expiration").unwrap_or_default().to_owned();
        Ok(data.map(|data| Self { expiration, data }))
    }

    pub(super) fn write<F>(&self, name: &str, w: &mut Writer<F>) {
        w.element(name, |w| {
            w.value("Expiration", &self.expiration);
            w.value("EncryptedData", STANDARD.encode(&self.data));
        });
    }

    /// Writes the answer to GetCookie.
    pub fn write_answer<F>(cookie: &EncodedCookie, w: &mut Writer<F>) {
        w.element_in(GetCookie::NAMESPACE, "GetCookieResponse", |w| {
            cookie.write("GetCookieResult", w);
        });
    }
}
