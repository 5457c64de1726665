//! The stand-in against recordings of a real WSUS: its answers are the truth for the judge, and the
//! requests of the real agent are the model for ours.

use std::{collections::BTreeMap, fs, path::PathBuf};

use quick_xml::{Reader, events::Event as Xml};
use tidegate::agent::{Probe, ProbeOptions, Severity};

use super::{
    agent_flow,
    support::mock::{Asked, Mock, Reply},
    support::real_data::real_data,
};
use crate::support::real_data::FIRST_SCAN;

const OOBE: &str = "dd78b8a1-0b20-45c1-add6-4da72e9364cf";
const EXPIRATION: &str = "2026-10-04T16:03:35.9967236Z";

struct Recordings(PathBuf);

impl Recordings {
    fn find() -> Option<Self> {
        Some(Self(real_data()?.join("captures/agent-win11-25h2")))
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// A recorded answer as of now: sent from `host`, with a cookie that still lives.
    fn reply(&self, name: &str, host: &str) -> Reply {
        let file = ["response.xml", "response.excerpt.xml"]
            .map(|end| format!("{name}.{end}"))
            .into_iter()
            .find(|file| self.0.join(file).exists())
            .unwrap();
        let body = self
            .text(&file)
            .replace("192.0.2.1:8530", host)
            .replace(EXPIRATION, "2999-10-04T16:03:35.9967236Z");
        let mut reply = Reply::soap(body);
        for line in self.text(&format!("{name}.response.headers")).lines().skip(1) {
            if let Some((key, value)) = line.split_once(": ")
                && key != "Content-Length"
            {
                reply = reply.with(key, value);
            }
        }
        reply
    }
}

/// Serves recorded answers by operation, each list in order, the last one again and again.
async fn replay(plan: &[(&'static str, &[&'static str])]) -> Option<Mock> {
    let recordings = Recordings::find()?;
    let plan: BTreeMap<_, Vec<_>> =
        plan.iter().map(|(operation, names)| (*operation, names.to_vec())).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mock = Mock::serve(|host| {
        let host = host.to_owned();
        Box::new(move |asked: &Asked| {
            let operation = asked.operation();
            let names = &plan[operation.as_str()];
            let count = counts.entry(operation).or_default();
            let name = names[(*count).min(names.len() - 1)];
            *count += 1;
            recordings.reply(name, &host)
        })
    });
    Some(mock.await)
}

const HANDSHAKE: [(&str, &[&str]); 5] = [
    ("GetConfig", &["scan-000001-GetConfig"]),
    ("GetAuthorizationCookie", &["scan-000002-GetAuthorizationCookie"]),
    ("GetCookie", &["scan-000003-GetCookie"]),
    ("RegisterComputer", &["scan-000004-RegisterComputer"]),
    ("ReportEventBatch", &["flow-000016-ReportEventBatch"]),
];

fn category_scan() -> Vec<(&'static str, &'static [&'static str])> {
    let mut plan = HANDSHAKE.to_vec();
    plan.push(("StartCategoryScan", &["scan-000005-StartCategoryScan"]));
    plan.push((
        "SyncUpdates",
        &[
            "scan-000006-SyncUpdates",
            "scan-000007-SyncUpdates",
            "scan-000008-SyncUpdates",
            "scan-000009-SyncUpdates",
        ],
    ));
    plan.push(("GetExtendedUpdateInfo", &["scan-000010-GetExtendedUpdateInfo"]));
    plan
}

/// The recorded first scan of a Windows 11, made again: same calls, same requests, nothing found
/// wrong with the answers.
#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_scan_is_made_again() {
    let Some(mock) = replay(&category_scan()).await else { return };
    let recordings = Recordings::find().unwrap();
    let options =
        ProbeOptions { categories: vec![OOBE.parse().unwrap()], ..ProbeOptions::default() };
    let report = agent_flow::probe(&mock, options).await;
    // xpress was taken off before the recordings were published; nothing else may be said.
    let said: Vec<_> =
        report.findings.iter().filter(|finding| finding.rule != "xpress-not-offered").collect();
    assert!(said.is_empty(), "{said:#?}");
    assert_eq!((report.rounds, report.updates_seen), (4, 3));
    assert!(report.unknown_rules.is_empty());
    let asked = mock.asked();
    for (name, ours) in FIRST_SCAN.iter().zip(&asked) {
        let file = ["request.xml", "request.excerpt.xml"]
            .map(|end| format!("{name}.{end}"))
            .into_iter()
            .find(|file| recordings.0.join(file).exists())
            .unwrap();
        compare_bodies(name, &recordings.text(&file), &ours.body);
        compare_heads(name, &recordings.text(&format!("{name}.request.headers")), ours);
    }
    assert_eq!(asked.len(), FIRST_SCAN.len() + 1, "and one report");
    assert!(asked.last().unwrap().body.contains("<EventID>147</EventID>"));
}

