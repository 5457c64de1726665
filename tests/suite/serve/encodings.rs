//! In which encodings requests come, and which are refused.

use tidegate::protocol::client;

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
