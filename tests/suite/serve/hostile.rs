//! What no agent sends: refused, and the server goes on.

use std::net::SocketAddr;

use tidegate::{
    protocol::client,
    soap::{self, Fault, FaultCode},
};

use super::{
    Running, documents,
    session::{
        CLIENT, REPORTING, SIMPLE_AUTH, Session, body, call, decoded, error_code, get_cookie,
        message,
    },
};
use crate::support::http::{Connection, get, post, request};

fn served() -> Running {
    Running::new(&documents::site())
}

/// Status and fault of a raw body.
fn sent(address: SocketAddr, bytes: &[u8]) -> (u16, Fault) {
    let reply = post(address, CLIENT, bytes, &["Accept-Encoding: xpress"]);
    assert_eq!(reply.header("content-encoding"), None, "faults are not compressed");
    assert_eq!(reply.header("content-type"), Some("text/xml; charset=utf-8"));
    assert_eq!(reply.header("connection"), Some("close"));
    (reply.status, Fault::read(&body(reply.text())).expect("a fault"))
}

#[test]
fn what_is_no_message_is_a_fault() {
    let server = served();
    let config = "<protocolVersion>1.8</protocolVersion>";
    let good = message(client::NAMESPACE, "GetConfig", config);
    let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
    let wide = format!("<a>{}</a>", "<b/>".repeat(300_000));
    for (what, xml, why) in [
        ("nothing", String::new(), "no element"),
        ("text", "hello".to_owned(), "outside the root"),
        ("a document type", format!("<!DOCTYPE x [<!ENTITY e \"boo\">]>{good}"), "document types"),
        ("an entity", good.replace("1.8", "&e;"), "entity"),
        ("cut short", good[..good.len() - 9].to_owned(), "byte"),
        ("too deep", message(client::NAMESPACE, "GetConfig", &deep), "more than 32 levels"),
        (
            "too many elements",
            message(client::NAMESPACE, "GetConfig", &wide),
            "more than 200000 elements",
        ),
        ("no envelope", "<a/>".to_owned(), "no SOAP envelope"),
        (
            "no operation",
            message(client::NAMESPACE, "GetConfig", "").replace("GetConfig", "Nothing"),
            "Nothing is not an operation",
        ),
        (
            "another namespace",
            message("urn:other", "GetConfig", config),
            "GetConfig is not an operation",
        ),
        (
            "a newer operation",
            message(client::NAMESPACE, "GetTimestamps", ""),
            "GetTimestamps is not an operation",
        ),
        ("no version", message(client::NAMESPACE, "GetConfig", ""), "protocolVersion"),
    ] {
        let (status, fault) = sent(server.address, xml.as_bytes());
        assert_eq!(status, 500, "{what}");
        assert_eq!(fault.code, FaultCode::Client, "{what}");
        assert_eq!(fault.detail("ErrorCode"), Some("InvalidParameters"), "{what}");
        let message = fault.detail("Message").unwrap();
        assert!(message.contains(why), "{what}: {message}");
        assert_eq!(fault.detail("ID").unwrap().len(), 36, "{what}");
    }
    for garbage in [&[0xff, 0xfe, b'<', 0][..], &[0; 5000], b"<a>\xc3\x28</a>"] {
        assert_eq!(sent(server.address, garbage).0, 500);
    }
    let soap12 = good.replace(soap::ENVELOPE, "http://www.w3.org/2003/05/soap-envelope");
    assert_eq!(sent(server.address, soap12.as_bytes()).1.code, FaultCode::VersionMismatch);
    // And it still answers.
    assert_eq!(post(server.address, CLIENT, good.as_bytes(), &[]).status, 200);
}

#[test]
fn the_action_comes_back_in_a_fault() {
    let server = served();
    let action =
        "\"http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService/SyncUpdates\"";
    let xml = message(client::NAMESPACE, "SyncUpdates", "<parameters/>");
    let reply = post(server.address, CLIENT, xml.as_bytes(), &[&format!("SOAPAction: {action}")]);
    let fault = Fault::read(&body(reply.text())).unwrap();
    assert_eq!(fault.detail("ErrorCode"), Some("InvalidCookie"));
    assert_eq!(fault.detail("Method"), Some(action));
    let order: Vec<&str> = fault.detail.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(order, ["ErrorCode", "Message", "ID", "Method"]);
    // The other family of services has another prefix, and a declaration.
    let reply = post(server.address, REPORTING, xml.as_bytes(), &[]);
    assert!(reply.text().starts_with("<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope"));
}

