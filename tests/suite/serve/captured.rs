//! Every message that a real agent was seen to send is accepted, with our cookie put in.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use bundle_format::digest::Sha1;
use tidegate::fleet::ComplianceState;

use super::{
    Running, Site,
    mask::each_text,
    session::{decoded, error_code},
};
use crate::support::{
    http::{Reply, request},
    real_data::real_data,
};

/// The revisions whose documents we hold, with the numbers of the recorded WSUS.
pub(super) const HELD: &[(i32, &str)] = &[
    (72571, "dd78b8a1-0b20-45c1-add6-4da72e9364cf-r202"),
    (108_226, "56309036-4c77-4dd9-951a-99ee9c246a94-r101"),
    (108_231, "6964aab4-c5b5-43bd-a17d-ffb4346a8e1d-r100"),
    (192_576, "7366a74a-ef29-44e1-b738-570b516aca1f-r200"),
    (197_762, "266f6222-c89d-43f2-9f8a-69340271e677-r200"),
    (200_373, "ff36f0b5-dded-4780-8664-cd78af8b62c1-r200"),
    (200_712, "ccb78947-6453-4ecc-9de8-bc0305c98f2d-r200"),
    (200_724, "1f9bd9bb-7390-4aa3-bbdb-ded99fac2583-r200"),
    (200_996, "a2fef9b0-7951-4c2c-a42b-9e351dd1c1fe-r200"),
];

/// Updates that the held ones require and whose documents we do not hold: two categories and three
/// detectoids. Documents of our own stand in for them, under these numbers.
pub(super) const STAND_INS: &[(i32, &str)] = &[
    (1, "e0789628-ce08-4437-be74-2495b842f43b"),
    (2, "8c3fcc84-7410-4a95-8b89-a166a0190486"),
    (3, "be4048db-157c-4532-9582-7f05099590c9"),
    (4, "59653007-e2e9-4f71-8525-2ff588527978"),
    (5, "0aac58ee-82a0-4452-a7fa-19f68398f1fa"),
];

pub(super) fn folder(real: &Path) -> PathBuf {
    real.join("captures/agent-win11-25h2")
}

/// A site with the nine documents; two of them approved for all.
pub(super) fn site(real: &Path) -> Site {
    let site = Site::new();
    for (id, update) in STAND_INS {
        let xml = format!(
            "<Update xmlns=\"http://schemas.microsoft.com/msus/2002/12/Update\">\
             <UpdateIdentity UpdateID=\"{update}\" RevisionNumber=\"1\" />\
             <Properties UpdateType=\"Category\" /></Update>"
        );
        site.add(*id, xml.as_bytes());
    }
    for (id, name) in HELD {
        let path = real.join("captures/metadata/documents").join(format!("{name}.xml"));
        let document = site.add(*id, &fs::read(path).unwrap());
        site.pretend_files(&document);
        if ["a2fef9b0", "7366a74a"].iter().any(|approved| name.starts_with(approved)) {
            site.approve(document.identity.id);
        }
    }
    site
}

/// Recorded requests, sent again with what belongs to our server put in.
pub(super) struct Replay {
    address: SocketAddr,
    values: BTreeMap<&'static str, String>,
}

impl Replay {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, values: BTreeMap::new() }
    }

    /// Sends a recorded request as it was sent, host and all; keeps the cookies of the answer.
    pub(super) fn send(&mut self, folder: &Path, name: &str) -> (Reply, String) {
        let read = |kind: &str| fs::read_to_string(folder.join(format!("{name}.request.{kind}")));
        let body = read("xml").or_else(|_| read("excerpt.xml")).unwrap();
        // Recorded reports came without their headers.
        let head = read("headers").unwrap_or_else(|_| {
            "POST /ReportingWebService/ReportingWebService.asmx HTTP/1.1\r\nHost: 192.0.2.1:8530\r\n\
             Content-Type: text/xml; charset=utf-8\r\nAccept-Encoding: xpress\r\n"
                .to_owned()
        });
        self.send_body(&head, &body)
    }

    /// The same with another body.
    pub(super) fn send_body(&mut self, head: &str, body: &str) -> (Reply, String) {
        let mut filled = String::new();
        let mut fill = |path: &[String], text: &str| {
            let name = path.last().map_or("", String::as_str);
            let known = self.values.get(name).or_else(|| {
                (name == "lastChange").then(|| self.values.get("LastChange")).flatten()
            });
            // The only Expiration without EncryptedData is that of the first, empty cookie.
            if name == "Expiration" && !body.contains("<cookie>") {
                return text.to_owned();
            }
            known.cloned().unwrap_or_else(|| text.to_owned())
        };
        each_text(body, &mut fill, &mut filled);
        let head: Vec<&str> = head
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("Content-Length"))
            .collect();
        let head = format!("{}\r\nContent-Length: {}", head.join("\r\n"), filled.len());
        let reply = request(self.address, &head, filled.as_bytes());
        let text = decoded(&reply);
        let mut keep = |path: &[String], text: &str| {
            for name in ["LastChange", "CookieData", "EncryptedData", "Expiration"] {
                if path.last().is_some_and(|last| last == name) {
                    self.values.insert(name, text.to_owned());
                }
            }
            String::new()
        };
        each_text(&text, &mut keep, &mut String::new());
        (reply, text)
    }
}

