//! A small server of our own writing, with good answers: a company, a detectoid, and one approved
//! bundle with one child that has one file. Tests bend its answers.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use super::mock::{Asked, Reply};

const CLIENT: &str = "http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService";
const AUTH: &str = "http://www.microsoft.com/SoftwareDistribution/Server/SimpleAuthWebService";
const REPORTING: &str = "http://www.microsoft.com/SoftwareDistribution";

/// Until when cookies are good.
pub(crate) const EXPIRATION: &str = "2999-01-01T00:00:00.5Z";
/// The update that is offered.
pub(crate) const BUNDLE: &str = "b0000000-0000-4000-8000-000000000010";
/// Its part, with the payload.
pub(crate) const CHILD: &str = "b0000000-0000-4000-8000-000000000011";
/// The company: a category, which is installed.
pub(crate) const COMPANY: &str = "b0000000-0000-4000-8000-000000000001";
/// A condition that holds.
pub(crate) const DETECTOID: &str = "b0000000-0000-4000-8000-000000000002";
/// A condition that does not hold.
pub(crate) const OTHER: &str = "b0000000-0000-4000-8000-000000000003";

/// 3 MiB and a bit: four pieces.
pub(crate) fn payload() -> Vec<u8> {
    (0..3_150_000_u32).map(|n| n.to_le_bytes()[(n % 3) as usize]).collect()
}

/// Answers of the fake server at `host`.
pub(crate) struct Fake {
    host: String,
    payload: Vec<u8>,
    sha1: Vec<u8>,
    sha256: Vec<u8>,
}

impl Fake {
    /// A server that is reached at `host`.
    pub(crate) fn new(host: &str) -> Self {
        let payload = payload();
        Self {
            host: host.to_owned(),
            sha1: Sha1::digest(&payload).to_vec(),
            sha256: Sha256::digest(&payload).to_vec(),
            payload,
        }
    }

