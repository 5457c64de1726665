//! A client that has shaken hands, and sends messages of its own.

use std::net::SocketAddr;

use tidegate::{
    protocol::{client, simple_auth, xpress},
    soap::{self, Element, MessageLimits},
};

use crate::support::http::{Reply, post};

pub(super) const CLIENT: &str = "/ClientWebService/client.asmx";
pub(super) const SIMPLE_AUTH: &str = "/SimpleAuthWebService/SimpleAuth.asmx";
pub(super) const REPORTING: &str = "/ReportingWebService/ReportingWebService.asmx";

/// A message as agents write it.
pub(super) fn message(namespace: &str, operation: &str, inner: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
         <{operation} xmlns=\"{namespace}\">{inner}</{operation}></s:Body></s:Envelope>"
    )
}

/// Sends a message and gives the text of the answer.
pub(super) fn call(
    address: SocketAddr,
    path: &str,
    namespace: &str,
    operation: &str,
    inner: &str,
) -> (u16, String) {
    let action = format!("SOAPAction: \"{namespace}/{operation}\"");
    let body = message(namespace, operation, inner);
    let headers = ["Accept-Encoding: xpress", &action];
    let reply = post(address, path, body.as_bytes(), &headers);
    (reply.status, decoded(&reply))
}

/// The text of an answer, unpacked if it is packed.
pub(super) fn decoded(reply: &Reply) -> String {
    match reply.header("content-encoding") {
        Some("xpress") => {
            String::from_utf8(xpress::decompress(&reply.body, usize::MAX).unwrap()).unwrap()
        }
        None => reply.text().to_owned(),
        other => panic!("encoding {other:?}"),
    }
}

/// The element in the body.
pub(super) fn body(text: &str) -> Element {
    let limits = MessageLimits { bytes: usize::MAX, ..MessageLimits::default() };
    soap::body_of(soap::read(text.as_bytes(), &limits).unwrap()).unwrap()
}

/// The error code of a fault; `None` for an answer.
pub(super) fn error_code(text: &str) -> Option<String> {
    soap::Fault::read(&body(text))
        .map(|fault| fault.detail("ErrorCode").unwrap_or_default().to_owned())
}

/// A computer with its cookie.
pub(super) struct Session {
    pub(super) address: SocketAddr,
    /// The children of `cookie`.
    pub(super) cookie: String,
    pub(super) authorization: String,
    pub(super) last_change: String,
}

impl Session {
    /// GetConfig, GetAuthorizationCookie, GetCookie, RegisterComputer.
    pub(super) fn new(address: SocketAddr, computer: &str, version: &str) -> Self {
        let session = Self::unregistered(address, computer, version);
        let info = format!("<computerInfo><DnsName>{computer}</DnsName></computerInfo>");
        assert_eq!(error_code(&session.with_cookie("RegisterComputer", &info)), None);
        session
    }

    pub(super) fn unregistered(address: SocketAddr, computer: &str, version: &str) -> Self {
        let asked = format!("<protocolVersion>{version}</protocolVersion>");
        let (_, config) = call(address, CLIENT, client::NAMESPACE, "GetConfig", &asked);
        let last_change = between(&config, "LastChange");
        let who = format!("<clientId>{computer}</clientId><dnsName>{computer}</dnsName>");
        let (_, answer) =
            call(address, SIMPLE_AUTH, simple_auth::NAMESPACE, "GetAuthorizationCookie", &who);
        let authorization = between(&answer, "CookieData");
        let inner = get_cookie(&authorization, "", &last_change, version);
        let (status, answer) = call(address, CLIENT, client::NAMESPACE, "GetCookie", &inner);
        assert_eq!(status, 200, "{answer}");
        Self { address, cookie: between(&answer, "GetCookieResult"), authorization, last_change }
    }

    /// Calls an operation of the Client service with the cookie; gives the answer's text.
    pub(super) fn with_cookie(&self, operation: &str, inner: &str) -> String {
        let inner = format!("<cookie>{}</cookie>{inner}", self.cookie);
        call(self.address, CLIENT, client::NAMESPACE, operation, &inner).1
    }

    /// One round of the software pass.
    pub(super) fn sync(&mut self, installed: &[i32], cached: &[i32]) -> Element {
        let list = |name: &str, ids: &[i32]| {
            let items: String = ids.iter().map(|id| format!("<int>{id}</int>")).collect();
            format!("<{name}>{items}</{name}>")
        };
        let text = self.with_cookie(
            "SyncUpdates",
            &format!(
                "<parameters>{}{}<SkipSoftwareSync>false</SkipSoftwareSync></parameters>",
                list("InstalledNonLeafUpdateIDs", installed),
                list("OtherCachedUpdateIDs", cached)
            ),
        );
        assert_eq!(error_code(&text), None, "{text}");
        self.cookie = between(&text, "NewCookie");
        body(&text).child("SyncUpdatesResult").unwrap().clone()
    }
}

/// What stands in GetCookie.
pub(super) fn get_cookie(
    authorization: &str,
    old: &str,
    last_change: &str,
    version: &str,
) -> String {
    format!(
        "<authCookies><AuthorizationCookie><PlugInId>SimpleTargeting</PlugInId>\
         <CookieData>{authorization}</CookieData></AuthorizationCookie></authCookies>\
         <oldCookie>{old}</oldCookie><lastChange>{last_change}</lastChange>\
         <currentTime>2026-01-01T00:00:00Z</currentTime><protocolVersion>{version}</protocolVersion>"
    )
}

/// What stands between the tags of the first element of this name.
pub(super) fn between(text: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let from = text.find(&open).unwrap_or_else(|| panic!("no {name} in {text}")) + open.len();
    let to = text[from..].find(&close).unwrap();
    text[from..from + to].to_owned()
}

/// Ids of the updates in a list of an answer.
pub(super) fn ids(result: &Element, list: &str) -> Vec<i32> {
    result
        .items(list, "UpdateInfo")
        .map(|info| info.value("ID").unwrap().parse().unwrap())
        .collect()
}