/// Elements whose text is the machine's, the server's or the moment's own.
const OWN: &[&str] = &[
    "EncryptedData",
    "CookieData",
    "Expiration",
    "currentTime",
    "clientId",
    "dnsName",
    "DnsName",
    "ComputerManufacturer",
    "ComputerModel",
    "BiosVersion",
    "OEM",
    "DeviceType",
    "FirmwareVersion",
    "DeviceAttributes",
    "deviceAttributes",
    "CallerAttributes",
    "callerAttributes",
];

/// Path and text of every element in order. Devices and computer ids of a driver pass, which are the
/// machine's, are left out.
fn flatten(text: &str) -> Vec<String> {
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut out: Vec<(String, String)> = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Xml::Start(tag) => {
                path.push(tag.name().into_inner().to_owned());
                out.push((path.join("/"), String::new()));
            }
            Xml::Empty(tag) => {
                let name = tag.name().into_inner();
                out.push((format!("{}/{name}", path.join("/")), String::new()));
            }
            Xml::Text(piece) => {
                if let Some((_, text)) = out.last_mut() {
                    text.push_str(&piece.xml10_content());
                }
            }
            Xml::End(_) => drop(path.pop()),
            Xml::Eof => break,
            _ => {}
        }
    }
    let last = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    out.into_iter()
        .filter(|(path, _)| !path.contains("/Device/") && last(path) != "Device")
        .filter(|(path, _)| last(path) != "guid" || !path.contains("ComputerSpec"))
        .map(
            |(path, text)| {
                if OWN.contains(&last(&path).as_str()) { path } else { format!("{path}={text}") }
            },
        )
        .collect()
}

fn compare_bodies(name: &str, recorded: &str, ours: &str) {
    let (recorded, ours) = (flatten(recorded), flatten(ours));
    for (theirs, ours) in recorded.iter().zip(&ours) {
        assert_eq!(ours, theirs, "{name}");
    }
    assert_eq!(recorded.len(), ours.len(), "{name}");
}

/// Request line and headers: same order, same values, but for the length, the host and the vector.
/// Names are compared without case, and `Accept`, which our HTTP client adds, is left out.
fn compare_heads(name: &str, recorded: &str, ours: &Asked) {
    let mut lines = recorded.lines();
    assert_eq!(lines.next(), Some(ours.line.as_str()), "{name}");
    let mask = |key: &str, value: &str| {
        let key = key.to_lowercase();
        let own = ["content-length", "host", "ms-cv"].contains(&key.as_str());
        if own { key } else { format!("{key}: {value}") }
    };
    let theirs: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(key, value)| mask(key, value))
        .collect();
    let ours: Vec<_> = ours
        .headers
        .iter()
        .filter(|(key, value)| {
            !(key == "Accept" && value == "*/*" && !theirs.iter().any(|t| t.starts_with("accept:")))
        })
        .map(|(key, value)| mask(key, value))
        .collect();
    assert_eq!(ours, theirs, "{name}");
}

/// Pages of a later scan: an approved bundle, children, detectoids with long rules. In this replay
/// the agent knows nothing of the thousand revisions that the real one had, so that their
/// prerequisites look open; no error may be found.
#[tokio::test(flavor = "multi_thread")]
async fn recorded_pages_hold_no_error() {
    let mut plan = HANDSHAKE.to_vec();
    plan.push((
        "SyncUpdates",
        &["flow-000012-SyncUpdates", "flow-000001-SyncUpdates", "flow-000014-SyncUpdates"],
    ));
    plan.push(("GetExtendedUpdateInfo", &["flow-000015-GetExtendedUpdateInfo"]));
    let Some(mock) = replay(&plan).await else { return };
    let mut agent = Probe::new(&mock.url, ProbeOptions::default()).unwrap();
    let report = agent.run(&mut |_| {}).await.unwrap();
    let rules: Vec<_> = report.findings.iter().map(|finding| finding.rule).collect();
    assert!(report.with_severity(Severity::Error).next().is_none(), "{:#?}", report.findings);
    for rule in rules {
        assert!(["xpress-not-offered", "prerequisite-open"].contains(&rule), "{rule}");
    }
    assert_eq!(report.updates_seen, 9);
    // All rules in these pages are known.
    assert!(report.unknown_rules.is_empty(), "{:?}", report.unknown_rules);
}

