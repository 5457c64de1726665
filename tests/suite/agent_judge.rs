//! Every rule of the judge, broken on purpose: a good answer, bent in one place, must give
//! the finding that the rule is for.

use tidegate::agent::{Probe, ProbeOptions, ProbeReport, Severity};

use super::{
    agent_flow,
    support::agent_fake::{BUNDLE, CHILD, COMPANY, DETECTOID, EXPIRATION, OTHER},
    support::mock::{Asked, Reply},
};

type Bend = Box<dyn Fn(&Asked, Reply) -> Reply + Send>;

/// Runs with a bent server and gives what is known at the end, even if the probe failed.
async fn judged(options: ProbeOptions, bend: Bend) -> ProbeReport {
    let mock = agent_flow::serve(bend).await;
    let mut agent = Probe::new(&mock.url, options).unwrap();
    let outcome = agent.run(&mut |_| {}).await;
    outcome.unwrap_or_else(|_| agent.report())
}

fn rules(report: &ProbeReport) -> Vec<&'static str> {
    let mut rules: Vec<_> = report.findings.iter().map(|finding| finding.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    rules.retain(|rule| *rule != "xpress-not-offered");
    rules
}

/// Replaces a text in the answers to an operation. A text that is not there, a test that cannot
/// fail, is told by the answer not changing at all.
fn text(operation: &'static str, from: &str, to: &str) -> Bend {
    let (from, to) = (from.to_owned(), to.to_owned());
    Box::new(move |asked, reply| {
        if asked.operation() != operation {
            return reply;
        }
        let body = String::from_utf8(reply.body.clone()).unwrap();
        Reply { body: body.replacen(&from, &to, 1).into_bytes(), ..reply }
    })
}

fn reply(operation: &'static str, bend: impl Fn(Reply) -> Reply + Send + 'static) -> Bend {
    Box::new(move |asked, reply| if asked.operation() == operation { bend(reply) } else { reply })
}

fn escaped(text: &str) -> String {
    text.replace('<', "&lt;").replace('>', "&gt;")
}

const SYNC: &str = "SyncUpdates";
const INFO: &str = "GetExtendedUpdateInfo";