/// Names of all recorded exchanges whose requests we have, in order.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".request.") && name.ends_with(".xml"))
        .map(|name| name.split('.').next().unwrap().to_owned())
        .collect();
    // The scan begins with the handshake; the flow came later.
    names.sort_by_key(|name| (!name.starts_with("scan"), name.clone()));
    names
}

#[test]
fn every_recorded_request_is_accepted() {
    let Some(real) = real_data() else { return };
    let site = site(&real);
    let server = Running::new(&site);
    let mut replay = Replay::new(server.address);
    let names = names(&folder(&real));
    assert_eq!(names.len(), 15, "{names:?}");
    for name in &names {
        let (reply, text) = replay.send(&folder(&real), name);
        assert_eq!(reply.status, 200, "{name}: {text}");
        assert_eq!(error_code(&text), None, "{name}");
        assert_eq!(reply.header("content-encoding"), Some("xpress"), "{name}");
        assert_eq!(reply.header("content-type"), Some("text/xml; charset=utf-8"), "{name}");
        assert_eq!(reply.header("vary"), Some("Accept-Encoding"), "{name}");
        let private = if name.contains("Report") || name.contains("Authorization") {
            "private, max-age=0"
        } else {
            "private"
        };
        assert_eq!(reply.header("cache-control"), Some(private), "{name}");
        if name == "flow-000001-SyncUpdates" {
            // 1,116 ids of which we know none but some: unknown ids are no mistake.
            assert!(text.contains("<OutOfScopeRevisionIDs><int>"), "{text}");
        }
    }
    let reports = real.join("captures/agent-reports");
    for name in ["closure-000225", "closure-000226", "staged-000232", "staged-000233"] {
        // Twice: an agent that got no answer sends the same events again.
        for _ in 0..2 {
            let (reply, text) = replay.send(&reports, &format!("{name}-ReportEventBatch"));
            assert_eq!(reply.status, 200, "{name}: {text}");
            assert!(text.contains("<ReportEventBatchResult>true<"), "{name}: {text}");
        }
    }

    let fleet = site.fleet();
    let [computer] = &fleet.computers().unwrap()[..] else { panic!("not one computer") };
    assert_eq!(computer.id, "e1da06a3-5601-43c9-bac3-52d5db701494");
    assert!(computer.last_sync.is_some() && computer.last_report.is_some());
    let details = computer.details.as_ref().unwrap();
    assert_eq!(details["os_build_number"], 26200);
    assert_eq!(details["processor_architecture"], "AMD64");
    let events = fleet.events(&computer.id, 1000).unwrap();
    assert_eq!(events.len(), 4 + 9 + 2 + 2 * (5 + 1), "each event once");
    assert!(events.iter().any(|event| event.event_id == 182 && event.hresult == -2_145_099_769));
    let states = fleet.compliance(Some(&computer.id)).unwrap();
    assert!(states.iter().any(|c| c.state == ComplianceState::Installed), "{states:?}");
}

/// Files are named as on the recorded server, and by the address that the client asked.
#[test]
fn file_urls_are_those_of_the_recorded_server() {
    let Some(real) = real_data() else { return };
    let text =
        fs::read_to_string(folder(&real).join("flow-000015-GetExtendedUpdateInfo.response.xml"));
    let text = text.unwrap();
    let mut found = 0;
    for location in text.split("<FileLocation>").skip(1) {
        let digest = super::session::between(location, "FileDigest");
        let url = super::session::between(location, "Url");
        let name = Sha1::from_base64(&digest).unwrap().to_string().to_uppercase();
        assert_eq!(url, format!("http://192.0.2.1:8530/Content/{}/{name}.exe", &name[38..]));
        found += 1;
    }
    assert_eq!(found, 9);
}