/// Extended metadata of eighteen revisions and nine files, asked for by a scan that sees exactly
/// these: no error.
#[tokio::test(flavor = "multi_thread")]
async fn recorded_extended_metadata_holds_no_error() {
    let Some(recordings) = Recordings::find() else { return };
    let request = recordings.text("flow-000015-GetExtendedUpdateInfo.request.xml");
    let ids: Vec<&str> =
        request.split("<int>").skip(1).map(|part| part.split('<').next().unwrap()).collect();
    assert_eq!(ids.len(), 18);
    let page: String = ids
        .iter()
        .map(|id| format!("<UpdateInfo><ID>{id}</ID><Deployment><ID>{id}</ID><Action>Install</Action><IsAssigned>true</IsAssigned><LastChangeTime>2026-10-04</LastChangeTime><AutoSelect>0</AutoSelect><AutoDownload>0</AutoDownload><SupersedenceBehavior>0</SupersedenceBehavior></Deployment><IsLeaf>true</IsLeaf><Xml>&lt;UpdateIdentity UpdateID=\"d0000000-0000-4000-8000-{id:0>12}\" RevisionNumber=\"1\" /&gt;&lt;Properties UpdateType=\"Software\" /&gt;</Xml></UpdateInfo>"))
        .collect();
    let mut first = true;
    let mock = Mock::serve(|host| {
        let host = host.to_owned();
        Box::new(move |asked: &Asked| {
            let operation = asked.operation();
            let plan = HANDSHAKE.iter().find(|(name, _)| *name == operation);
            match (operation.as_str(), plan) {
                (_, Some((_, names))) => recordings.reply(names[0], &host),
                ("SyncUpdates", _) => {
                    let reply = recordings.reply("flow-000014-SyncUpdates", &host);
                    let body = String::from_utf8(reply.body.clone()).unwrap();
                    let new = if std::mem::take(&mut first) { page.as_str() } else { "" };
                    let new = format!("<SyncUpdatesResult><NewUpdates>{new}</NewUpdates>");
                    Reply { body: body.replace("<SyncUpdatesResult>", &new).into_bytes(), ..reply }
                }
                _ => recordings.reply("flow-000015-GetExtendedUpdateInfo", &host),
            }
        })
    })
    .await;
    let options = ProbeOptions { assume_all: true, ..ProbeOptions::default() };
    let report = agent_flow::probe(&mock, options).await;
    let said: Vec<_> =
        report.findings.iter().filter(|finding| finding.rule != "xpress-not-offered").collect();
    assert!(said.is_empty(), "{said:#?}");
    assert_eq!(report.offered.len(), 18);
    assert_eq!(report.offered.iter().filter(|offer| offer.files == 1).count(), 9);
    assert_eq!(
        report.offered.iter().filter(|offer| offer.kb.as_deref() == Some("2267602")).count(),
        6
    );
    assert!(report.offered.iter().all(|offer| !offer.title.is_empty()));
    let asked = &mock.requests("GetExtendedUpdateInfo")[0].body;
    assert!(ids.iter().all(|id| asked.contains(&format!("<int>{id}</int>"))));
}

/// The device elements of our driver pass are those of the recorded one, in its order.
#[tokio::test(flavor = "multi_thread")]
async fn devices_are_described_as_recorded() {
    let Some(mock) = replay(&category_scan()).await else { return };
    let recordings = Recordings::find().unwrap();
    agent_flow::probe(
        &mock,
        ProbeOptions { categories: vec![OOBE.parse().unwrap()], ..ProbeOptions::default() },
    )
    .await;
    let ours = mock.requests("SyncUpdates")[3].body.clone();
    let theirs = recordings.text("scan-000009-SyncUpdates.request.excerpt.xml");
    let devices = |text: &str| -> Vec<Vec<String>> {
        text.split("<Device>")
            .skip(1)
            .map(|device| {
                let device = device.split("</Device>").next().unwrap();
                device
                    .split('<')
                    .skip(1)
                    .filter(|tag| !tag.starts_with(['/']))
                    .map(|tag| tag.split('>').next().unwrap().trim_end_matches('/').to_owned())
                    .fold(Vec::new(), |mut names, name| {
                        if names.last() != Some(&name) {
                            names.push(name);
                        }
                        names
                    })
            })
            .collect()
    };
    let (ours, theirs) = (devices(&ours), devices(&theirs));
    assert_eq!(ours.len(), 3);
    // With a driver and without one: element for element as some recorded device.
    for device in &ours[..2] {
        let plain = |names: &[String]| -> Vec<String> {
            names
                .iter()
                .filter(|name| !["CompatibleIDs", "string"].contains(&name.as_str()))
                .cloned()
                .collect()
        };
        assert!(theirs.iter().any(|theirs| plain(theirs) == plain(device)), "{device:?}");
    }
    assert!(theirs.contains(&ours[0]), "{:?}", ours[0]);
}