#[test]
fn oversized_bodies_are_refused_before_they_are_read() {
    let server = served();
    let head = |length: &str| format!("POST {CLIENT} HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n");
    let mut connection = Connection::open(server.address);
    connection.send(head("Content-Length: 8388609").as_bytes());
    assert_eq!(connection.answer(false).status, 413);
    assert!(connection.is_closed());

    // Without a stated length it is cut off when it gets too long.
    let mut connection = Connection::open(server.address);
    connection.send(head("Transfer-Encoding: chunked").as_bytes());
    let chunk = format!("100000\r\n{}\r\n", " ".repeat(1 << 20));
    for _ in 0..9 {
        connection.try_send(chunk.as_bytes());
    }
    // The rest of what was sent may make the system throw the answer away.
    assert!(connection.try_head().is_none_or(|head| head.status == 413));

    // A large one that is allowed is read.
    let cookie = Session::new(server.address, "pc-1", "2.90").cookie;
    let ids = "<int>7</int>".repeat(100_000);
    let inner = format!(
        "<cookie>{cookie}</cookie><parameters><OtherCachedUpdateIDs>{ids}</OtherCachedUpdateIDs>\
         <SkipSoftwareSync>false</SkipSoftwareSync></parameters>"
    );
    let (status, text) = call(server.address, CLIENT, client::NAMESPACE, "SyncUpdates", &inner);
    assert_eq!(status, 200, "{}", &text[..300.min(text.len())]);
}

#[test]
fn services_take_posts_only_and_on_any_spelling_of_their_paths() {
    let server = served();
    for path in [CLIENT, SIMPLE_AUTH, REPORTING] {
        assert_eq!(get(server.address, "GET", path, &[]).status, 405, "{path}");
    }
    let xml = message(client::NAMESPACE, "GetConfig", "<protocolVersion>1.8</protocolVersion>");
    for path in ["/clientwebservice/CLIENT.ASMX", "/ClientWebService/Client.asmx?x=Y"] {
        assert_eq!(post(server.address, path, xml.as_bytes(), &[]).status, 200, "{path}");
    }
    let reporting = "http://www.microsoft.com/SoftwareDistribution";
    for path in
        [REPORTING, "/ReportingWebService/WebService.asmx", "/reportingwebservice/webservice.asmx"]
    {
        let (status, text) = call(server.address, path, reporting, "GetRequiredInventoryType", "");
        assert_eq!(status, 200, "{path}");
        assert!(text.contains("<GetRequiredInventoryTypeResult>0<"), "{text}");
    }
    assert_eq!(post(server.address, "/ClientWebService/", xml.as_bytes(), &[]).status, 404);
}

/// An uncompressed answer goes to those who did not ask for another.
#[test]
fn plain_answers_are_plain() {
    let server = served();
    let xml = message(client::NAMESPACE, "GetConfig", "<protocolVersion>1.8</protocolVersion>");
    let plain = post(server.address, CLIENT, xml.as_bytes(), &[]);
    let packed = post(server.address, CLIENT, xml.as_bytes(), &["Accept-Encoding: xpress"]);
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(packed.header("content-encoding"), Some("xpress"));
    assert_eq!(plain.text(), decoded(&packed));
    assert!(packed.body.len() < plain.body.len());
}

#[test]
fn cookies_are_checked_in_every_operation() {
    let site = documents::site();
    let server = Running::new(&site);
    let session = Session::new(server.address, "pc-1", "2.90");
    let (open, close) = ("<EncryptedData>", "</EncryptedData>");
    let data = super::session::between(&session.cookie, "EncryptedData");
    let other = if data.as_bytes()[30] == b'A' { "B" } else { "A" };
    let flipped = format!("{}{other}{}", &data[..30], &data[31..]);
    let parameters = "<parameters/><revisionIDs/><infoTypes><XmlUpdateFragmentType>Core</XmlUpdateFragmentType></infoTypes>\
         <computerInfo><DnsName>x</DnsName></computerInfo>";
    for operation in [
        "RegisterComputer",
        "SyncUpdates",
        "SyncPrinterCatalog",
        "RefreshCache",
        "GetExtendedUpdateInfo",
        "GetExtendedUpdateInfo2",
        "GetFileLocations",
    ] {
        for bad in ["", "AAAA", "no base64", flipped.as_str()] {
            let inner = format!("<cookie>{open}{bad}{close}</cookie>{parameters}");
            let (status, text) = call(server.address, CLIENT, client::NAMESPACE, operation, &inner);
            assert_eq!(status, 500);
            assert_eq!(error_code(&text).as_deref(), Some("InvalidCookie"), "{operation} {bad}");
        }
        let text = session.with_cookie(operation, parameters);
        assert_eq!(error_code(&text), None, "{operation}: {text}");
    }
    let inner = format!("<cookie>{open}{flipped}{close}</cookie>");
    let (_, text) = call(
        server.address,
        REPORTING,
        "http://www.microsoft.com/SoftwareDistribution",
        "ReportEventBatch",
        &inner,
    );
    assert_eq!(error_code(&text).as_deref(), Some("InvalidCookie"));
    // An authorization cookie is no cookie.
    let inner = format!("<cookie>{open}{}{close}</cookie>{parameters}", session.authorization);
    let (_, text) = call(server.address, CLIENT, client::NAMESPACE, "SyncUpdates", &inner);
    assert_eq!(error_code(&text).as_deref(), Some("InvalidCookie"));
}

