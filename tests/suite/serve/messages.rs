//! The messages in `tests/messages/`, of our own making: see its README.

use std::{env, fs, path::Path};

use bundle_format::digest::{Sha1, Sha256};
use jiff::Timestamp;
use tidegate::fleet::ComplianceState;

use super::{
    Running,
    captured::Replay,
    documents::{self, PARENT, PRODUCT, document, title, update},
    mask::{MASKS, assert_equal, masked},
    session::{CLIENT, REPORTING, SIMPLE_AUTH},
};
use crate::support::real_data::requests;

/// An update with a licence in two languages, one of them for one country too.
pub(super) const LICENSED: i32 = 107;

pub(super) fn licensed() -> String {
    let eula = |language: &str, country: &str| {
        let text = format!("licence in {language}{country}");
        let (sha1, sha256) = (Sha1::hash(text.as_bytes()), Sha256::hash(text.as_bytes()));
        format!(
            "<EulaFile Digest=\"{}\" DigestAlgorithm=\"SHA1\" FileName=\"eula.txt\" Size=\"{}\" \
             Modified=\"2026-01-01T00:00:00Z\" Language=\"{language}\"{country}>\
             <AdditionalDigest Algorithm=\"SHA256\">{}</AdditionalDigest></EulaFile>",
            sha1.to_base64(),
            text.len(),
            sha256.to_base64()
        )
    };
    let texts = title("en", "With a licence")
        + &eula("en", "")
        + &eula("de", "")
        + &eula("de", " GeoId=\"DEU\"");
    let needs = format!(
        "<Prerequisites><AtLeastOne IsCategory=\"true\"><UpdateIdentity UpdateID=\"{}\" />\
         </AtLeastOne></Prerequisites>",
        update(PRODUCT)
    );
    let properties = "UpdateType=\"Software\" ExplicitlyDeployable=\"true\" \
                      EulaID=\"e1000000-0000-4000-8000-000000000001\"";
    document(LICENSED, properties, &texts, &needs, "")
}

#[test]
fn our_messages_are_answered_as_written() {
    let site = documents::site();
    site.add(LICENSED, licensed().as_bytes());
    site.fleet().accept_eula("e1000000-0000-4000-8000-000000000001", Timestamp::now()).unwrap();
    site.fleet().create_group("Pumps", None).unwrap();
    site.approve(update(PARENT));
    site.approve(update(LICENSED));
    let server = Running::new(&site);
    let mut replay = Replay::new(server.address);

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages");
    let names = requests(&folder);
    assert_eq!(names.len(), 24);
    for name in names {
        let request = fs::read_to_string(folder.join(format!("{name}.request.xml"))).unwrap();
        let (path, service) = match &request {
            r if r.contains("/ClientWebService\"") => (CLIENT, "Server/ClientWebService/"),
            r if r.contains("/SimpleAuthWebService\"") => {
                (SIMPLE_AUTH, "Server/SimpleAuthWebService/")
            }
            _ => (REPORTING, ""),
        };
        let before = request.split(" xmlns=\"http://www.microsoft.com").next().unwrap();
        let operation = before.rsplit('<').next().unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: wsus.plant.example:8530\r\nAccept-Encoding: xpress\r\n\
             SOAPAction: \"http://www.microsoft.com/SoftwareDistribution/{service}{operation}\"\r\n"
        );
        let (reply, text) = replay.send_body(&head, &request);
        let is_fault = name.contains("fault") || name.contains("not-registered");
        assert_eq!(reply.status, if is_fault { 500 } else { 200 }, "{name}: {text}");
        let expected = folder.join(format!("{name}.response.xml"));
        if env::var_os("TIDEGATE_BLESS").is_some() {
            fs::write(&expected, masked(&text, MASKS)).unwrap();
        }
        assert_equal(&text, &fs::read_to_string(&expected).unwrap(), MASKS, &name);
    }

    // And what they left behind.
    let fleet = site.fleet();
    let [computer] = &fleet.computers().unwrap()[..] else { panic!("not one computer") };
    assert_eq!(computer.id, "5c1e0000-0000-4000-8000-00000000000a");
    assert_eq!(computer.dns_name, "pump-7.plant.example");
    assert_eq!(computer.groups, [fleet.group("Pumps").unwrap().id]);
    let details = computer.details.as_ref().unwrap();
    assert_eq!(details["manufacturer"], "Tidewater & Sons");
    let states = fleet.compliance(Some(&computer.id)).unwrap();
    let state = |revision| states.iter().find(|c| c.update == update(revision)).unwrap().state;
    assert_eq!(state(PARENT), ComplianceState::Installed);
    assert_eq!(state(LICENSED), ComplianceState::Failed);
    let events = fleet.events(&computer.id, 10).unwrap();
    assert_eq!(events.len(), 2);
    assert!(events.iter().any(|e| e.extended["processor_architecture"] == "Arm64Compatible"));
}