/// Our reports against the recorded ones of a successful installation: same events, same elements,
/// and of the tags the same in the same order, as far as we have something to say.
#[tokio::test(flavor = "multi_thread")]
async fn events_are_reported_as_recorded() {
    let Some(data) = real_data() else { return };
    let mock = agent_flow::serve(|_, reply| reply).await;
    agent_flow::probe(&mock, agent_flow::full()).await;
    let ours = mock.requests("ReportEventBatch");
    let folder = data.join("captures/agent-reports");
    for (n, name) in ["staged-000232", "staged-000233"].into_iter().enumerate() {
        let file = folder.join(format!("{name}-ReportEventBatch.request.xml"));
        let theirs = fs::read_to_string(file).unwrap();
        let ours = &ours[n].body;
        assert_eq!(names_without_misc(ours), names_without_misc(&theirs), "{name}");
        for element in [
            "EventID",
            "NamespaceID",
            "SourceID",
            "SequenceNumber",
            "Win32HResult",
            "Major",
            "Minor",
            "Build",
            "Revision",
            "OSLocaleID",
            "ProcessorArchitecture",
        ] {
            assert_eq!(values(ours, element), values(&theirs, element), "{name}: {element}");
        }
        for (ours, theirs) in tags(ours).iter().zip(&tags(&theirs)) {
            let mut rest = theirs.iter();
            for tag in ours {
                assert!(rest.any(|other| other == tag), "{name}: {tag} in {ours:?}, {theirs:?}");
            }
            assert!(ours.len() + 3 >= theirs.len(), "{ours:?}, {theirs:?}");
        }
    }
}

fn names_without_misc(text: &str) -> Vec<String> {
    flatten(text)
        .into_iter()
        .map(|line| line.split('=').next().unwrap().to_owned())
        .filter(|path| !path.ends_with("MiscData/string"))
        .collect()
}

fn values(text: &str, element: &str) -> Vec<String> {
    text.split(&format!("<{element}>"))
        .skip(1)
        .map(|part| part.split('<').next().unwrap().to_owned())
        .collect()
}

/// Tags of `MiscData`, event by event.
fn tags(text: &str) -> Vec<Vec<String>> {
    text.split("<MiscData>")
        .skip(1)
        .map(|part| {
            let part = part.split("</MiscData>").next().unwrap();
            values(part, "string")
                .iter()
                .map(|item| item.split('=').next().unwrap().to_owned())
                .collect()
        })
        .collect()
}

/// The recorded heads of content answers raise nothing; the heads of our requests are theirs.
#[tokio::test(flavor = "multi_thread")]
async fn content_is_asked_for_as_recorded() {
    let Some(recordings) = Recordings::find() else { return };
    let name = "content-headers-middle-range-Get";
    let head = recordings.text(&format!("{name}.response.headers"));
    let mock = agent_flow::serve(move |asked, mut reply| {
        if asked.operation() == "Content" {
            for (key, value) in head.lines().filter_map(|line| line.split_once(": ")) {
                if !["Content-Length", "Content-Range"].contains(&key) {
                    reply = reply.with(key, value);
                }
            }
        }
        reply
    })
    .await;
    let report = agent_flow::probe(&mock, agent_flow::full()).await;
    assert!(
        report.with_severity(Severity::Warning).next().is_none() && report.is_clean(),
        "{:#?}",
        report.findings
    );
    let asked = &mock.requests("Content")[0];
    let recorded = recordings.text(&format!("{name}.request.headers"));
    let own = |text: &str| {
        text.lines()
            .skip(1)
            .filter(|line| !line.to_lowercase().starts_with("range"))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let ours = Asked {
        headers: asked
            .headers
            .iter()
            .filter(|(key, _)| !key.eq_ignore_ascii_case("range"))
            .cloned()
            .collect(),
        ..asked.clone()
    };
    compare_heads(name, &format!("{}\n{}", asked.line, own(&recorded)), &ours);
    let place =
        |headers: Vec<String>| headers.iter().position(|key| key.eq_ignore_ascii_case("range"));
    let theirs = recorded
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(key, _)| key.to_owned())
        .collect();
    assert_eq!(place(asked.headers.iter().map(|(key, _)| key.clone()).collect()), place(theirs));
}
