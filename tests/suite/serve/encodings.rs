//! In which encodings requests come, and which are refused.

use tidegate::{
    protocol::{client, server_sync},
    soap::{self, SoapVersion},
};

use super::{
    Running, documents,
    session::{CLIENT, message},
};
use crate::support::http::request;

fn ask(server: &Running, headers: &str, body: &[u8]) -> u16 {
    let head =
        format!("POST {CLIENT} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{headers}", body.len());
    request(server.address, &head, body).status
}

#[test]
fn utf16_is_read_and_what_cannot_be_read_is_415() {
    let server = Running::new(&documents::site());
    let xml = message(client::NAMESPACE, "GetConfig", "<protocolVersion>1.8</protocolVersion>");
    let wide: Vec<u8> =
        format!("\u{feff}{xml}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for charset in ["utf-16", "UTF-16LE", "\"utf-16\""] {
        let headers = format!("Content-Type: text/xml; charset={charset}");
        assert_eq!(ask(&server, &headers, &wide), 200, "{charset}");
    }
    assert_eq!(ask(&server, "Content-Type: text/xml", &wide[2..]), 200, "without a mark");
    for headers in [
        "Content-Type: text/xml",
        "Content-Type: text/xml; charset=utf-8\r\nContent-Encoding: identity",
        "Content-Type: application/soap+xml; charset=\"UTF-8\"; action=\"x\"",
    ] {
        assert_eq!(ask(&server, headers, xml.as_bytes()), 200, "{headers}");
    }
    for headers in [
        "Content-Encoding: gzip",
        "Content-Encoding: identity\r\nContent-Encoding: xpress",
        "Content-Type: text/xml; charset=iso-8859-1",
    ] {
        assert_eq!(ask(&server, headers, xml.as_bytes()), 415, "{headers}");
    }
}

#[test]
fn servers_that_speak_soap_1_2_are_answered_in_it() {
    let server = Running::new(&documents::site());
    let post = |xml: &str| {
        let head = format!(
            "POST /ServerSyncWebService/ServerSyncWebService.asmx HTTP/1.1\r\nHost: x\r\n\
             Content-Length: {}\r\nContent-Type: application/soap+xml; charset=utf-8",
            xml.len()
        );
        request(server.address, &head, xml.as_bytes())
    };
    let asked = |operation: &str| {
        message(server_sync::NAMESPACE, operation, "").replace(soap::ENVELOPE, soap::ENVELOPE_12)
    };
    let read = |text: &str| {
        let root = soap::read(text.as_bytes(), &soap::MessageLimits::default()).unwrap();
        soap::message_of(root).unwrap()
    };
    let reply = post(&asked("GetAuthConfig"));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/soap+xml; charset=utf-8"));
    let (version, answer) = read(reply.text());
    assert_eq!((version, &*answer.name), (SoapVersion::V12, "GetAuthConfigResponse"));

    let reply = post(&asked("Nothing"));
    assert_eq!(reply.status, 500);
    assert_eq!(reply.header("content-type"), Some("application/soap+xml; charset=utf-8"));
    let (version, fault) = read(reply.text());
    assert_eq!((version, &*fault.name), (SoapVersion::V12, "Fault"));
    let parts: Vec<&str> = fault.children.iter().map(|child| &*child.name).collect();
    assert_eq!(parts, ["Code", "Reason", "Node", "Detail"]);
    assert!(fault.children.iter().all(|child| &*child.namespace == soap::ENVELOPE_12));
    assert_eq!(fault.children[0].children[0].text, "soap:Sender");
    // And 1.1 stays 1.1.
    let reply = post(&message(server_sync::NAMESPACE, "GetAuthConfig", ""));
    assert_eq!(reply.header("content-type"), Some("text/xml; charset=utf-8"));
    assert_eq!(read(reply.text()).0, SoapVersion::V11);
}
