//! A Core fragment of many megabytes, as cumulative updates have them.

use tidegate::update::{self, DocumentLimits};

use super::{
    Running,
    documents::{self, DETECTOID, update},
    session::{CLIENT, Session, body, decoded, message},
};
use crate::support::http::{Connection, post};

const LARGE: i32 = 300;

#[test]
fn a_fragment_of_many_megabytes_goes_out_unharmed() {
    let site = documents::site();
    // Rules that do not repeat, so that they stay large when compressed.
    let mut state = 1_u64;
    let rules: String = (0..150_000)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            format!("<r:RegDword Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"{state:016x}\" Value=\"a&amp;b\" />")
        })
        .collect();
    let rules = format!("<IsInstallable><l:And>{rules}</l:And></IsInstallable>");
    let payload = b"payload of the large one";
    let xml = documents::child(LARGE, payload, "large.cab", &rules);
    site.add(LARGE, xml.as_bytes());
    site.add_payload(payload);
    site.approve(update(LARGE));
    let core = update::fragments(xml.as_bytes(), &DocumentLimits::default()).unwrap().core;
    assert!(core.len() > 10_000_000);

    let server = Running::new(&site);
    let mut session = Session::new(server.address, "pc-1", "2.90");
    let roots = session.sync(&[], &[]);
    assert_eq!(super::session::ids(&roots, "NewUpdates"), [DETECTOID]);

    let inner = format!(
        "<cookie>{}</cookie><parameters><InstalledNonLeafUpdateIDs><int>{DETECTOID}</int>\
         </InstalledNonLeafUpdateIDs><SkipSoftwareSync>false</SkipSoftwareSync></parameters>",
        session.cookie
    );
    let xml = message(tidegate::protocol::client::NAMESPACE, "SyncUpdates", &inner);
    for headers in [&["Accept-Encoding: xpress"][..], &[]] {
        let reply = post(server.address, CLIENT, xml.as_bytes(), headers);
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-encoding").is_some(), !headers.is_empty());
        let text = decoded(&reply);
        let result = body(&text).child("SyncUpdatesResult").unwrap().clone();
        let info = result.items("NewUpdates", "UpdateInfo").next().unwrap();
        assert_eq!(info.value("ID"), Some("300"));
        assert!(info.child("Xml").unwrap().text == core, "the fragment came out changed");
    }

    // A client that goes away in the middle does no harm.
    let mut connection = Connection::open(server.address);
    connection.send(
        format!("POST {CLIENT} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{xml}", xml.len())
            .as_bytes(),
    );
    assert_eq!(connection.head().status, 200);
    drop(connection);
    assert_eq!(session.sync(&[], &[DETECTOID]).items("NewUpdates", "UpdateInfo").count(), 0);
}