    /// What it says to a request.
    pub(crate) fn answer(&self, asked: &Asked) -> Reply {
        let soap = |text: String| Reply::soap(text);
        match asked.operation().as_str() {
            "GetConfig" => soap(client(
                "GetConfig",
                "<GetConfigResult><LastChange>2026-01-02T03:04:05.67Z</LastChange><IsRegistrationRequired>true</IsRegistrationRequired><AuthInfo><AuthPlugInInfo><PlugInID>SimpleTargeting</PlugInID><ServiceUrl>SimpleAuthWebService/SimpleAuth.asmx</ServiceUrl><Parameter/></AuthPlugInInfo></AuthInfo><Properties><ConfigurationProperty><Name>MaxExtendedUpdatesPerRequest</Name><Value>50</Value></ConfigurationProperty><ConfigurationProperty><Name>ProtocolVersion</Name><Value>3.2</Value></ConfigurationProperty><ConfigurationProperty><Name>IsInventoryRequired</Name><Value>0</Value></ConfigurationProperty></Properties></GetConfigResult>",
            )),
            "GetAuthorizationCookie" => soap(format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><GetAuthorizationCookieResponse xmlns=\"{AUTH}\"><GetAuthorizationCookieResult><PlugInId>SimpleTargeting</PlugInId><CookieData>AAEC</CookieData></GetAuthorizationCookieResult></GetAuthorizationCookieResponse></soap:Body></soap:Envelope>"
            )),
            "GetCookie" => soap(client(
                "GetCookie",
                &format!(
                    "<GetCookieResult><Expiration>{EXPIRATION}</Expiration><EncryptedData>AAAA</EncryptedData></GetCookieResult>"
                ),
            )),
            "RegisterComputer" => soap(client("RegisterComputer", "")),
            "StartCategoryScan" => soap(client(
                "StartCategoryScan",
                &format!("<preferredCategoryIds><guid>{COMPANY}</guid></preferredCategoryIds>"),
            )),
            "SyncUpdates" => soap(self.sync(&asked.body)),
            "RefreshCache" => soap(client("RefreshCache", &self.refreshed(&asked.body))),
            "GetExtendedUpdateInfo" => soap(self.extended(&asked.body)),
            "GetFileLocations" => soap(client(
                "GetFileLocations",
                &format!(
                    "<GetFileLocationsResult>{}<NewCookie><Expiration>{EXPIRATION}</Expiration><EncryptedData>AAAA</EncryptedData></NewCookie></GetFileLocationsResult>",
                    self.location()
                ),
            )),
            "ReportEventBatch" => soap(format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><ReportEventBatchResponse xmlns=\"{REPORTING}\"><ReportEventBatchResult>true</ReportEventBatchResult></ReportEventBatchResponse></soap:Body></soap:Envelope>"
            )),
            "Content" => self.content(asked),
            other => panic!("nobody should call {other}"),
        }
    }

    fn sync(&self, body: &str) -> String {
        let mut new = String::new();
        let told = |id: i32| body.contains(&format!("<int>{id}</int>"));
        let installed = |id: i32| {
            let list = body.split("</InstalledNonLeafUpdateIDs>").next().unwrap();
            list.len() < body.len() && list.contains(&format!("<int>{id}</int>"))
        };
        if body.contains("<SkipSoftwareSync>true") {
            // No drivers.
        } else if !told(1) {
            new = update(
                1,
                "Evaluate",
                false,
                &format!(
                    "<UpdateIdentity UpdateID=\"{COMPANY}\" RevisionNumber=\"1\" /><Properties UpdateType=\"Category\" /><ApplicabilityRules><IsInstalled><True /></IsInstalled></ApplicabilityRules>"
                ),
            );
            new += &update(
                3,
                "Evaluate",
                true,
                &format!(
                    "<UpdateIdentity UpdateID=\"{OTHER}\" RevisionNumber=\"1\" /><Properties UpdateType=\"Detectoid\" /><ApplicabilityRules><IsInstalled><False /></IsInstalled></ApplicabilityRules>"
                ),
            );
        } else if !told(2) {
            new = update(
                2,
                "Evaluate",
                false,
                &format!(
                    "<UpdateIdentity UpdateID=\"{DETECTOID}\" RevisionNumber=\"1\" /><Properties UpdateType=\"Detectoid\" /><Relationships><Prerequisites><UpdateIdentity UpdateID=\"{COMPANY}\" /></Prerequisites></Relationships><ApplicabilityRules><IsInstalled><b.Processor Architecture=\"9\" /></IsInstalled></ApplicabilityRules>"
                ),
            );
        } else if installed(2) && !told(10) {
            new = update(
                10,
                "Install",
                true,
                &format!(
                    "<UpdateIdentity UpdateID=\"{BUNDLE}\" RevisionNumber=\"1\" /><Properties UpdateType=\"Software\" ExplicitlyDeployable=\"true\" /><Relationships><Prerequisites><UpdateIdentity UpdateID=\"{DETECTOID}\" /><AtLeastOne IsCategory=\"true\"><UpdateIdentity UpdateID=\"{COMPANY}\" /></AtLeastOne></Prerequisites><BundledUpdates><AtLeastOne><UpdateIdentity UpdateID=\"{CHILD}\" RevisionNumber=\"1\" /></AtLeastOne></BundledUpdates></Relationships>"
                ),
            );
            new += &update(
                11,
                "Bundle",
                true,
                &format!(
                    "<UpdateIdentity UpdateID=\"{CHILD}\" RevisionNumber=\"1\" /><Properties UpdateType=\"Software\" /><Relationships><Prerequisites><UpdateIdentity UpdateID=\"{DETECTOID}\" /></Prerequisites></Relationships><ApplicabilityRules><IsInstalled><b.RegKeyExists Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"SOFTWARE\\Sample\" /></IsInstalled><IsInstallable><True /></IsInstallable></ApplicabilityRules>"
                ),
            );
        }
        if !new.is_empty() {
            new = format!("<NewUpdates>{new}</NewUpdates>");
        }
        client(
            "SyncUpdates",
            &format!(
                "<SyncUpdatesResult>{new}<Truncated>false</Truncated><NewCookie><Expiration>{EXPIRATION}</Expiration><EncryptedData>BBBB</EncryptedData></NewCookie><DriverSyncNotNeeded>true</DriverSyncNotNeeded></SyncUpdatesResult>"
            ),
        )
    }

    /// New ids: a hundred more than before. The bundle and its child are dropped.
    fn refreshed(&self, body: &str) -> String {
        let mut list = String::new();
        for (update, id, leaf) in [(COMPANY, 1, false), (DETECTOID, 2, false), (OTHER, 3, true)] {
            if body.contains(update) {
                list += &format!(
                    "<RefreshCacheResult><RevisionID>{id}</RevisionID><GlobalID><UpdateID>{update}</UpdateID><RevisionNumber>1</RevisionNumber></GlobalID><IsLeaf>{leaf}</IsLeaf>{}</RefreshCacheResult>",
                    deployment(id, "Evaluate")
                );
            }
        }
        format!("<RefreshCacheResult>{list}</RefreshCacheResult>")
    }

    fn location(&self) -> String {
        let name = hex::encode_upper(&self.sha1);
        format!(
            "<FileLocations><FileLocation><FileDigest>{}</FileDigest><Url>http://{}/Content/{}/{name}.exe</Url></FileLocation></FileLocations>",
            STANDARD.encode(&self.sha1),
            self.host,
            &name[38..],
        )
    }

    fn extended(&self, body: &str) -> String {
        let category = "<ExtendedProperties DefaultPropertiesLanguage=\"en\" Handler=\"http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/Category\" /><HandlerSpecificData type=\"cat:Category\"><CategoryInformation CategoryType=\"Company\" /></HandlerSpecificData>".to_owned();
        let parent = "<ExtendedProperties DefaultPropertiesLanguage=\"en\" MaxDownloadSize=\"0\"><KBArticleID>5000001</KBArticleID></ExtendedProperties>".to_owned();
        let child = format!(
            "<ExtendedProperties DefaultPropertiesLanguage=\"en\" Handler=\"http://schemas.microsoft.com/msus/2002/12/UpdateHandlers/CommandLineInstallation\" /><Files><File Digest=\"{}\" DigestAlgorithm=\"SHA1\" FileName=\"sample.exe\" Size=\"{}\" Modified=\"2026-01-15T09:00:00Z\"><AdditionalDigest Algorithm=\"SHA256\">{}</AdditionalDigest></File></Files><HandlerSpecificData type=\"cmd:CommandLineInstallation\"><InstallCommand Program=\"sample.exe\" /></HandlerSpecificData>",
            STANDARD.encode(&self.sha1),
            self.payload.len(),
            STANDARD.encode(&self.sha256),
        );
        let asked: Vec<_> =
            [(1, category, "Company"), (10, parent, "Sample bundle"), (11, child, "Sample child")]
                .into_iter()
                .filter(|(id, ..)| body.contains(&format!("<int>{id}</int>")))
                .collect();
        let entry = |id: &i32, xml: &str| {
            format!("<Update><ID>{id}</ID><Xml>{}</Xml></Update>", escape(xml))
        };
        let mut list = String::new();
        for (id, extended, _) in &asked {
            list += &entry(id, extended);
        }
        for (id, _, title) in &asked {
            list += &entry(
                id,
                &format!(
                    "<LocalizedProperties><Language>en</Language><Title>{title}</Title></LocalizedProperties>"
                ),
            );
        }
        let location = if body.contains("<int>11</int>") { self.location() } else { String::new() };
        client(
            "GetExtendedUpdateInfo",
            &format!(
                "<GetExtendedUpdateInfoResult><Updates>{list}</Updates>{location}</GetExtendedUpdateInfoResult>"
            ),
        )
    }

    fn content(&self, asked: &Asked) -> Reply {
        let (from, to) = asked.range();
        let part = &self.payload[usize::try_from(from).unwrap()..=usize::try_from(to).unwrap()];
        Reply { status: 206, body: part.to_vec(), ..Reply::soap("") }
            .with("Content-Type", "application/octet-stream")
            .with("Last-Modified", "Wed, 02 Sep 2026 08:30:53 GMT")
            .with("Accept-Ranges", "bytes")
            .with("ETag", "\"809ce85db53add1:0\"")
            .with("Content-Range", &format!("bytes {from}-{to}/{}", self.payload.len()))
    }
}

fn client(operation: &str, inside: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"><{operation}Response xmlns=\"{CLIENT}\">{inside}</{operation}Response></s:Body></s:Envelope>"
    )
}

fn deployment(id: i32, action: &str) -> String {
    format!(
        "<Deployment><ID>{}</ID><Action>{action}</Action><IsAssigned>true</IsAssigned><LastChangeTime>2026-10-04</LastChangeTime><AutoSelect>0</AutoSelect><AutoDownload>0</AutoDownload><SupersedenceBehavior>0</SupersedenceBehavior></Deployment>",
        id + 1000
    )
}

fn update(id: i32, action: &str, leaf: bool, core: &str) -> String {
    format!(
        "<UpdateInfo><ID>{id}</ID>{}<IsLeaf>{leaf}</IsLeaf><Xml>{}</Xml></UpdateInfo>",
        deployment(id, action),
        escape(core)
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