#[test]
fn the_handshake_says_what_is_wrong() {
    let site = documents::site();
    let server = Running::new(&site);
    let session = Session::unregistered(server.address, "pc-1", "2.90");
    let get = |authorization: &str, old: &str, last_change: &str| {
        let inner = get_cookie(authorization, old, last_change, "2.90");
        let (_, text) = call(server.address, CLIENT, client::NAMESPACE, "GetCookie", &inner);
        error_code(&text)
    };
    let code = |code: &str| Some(code.to_owned());
    let (good, now) = (&session.authorization, session.last_change.as_str());
    assert_eq!(get(good, "", now), None);
    assert_eq!(get(good, &session.cookie, now), None);
    assert_eq!(get("AAAA", "", now), code("InvalidAuthorizationCookie"));
    assert_eq!(get("", "", now), code("InvalidAuthorizationCookie"));
    assert_eq!(get(good, "<EncryptedData>AAAA</EncryptedData>", now), code("InvalidCookie"));
    assert_eq!(get(good, "", "2001-01-01T00:00:00Z"), code("ConfigChanged"));
    // The same instant, written otherwise.
    let longer = format!("{}000", now.trim_end_matches('Z'));
    if now.contains('.') {
        assert_eq!(get(good, "", &longer), None);
    }
    // Not registered yet.
    let text = session.with_cookie("SyncUpdates", "<parameters/>");
    assert_eq!(error_code(&text), code("RegistrationRequired"));
    for who in ["", "<clientId>a b</clientId><dnsName>x</dnsName>", "<clientId>a</clientId>"] {
        let (_, text) = call(
            server.address,
            SIMPLE_AUTH,
            tidegate::protocol::simple_auth::NAMESPACE,
            "GetAuthorizationCookie",
            who,
        );
        assert_eq!(error_code(&text), code("InvalidParameters"), "{who}");
    }
    // A server of the same site, started anew, takes the cookie; and LastChange has not moved.
    drop(server);
    let server = Running::new(&site);
    let again = Session { address: server.address, ..session };
    let info = "<computerInfo><DnsName>pc-1</DnsName></computerInfo>";
    assert_eq!(error_code(&again.with_cookie("RegisterComputer", info)), None);
    let fresh = Session::new(server.address, "pc-1", "2.90");
    assert_eq!(fresh.last_change, again.last_change);
}

/// When the catalogue comes to follow another mirror, the numbers mean something else.
#[test]
fn another_numbering_is_server_changed() {
    let site = documents::site();
    let server = Running::new(&site);
    let session = Session::new(server.address, "pc-1", "2.90");
    drop(server);
    let mut catalog = tidegate::catalog::Catalog::open(&site.data.catalog()).unwrap();
    let mut writer = catalog.write().unwrap();
    writer.set_mirror_id(uuid::Uuid::from_u128(7)).unwrap();
    writer.commit().unwrap();
    let server = Running::new(&site);
    let session = Session { address: server.address, ..session };
    let text = session.with_cookie("SyncUpdates", "<parameters/>");
    assert_eq!(error_code(&text).as_deref(), Some("ServerChanged"));
    // Or when numbers had to be taken back.
    let session = Session::new(server.address, "pc-1", "2.90");
    drop(server);
    let mut writer = catalog.write().unwrap();
    writer.set_renumbered("3 2026-01-01").unwrap();
    writer.commit().unwrap();
    let server = Running::new(&site);
    let session = Session { address: server.address, ..session };
    let text = session.with_cookie("SyncUpdates", "<parameters/>");
    assert_eq!(error_code(&text).as_deref(), Some("ServerChanged"));
}

#[test]
fn broken_http_is_survived() {
    let server = served();
    for bytes in
        [&b"\r\n\r\n"[..], b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"POST / HTTP/9.9\r\n\r\n"]
    {
        let mut connection = Connection::open(server.address);
        connection.try_send(bytes);
        drop(connection);
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: x", "a".repeat(100_000));
    let status = request(server.address, &long, b"").status;
    assert!([404, 414, 431].contains(&status), "{status}");
    assert_eq!(get(server.address, "GET", "/Content/anonymousCheckFile.txt", &[]).status, 200);
}