#[tokio::test(flavor = "multi_thread")]
async fn bent_texts_are_found() {
    let core = |from: &str, to: &str| (escaped(from), escaped(to));
    let plain = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    let identity = format!("<UpdateIdentity UpdateID=\"{COMPANY}\" RevisionNumber=\"1\" />");
    let twice = "<UpdateInfo><ID>1</ID><Deployment><ID>1</ID><Action>Evaluate</Action><IsAssigned>true</IsAssigned><LastChangeTime>2026-10-04</LastChangeTime><AutoSelect>0</AutoSelect><AutoDownload>0</AutoDownload><SupersedenceBehavior>0</SupersedenceBehavior></Deployment><IsLeaf>true</IsLeaf><Xml>x</Xml></UpdateInfo><UpdateInfo><ID>1</ID>";
    let cases: Vec<(&str, &'static str, (String, String))> = vec![
        // Envelope
        ("xml-broken", SYNC, plain("</s:Body>", "")),
        (
            "soap-envelope",
            SYNC,
            plain("schemas.xmlsoap.org/soap/envelope/", "www.w3.org/2003/05/soap-envelope"),
        ),
        (
            "soap-response-name",
            "RegisterComputer",
            plain(
                "<RegisterComputerResponse xmlns=\"http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService\"></RegisterComputerResponse>",
                "<Registered xmlns=\"http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService\"/>",
            ),
        ),
        ("soap-namespace", SYNC, plain("<Truncated>", "<Truncated xmlns=\"urn:other\">")),
        (
            "element-order",
            SYNC,
            plain(
                "<ID>1001</ID><Action>Evaluate</Action>",
                "<Action>Evaluate</Action><ID>1001</ID>",
            ),
        ),
        ("element-missing", SYNC, plain("<LastChangeTime>2026-10-04</LastChangeTime>", "")),
        (
            "element-repeated",
            SYNC,
            plain("<IsLeaf>false</IsLeaf>", "<IsLeaf>false</IsLeaf><IsLeaf>false</IsLeaf>"),
        ),
        ("element-unknown", SYNC, plain("<Truncated>", "<Surprise/><Truncated>")),
        (
            "element-nil",
            SYNC,
            plain(
                "<SyncUpdatesResult>",
                "<SyncUpdatesResult><OutOfScopeRevisionIDs xsi:nil=\"true\"/>",
            ),
        ),
        ("value-bad", SYNC, plain("<Truncated>false", "<Truncated>no")),
        // Handshake
        (
            "config-property-missing",
            "GetConfig",
            plain(
                "<Name>MaxExtendedUpdatesPerRequest</Name><Value>50",
                "<Name>Max</Name><Value>50",
            ),
        ),
        ("config-protocol-version", "GetConfig", plain("<Value>3.2</Value>", "<Value>3.1</Value>")),
        (
            "config-inventory",
            "GetConfig",
            plain(
                "<Name>IsInventoryRequired</Name><Value>0",
                "<Name>IsInventoryRequired</Name><Value>1",
            ),
        ),
        ("config-auth", "GetConfig", plain("<ServiceUrl>Simple", "<ServiceUrl>/Simple")),
        (
            "value-bad",
            "GetConfig",
            plain("<LastChange>2026-01-02T03:04:05.67Z", "<LastChange>yesterday"),
        ),
        (
            "cookie-empty",
            "GetCookie",
            plain("<EncryptedData>AAAA</EncryptedData>", "<EncryptedData></EncryptedData>"),
        ),
        ("value-bad", "GetCookie", plain("<EncryptedData>AAAA<", "<EncryptedData>?<")),
        (
            "new-cookie-missing",
            SYNC,
            plain(
                &format!(
                    "<NewCookie><Expiration>{EXPIRATION}</Expiration><EncryptedData>BBBB</EncryptedData></NewCookie>"
                ),
                "",
            ),
        ),
        ("cookie-expiration-changed", SYNC, plain(EXPIRATION, "2999-01-01T00:00:00.6Z")),
        // Revisions
        ("id-not-int32", SYNC, plain("<ID>1001</ID>", "<ID>4294967297</ID>")),
        ("id-duplicate", SYNC, plain("<UpdateInfo><ID>1</ID>", twice)),
        (
            "deployment-missing",
            SYNC,
            plain(
                "<Deployment><ID>1001</ID><Action>Evaluate</Action><IsAssigned>true</IsAssigned><LastChangeTime>2026-10-04</LastChangeTime><AutoSelect>0</AutoSelect><AutoDownload>0</AutoDownload><SupersedenceBehavior>0</SupersedenceBehavior></Deployment>",
                "",
            ),
        ),
        ("deployment-short", SYNC, plain("<AutoSelect>0</AutoSelect>", "")),
        (
            "action-unknown",
            SYNC,
            plain("<ID>1001</ID><Action>Evaluate", "<ID>1001</ID><Action>Look"),
        ),
        (
            "action-not-evaluate",
            SYNC,
            plain("<ID>1001</ID><Action>Evaluate", "<ID>1001</ID><Action>Install"),
        ),
        ("action-not-bundle", SYNC, plain("<Action>Bundle", "<Action>Evaluate")),
        (
            "deadline-bad",
            SYNC,
            plain(
                "<Action>Install</Action>",
                "<Action>Install</Action><Deadline>9999-12-31T00:00:00Z</Deadline>",
            ),
        ),
        (
            "leaf-is-prerequisite",
            SYNC,
            core(
                &format!("<UpdateIdentity UpdateID=\"{DETECTOID}\" /><AtLeastOne"),
                &format!("<UpdateIdentity UpdateID=\"{OTHER}\" /><AtLeastOne"),
            ),
        ),
        ("fragment-not-text", SYNC, plain("<Xml>", "<Xml><UpdateIdentity/>")),
        (
            "core-broken",
            SYNC,
            core("<IsInstalled><True /></IsInstalled>", "<IsInstalled><True></IsInstalled>"),
        ),
        (
            "core-shape",
            SYNC,
            core(
                "<Properties UpdateType=\"Category\" />",
                "<Properties UpdateType=\"Category\" /><Files />",
            ),
        ),
        (
            "core-shape",
            SYNC,
            core("<Properties UpdateType=\"Category\" />", "<Properties UpdateType=\"Other\" />"),
        ),
        (
            "fragment-prefix",
            SYNC,
            core(
                "<IsInstalled><True /></IsInstalled>",
                "<IsInstalled><lar:Or><True /></lar:Or></IsInstalled>",
            ),
        ),
        (
            "fragment-prefix",
            SYNC,
            core(
                "<IsInstalled><True /></IsInstalled>",
                "<IsInstalled><Or xmlns=\"http://schemas.microsoft.com/msus/2002/12/LogicalApplicabilityRules\"><True /></Or></IsInstalled>",
            ),
        ),
        (
            "value-bad",
            SYNC,
            core(&identity, "<UpdateIdentity UpdateID=\"none\" RevisionNumber=\"1\" />"),
        ),
        (
            "prerequisite-open",
            SYNC,
            core(
                &format!("<UpdateIdentity UpdateID=\"{DETECTOID}\" /><AtLeastOne"),
                "<UpdateIdentity UpdateID=\"e0000000-0000-4000-8000-000000000001\" /><AtLeastOne",
            ),
        ),
        (
            "bundled-not-leaf",
            SYNC,
            plain(
                "<Action>Bundle</Action><IsAssigned>true</IsAssigned><LastChangeTime>2026-10-04</LastChangeTime><AutoSelect>0</AutoSelect><AutoDownload>0</AutoDownload><SupersedenceBehavior>0</SupersedenceBehavior></Deployment><IsLeaf>true",
                "<Action>Bundle</Action><IsAssigned>true</IsAssigned><LastChangeTime>2026-10-04</LastChangeTime><AutoSelect>0</AutoSelect><AutoDownload>0</AutoDownload><SupersedenceBehavior>0</SupersedenceBehavior></Deployment><IsLeaf>false",
            ),
        ),
        (
            "two-revisions",
            SYNC,
            core(
                &format!("<UpdateIdentity UpdateID=\"{BUNDLE}\" RevisionNumber=\"1\" />"),
                &format!("<UpdateIdentity UpdateID=\"{DETECTOID}\" RevisionNumber=\"2\" />"),
            ),
        ),
        (
            "out-of-scope-unknown",
            SYNC,
            plain(
                "</NewUpdates>",
                "</NewUpdates><OutOfScopeRevisionIDs><int>77</int></OutOfScopeRevisionIDs>",
            ),
        ),
        ("driver-sync-missing", SYNC, plain("<DriverSyncNotNeeded>true</DriverSyncNotNeeded>", "")),
        // Extended metadata
        (
            "extended-missing",
            INFO,
            plain(
                &format!(
                    "<Update><ID>10</ID><Xml>{}",
                    escaped(
                        "<ExtendedProperties DefaultPropertiesLanguage=\"en\" MaxDownloadSize=\"0\"><KBArticleID>5000001</KBArticleID></ExtendedProperties>"
                    )
                ),
                "<Update><ID>10</ID><Xml>&lt;LocalizedProperties&gt;&lt;Language&gt;de&lt;/Language&gt;&lt;Title&gt;T&lt;/Title&gt;&lt;/LocalizedProperties&gt;",
            ),
        ),
        (
            "extended-unasked",
            INFO,
            plain("<Updates>", "<Updates><Update><ID>99</ID><Xml>x</Xml></Update>"),
        ),
        ("extended-broken", INFO, core("</KBArticleID>", "")),
        (
            "extended-shape",
            INFO,
            core(
                "<ExtendedProperties DefaultPropertiesLanguage=\"en\" MaxDownloadSize=\"0\"><KBArticleID>5000001</KBArticleID></ExtendedProperties>",
                "<Properties DefaultPropertiesLanguage=\"en\" />",
            ),
        ),
        (
            "attribute-prefix",
            INFO,
            core("<HandlerSpecificData type=", "<HandlerSpecificData xsi:type="),
        ),
        ("title-missing", INFO, core("<Title>Sample bundle</Title>", "<Title></Title>")),
        ("file-attributes", INFO, core("DigestAlgorithm=\"SHA1\"", "")),
        ("file-sha256-missing", INFO, core("Algorithm=\"SHA256\"", "Algorithm=\"MD5\"")),
        (
            "location-missing",
            INFO,
            plain(
                "<FileLocation>",
                "<FileLocation><FileDigest>AAAAAAAAAAAAAAAAAAAAAAAAAAA=</FileDigest><Url>http://127.0.0.1/Content/00/0000000000000000000000000000000000000000</Url></FileLocation><!--",
            ),
        ),
        ("location-bad", INFO, plain("<Url>http:", "<Url>file:")),
        ("location-host", INFO, plain("<Url>http://127.0.0.1", "<Url>http://localhost")),
        ("location-path", INFO, plain("/Content/", "/content-by-other-rules/")),
        // Other operations
        (
            "category-lost",
            "StartCategoryScan",
            plain("<preferredCategoryIds>", "<preferredCategoryIds><!--"),
        ),
        (
            "report-refused",
            "ReportEventBatch",
            plain("<ReportEventBatchResult>true", "<ReportEventBatchResult>false"),
        ),
    ];
    let mut failed = Vec::new();
    for (rule, operation, (from, to)) in cases {
        let comment = to.ends_with("<!--");
        let options = if operation == "StartCategoryScan" {
            ProbeOptions { categories: vec![COMPANY.parse().unwrap()], ..ProbeOptions::default() }
        } else {
            ProbeOptions::default()
        };
        let bend: Bend = if comment {
            let end =
                if operation == INFO { "</FileLocations>" } else { "</preferredCategoryIds>" };
            let inner = text(operation, &from, &to);
            let closing = text(operation, end, &format!("-->{end}"));
            Box::new(move |asked, reply| {
                let bent = inner(asked, reply.clone());
                if bent.body == reply.body { reply } else { closing(asked, bent) }
            })
        } else {
            text(operation, &from, &to)
        };
        let report = judged(options, bend).await;
        let found = rules(&report);
        if !found.contains(&rule) {
            failed.push(format!("{rule} from {from:?} to {to:?}: {found:?}"));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Bends that touch more than one place, or HTTP itself.
#[tokio::test(flavor = "multi_thread")]
async fn bent_http_is_found() {
    let cases: Vec<(&str, Bend)> = vec![
        ("http-status", reply(SYNC, |reply| Reply { status: 404, ..reply })),
        ("http-status", reply(SYNC, |reply| Reply { status: 500, ..reply })),
        (
            "http-redirect",
            reply(SYNC, |reply| {
                Reply { status: 302, ..reply }.with("Location", "http://127.0.0.1:1/")
            }),
        ),
        ("http-chunked", reply(SYNC, |reply| Reply { chunked: true, ..reply })),
        ("http-length-missing", reply(SYNC, |reply| Reply { unframed: true, ..reply })),
        ("http-content-type", reply(SYNC, |reply| reply.with("Content-Type", "application/xml"))),
        ("http-charset", reply(SYNC, |reply| reply.with("Content-Type", "text/xml"))),
        ("http-encoding", reply(SYNC, |reply| reply.with("Content-Encoding", "gzip"))),
        ("xpress-broken", reply(SYNC, |reply| reply.with("Content-Encoding", "xpress"))),
        (
            "fault-status",
            reply(SYNC, |_| Reply { status: 200, ..Reply::fault("InternalServerError") }),
        ),
        (
            "fault-no-code",
            reply(SYNC, |_| bent_fault("<ErrorCode>InternalServerError</ErrorCode>", "")),
        ),
        ("fault-qualified", reply(SYNC, |_| bent_fault("<detail>", "<detail xmlns=\"urn:x\">"))),
        (
            "truncated-empty",
            Box::new(|asked, reply| {
                let body = String::from_utf8_lossy(&reply.body).into_owned();
                if asked.operation() == SYNC && !body.contains("<NewUpdates>") {
                    return Reply {
                        body: body.replace("<Truncated>false", "<Truncated>true").into_bytes(),
                        ..reply
                    };
                }
                reply
            }),
        ),
        (
            "core-missing",
            reply(SYNC, |reply| {
                let body = String::from_utf8(reply.body.clone()).unwrap();
                let body = body.replacen("<Xml>", "<Verification>", 1);
                Reply { body: body.replacen("</Xml>", "</Verification>", 1).into_bytes(), ..reply }
            }),
        ),
        (
            "cookie-expired-at-once",
            Box::new(|_, reply| match String::from_utf8(reply.body.clone()) {
                Ok(body) => Reply {
                    body: body.replace(EXPIRATION, "2020-01-01T00:00:00Z").into_bytes(),
                    ..reply
                },
                Err(_) => reply,
            }),
        ),
        (
            "fragment-order",
            reply(INFO, |reply| {
                let body = String::from_utf8(reply.body.clone()).unwrap();
                let title = "<Update><ID>10</ID><Xml>&lt;LocalizedProperties&gt;&lt;Language&gt;de&lt;/Language&gt;&lt;Title&gt;T&lt;/Title&gt;&lt;/LocalizedProperties&gt;</Xml></Update>";
                Reply {
                    body: body.replace("<Updates>", &format!("<Updates>{title}")).into_bytes(),
                    ..reply
                }
            }),
        ),
        (
            "location-duplicate",
            reply(INFO, |reply| {
                let body = String::from_utf8(reply.body.clone()).unwrap();
                let Some((_, rest)) = body.split_once("<FileLocations>") else { return reply };
                let one = rest.split("</FileLocations>").next().unwrap().to_owned();
                Reply { body: body.replace(&one, &format!("{one}{one}")).into_bytes(), ..reply }
            }),
        ),
        ("content-status", reply("Content", |reply| Reply { status: 404, ..reply })),
        ("content-status", reply("Content", |reply| Reply { status: 200, ..reply })),
        ("content-range", reply("Content", |reply| reply.with("Content-Range", "bytes 1-2/3"))),
        ("content-encoded", reply("Content", |reply| reply.with("Content-Encoding", "identity"))),
        ("content-file-type", reply("Content", |reply| reply.with("Content-Type", "text/plain"))),
        (
            "content-length",
            reply("Content", |mut reply| {
                reply.body.pop();
                reply
            }),
        ),
        (
            "content-short",
            reply("Content", |mut reply| {
                reply.length = Some(reply.body.len());
                reply.body.pop();
                reply
            }),
        ),
        ("http-chunked", reply("Content", |reply| Reply { chunked: true, ..reply })),
        ("accept-ranges-missing", reply("Content", |reply| reply.without("Accept-Ranges"))),
        ("etag-missing", reply("Content", |reply| reply.without("ETag"))),
        ("etag-weak", reply("Content", |reply| reply.with("ETag", "W/\"1\""))),
        (
            "etag-changes",
            Box::new(|asked, reply| {
                if asked.operation() == "Content" {
                    reply.with("ETag", &format!("\"{}\"", asked.range().0))
                } else {
                    reply
                }
            }),
        ),
        (
            "last-modified-changes",
            Box::new(|asked, reply| {
                if asked.operation() == "Content" {
                    reply.with("Last-Modified", &asked.range().0.to_string())
                } else {
                    reply
                }
            }),
        ),
        (
            "file-size-wrong",
            Box::new(|asked, reply| {
                if asked.operation() != "Content" {
                    return reply;
                }
                let (from, to) = asked.range();
                reply.with("Content-Range", &format!("bytes {from}-{to}/9999999"))
            }),
        ),
        (
            "file-sha1-wrong",
            reply("Content", |mut reply| {
                reply.body[0] ^= 1;
                reply
            }),
        ),
        (
            "file-sha256-wrong",
            reply("Content", |mut reply| {
                reply.body[0] ^= 1;
                reply
            }),
        ),
        (
            "revision-sent-again",
            reply(SYNC, |reply| {
                let body = String::from_utf8(reply.body.clone()).unwrap();
                let again = "<NewUpdates><UpdateInfo><ID>3</ID><Deployment><ID>1</ID><Action>Evaluate</Action><IsAssigned>true</IsAssigned><LastChangeTime>2026-10-04</LastChangeTime><AutoSelect>0</AutoSelect><AutoDownload>0</AutoDownload><SupersedenceBehavior>0</SupersedenceBehavior></Deployment><IsLeaf>true</IsLeaf><Xml>&lt;UpdateIdentity UpdateID=\"b0000000-0000-4000-8000-000000000003\" RevisionNumber=\"1\" /&gt;&lt;Properties UpdateType=\"Detectoid\" /&gt;</Xml></UpdateInfo>";
                if body.contains("<ID>3</ID>") {
                    return reply;
                }
                Reply { body: body.replace("<NewUpdates>", again).into_bytes(), ..reply }
            }),
        ),
        (
            "id-reused",
            reply(SYNC, |reply| {
                let body = String::from_utf8(reply.body.clone()).unwrap();
                if body.contains("<ID>11</ID>") {
                    Reply { body: body.replace("<ID>11</ID>", "<ID>3</ID>").into_bytes(), ..reply }
                } else {
                    reply
                }
            }),
        ),
    ];
    let mut failed = Vec::new();
    for (rule, bend) in cases {
        let report = judged(agent_flow::full(), bend).await;
        let found = rules(&report);
        if !found.contains(&rule) {
            failed.push(format!("{rule}: {found:?}"));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

fn bent_fault(from: &str, to: &str) -> Reply {
    let fault = Reply::fault("InternalServerError");
    let body = String::from_utf8(fault.body.clone()).unwrap();
    assert!(body.contains(from));
    Reply { body: body.replace(from, to).into_bytes(), ..fault }
}

/// What the agent tells itself: more installed revisions than a WSUS takes.
#[tokio::test(flavor = "multi_thread")]
async fn many_installed_revisions_are_noted() {
    let bend = reply(SYNC, |reply| {
        let body = String::from_utf8(reply.body.clone()).unwrap();
        if !body.contains("<ID>1</ID>") {
            return reply;
        }
        let more: String = (500..1000)
            .map(|id| format!("<UpdateInfo><ID>{id}</ID><Deployment><ID>{id}</ID><Action>Evaluate</Action><IsAssigned>true</IsAssigned><LastChangeTime>2026-10-04</LastChangeTime><AutoSelect>0</AutoSelect><AutoDownload>0</AutoDownload><SupersedenceBehavior>0</SupersedenceBehavior></Deployment><IsLeaf>false</IsLeaf><Xml>&lt;UpdateIdentity UpdateID=\"c0000000-0000-4000-8000-{id:012}\" RevisionNumber=\"1\" /&gt;&lt;Properties UpdateType=\"Detectoid\" /&gt;</Xml></UpdateInfo>"))
            .collect();
        Reply {
            body: body.replace("<NewUpdates>", &format!("<NewUpdates>{more}")).into_bytes(),
            ..reply
        }
    });
    let options = ProbeOptions { assume_all: true, ..ProbeOptions::default() };
    let report = judged(options, bend).await;
    assert_eq!(rules(&report), ["too-many-installed"]);
    assert!(report.with_severity(Severity::Note).count() > 0 && report.is_clean());
}

/// After an InvalidCookie: an identity that nobody asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_identity_is_found() {
    let mut armed = false;
    let fault = std::sync::Mutex::new(move |asked: &Asked| {
        let second = asked.operation() == SYNC && asked.body.contains("<int>2</int>");
        second && !std::mem::replace(&mut armed, true)
    });
    let report = judged(
        ProbeOptions::default(),
        Box::new(move |asked, reply| {
            if (fault.lock().unwrap())(asked) {
                return Reply::fault("InvalidCookie");
            }
            if asked.operation() == "RefreshCache" {
                let body = String::from_utf8(reply.body.clone()).unwrap();
                return Reply {
                    body: body
                        .replacen(COMPANY, CHILD.replace("11", "99").as_str(), 1)
                        .into_bytes(),
                    ..reply
                };
            }
            reply
        }),
    )
    .await;
    assert!(rules(&report).contains(&"refresh-foreign"), "{:#?}", report.findings);
}

/// Answers in UTF-16 are read, and judged like others.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_in_utf16_is_read_and_its_charset_judged() {
    for unit in [u16::to_le_bytes, u16::to_be_bytes] {
        for mark in ["\u{feff}", ""] {
            let bend: Bend = Box::new(move |asked, reply| {
                if asked.operation() == "Content" {
                    return reply;
                }
                let text = format!("{mark}{}", String::from_utf8(reply.body.clone()).unwrap());
                let body = text.encode_utf16().flat_map(unit).collect();
                Reply { body, ..reply }.with("Content-Type", "text/xml; charset=utf-16")
            });
            let report = judged(agent_flow::full(), bend).await;
            assert_eq!(rules(&report), ["http-charset"], "{:#?}", report.findings);
            assert_eq!((report.offered.len(), report.downloaded_files), (1, 1));
        }
    }
    let bend = reply("GetConfig", |reply| Reply { body: b"<\0a".to_vec(), ..reply });
    let report = judged(ProbeOptions::default(), bend).await;
    assert_eq!(rules(&report), ["xml-broken"], "{:#?}", report.findings);
}
