//! An upstream server for tests: cookies that must be sent back as they were, lists with anchors,
//! and one unknown id failing a whole batch. What it says is the tests'.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tempfile::TempDir;
use tidegate::{
    catalog::Catalog,
    content::ContentStore,
    soap::{self, Element},
    update::{UpdateId, UpdateIdentity},
    upstream::{
        ConnectionOptions, Source, SyncError, SyncOptions, SyncReport, SyncSelection,
        UpstreamOptions, sync,
    },
};
use tokio::runtime::Runtime;

use super::mock::{Asked, Mock, Reply, runtime};

/// The namespace of the server synchronization service.
pub(crate) const SYNC: &str = "http://www.microsoft.com/SoftwareDistribution";
/// The namespace of the authorization service.
pub(crate) const AUTH: &str =
    "http://www.microsoft.com/SoftwareDistribution/Server/DssAuthWebService";

/// The calls of a synchronization, in the order of their first.
pub(crate) const OPERATIONS: [&str; 6] = [
    "GetAuthConfig",
    "GetAuthorizationCookie",
    "GetCookie",
    "GetConfigData",
    "GetRevisionIdList",
    "GetUpdateData",
];

/// The name of an operation, and the element in the body.
pub(crate) type Other = Box<dyn FnMut(&str, &Element) -> Reply + Send>;

/// Plain HTTP without a proxy, and without pauses that a test would have to wait for.
pub(crate) fn connection() -> ConnectionOptions {
    ConnectionOptions {
        allow_http: true,
        proxy: Some("none".to_owned()),
        first_pause: Duration::from_millis(1),
        attempts: 3,
        ..ConnectionOptions::default()
    }
}

/// What the server holds and how it behaves; tests change it between runs.
#[derive(Default)]
pub(crate) struct Uss {
    /// Categories, in the order of the list.
    pub(crate) categories: Vec<UpdateIdentity>,
    /// Updates, in the order of the list.
    pub(crate) updates: Vec<UpdateIdentity>,
    /// `ServerSyncUpdateData` without its `Id`, by identity.
    pub(crate) documents: BTreeMap<UpdateIdentity, String>,
    /// Inside of `GetConfigDataResult`, instead of what the fake says.
    pub(crate) config: Option<String>,
    /// Answers every operation that the fake does not know.
    pub(crate) other: Option<Other>,
    /// Inside of `fileUrls`.
    pub(crate) urls: String,
    pub(crate) anchor: String,
    pub(crate) limit: usize,
    pub(crate) cookies: usize,
    /// Cookies below this number are no longer taken.
    pub(crate) expired: usize,
    /// Requests whose cookie was not taken.
    pub(crate) refused: usize,
    /// Until when cookies are good, as the server says it; else for long.
    pub(crate) expiration: Option<String>,
}

/// What a test does with an answer: the request, how many of its operation came before, the answer.
pub(crate) type Bend = Box<dyn FnMut(&Asked, usize, Reply) -> Reply + Send>;

/// The server, running, and the one who synchronizes from it.
pub(crate) struct Pair {
    pub(crate) uss: Arc<Mutex<Uss>>,
    bend: Arc<Mutex<Option<Bend>>>,
    pub(crate) mock: Mock,
    _runtime: Runtime,
    folder: TempDir,
    pub(crate) catalog: Catalog,
    content: ContentStore,
    pub(crate) options: SyncOptions,
}

impl Pair {
    /// Starts a server with this content; the other side is empty.
    pub(crate) fn new(uss: Uss) -> Self {
        let runtime = runtime();
        let uss = Arc::new(Mutex::new(uss));
        let bend: Arc<Mutex<Option<Bend>>> = Arc::default();
        let (server, bends) = (Arc::clone(&uss), Arc::clone(&bend));
        let mock = runtime.block_on(Mock::serve(move |_| {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            Box::new(move |asked| {
                let count = counts.entry(asked.operation()).or_default();
                *count += 1;
                let reply = server.lock().unwrap().answer(asked);
                match bends.lock().unwrap().as_mut() {
                    Some(bend) => bend(asked, *count - 1, reply),
                    None => reply,
                }
            })
        }));
        let folder = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&folder.path().join("catalog.sqlite")).unwrap();
        let content = ContentStore::open(&folder.path().join("content")).unwrap();
        let connection = connection();
        let options = SyncOptions {
            upstream: UpstreamOptions { connection, selection: SyncSelection::default() },
            ..SyncOptions::new("2026-10-04T12:00:00Z".parse().unwrap())
        };
        Self { uss, bend, mock, _runtime: runtime, folder, catalog, content, options }
    }

    /// Lets a test change answers.
    pub(crate) fn bend(&self, bend: impl FnMut(&Asked, usize, Reply) -> Reply + Send + 'static) {
        *self.bend.lock().unwrap() = Some(Box::new(bend));
    }

    /// No answer is changed any more.
    pub(crate) fn straight(&self) {
        *self.bend.lock().unwrap() = None;
    }

    /// Synchronizes from the server.
    pub(crate) fn sync(&mut self) -> Result<SyncReport, SyncError> {
        let url = self.mock.url.clone();
        self.sync_from(&url)
    }

    /// Synchronizes from an address.
    pub(crate) fn sync_from(&mut self, url: &str) -> Result<SyncReport, SyncError> {
        let source = Source::detect(url).unwrap();
        sync(&source, &mut self.catalog, &self.content, &self.options, &mut |_| {})
    }

    /// A fresh catalogue, as after a loss.
    pub(crate) fn forget(&mut self) {
        self.catalog = Catalog::open(&self.folder.path().join("another.sqlite")).unwrap();
    }

    /// The stored document of a revision.
    pub(crate) fn document(&self, identity: &UpdateIdentity) -> Option<Vec<u8>> {
        let id = self.catalog.revision_id(identity).unwrap()?;
        self.catalog.document(id).unwrap()
    }

    /// Ids of each GetUpdateData request, from the `from`th on.
    pub(crate) fn fetched(&self, from: usize) -> Vec<Vec<UpdateIdentity>> {
        let requests = self.mock.requests("GetUpdateData");
        requests.iter().skip(from).map(|asked| identities(&operation(&asked.body))).collect()
    }

    /// The filters of all GetRevisionIdList requests.
    pub(crate) fn lists(&self) -> Vec<Element> {
        let requests = self.mock.requests("GetRevisionIdList");
        requests
            .iter()
            .map(|asked| operation(&asked.body).child("filter").unwrap().clone())
            .collect()
    }
}

impl Uss {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let operation = operation(&asked.body);
        let name = &*operation.name;
        let namespace = if name == "GetAuthorizationCookie" { AUTH } else { SYNC };
        assert_eq!(&*operation.namespace, namespace);
        assert_eq!(asked.header("soapaction"), Some(&*format!("\"{namespace}/{name}\"")));
        assert_eq!(asked.header("content-type"), Some("text/xml; charset=utf-8"));
        let path = match name {
            "GetAuthorizationCookie" => "/DssAuthWebService/DssAuthWebService.asmx",
            _ => "/ServerSyncWebService/ServerSyncWebService.asmx",
        };
        assert!(asked.line.starts_with("POST "), "{}", asked.line);
        assert!(asked.line.ends_with(&format!("{path} HTTP/1.1")), "{}", asked.line);
        if matches!(name, "GetConfigData" | "GetRevisionIdList" | "GetUpdateData") {
            let cookie = operation.child("cookie").unwrap();
            // As received, to the digit.
            assert_eq!(cookie.value("Expiration"), Some(self.expiration()));
            let number = cookie.value("EncryptedData").unwrap().trim_start_matches('A');
            if number.parse::<usize>().unwrap() < self.expired {
                self.refused += 1;
                return fault("InvalidCookie", "");
            }
        }
        match name {
            "GetAuthConfig" => answer(
                name,
                SYNC,
                "<LastChange>2026-01-02T03:04:05Z</LastChange><AuthInfo><AuthPlugInInfo><PlugInID>DssTargeting</PlugInID><ServiceUrl>DssAuthWebService/DssAuthWebService.asmx</ServiceUrl><Parameter /></AuthPlugInInfo></AuthInfo>",
            ),
            "GetAuthorizationCookie" => {
                assert!(operation.value("accountName").is_some_and(|name| !name.is_empty()));
                operation.value("accountGuid").unwrap().parse::<uuid::Uuid>().unwrap();
                answer(name, AUTH, "<PlugInId>DssTargeting</PlugInId><CookieData>AAAA</CookieData>")
            }
            "GetCookie" => {
                assert_eq!(operation.value("protocolVersion"), Some("1.20"));
                let cookies: Vec<_> =
                    operation.items("authCookies", "AuthorizationCookie").collect();
                assert_eq!(cookies.len(), 1);
                assert_eq!(cookies[0].value("CookieData"), Some("AAAA"));
                self.cookies += 1;
                answer(
                    name,
                    SYNC,
                    &format!(
                        "<Expiration>{}</Expiration><EncryptedData>{:A>8}</EncryptedData>",
                        self.expiration(),
                        self.cookies
                    ),
                )
            }
            "GetConfigData" if self.config.is_some() => {
                answer(name, SYNC, self.config.as_deref().unwrap_or_default())
            }
            // In the order of Microsoft Update.
            "GetConfigData" => answer(
                name,
                SYNC,
                &format!(
                    "<CatalogOnlySync>false</CatalogOnlySync><LazySync>true</LazySync><ServerHostsPsfFiles>false</ServerHostsPsfFiles><MaxNumberOfUpdatesPerRequest>{}</MaxNumberOfUpdatesPerRequest><MaxNumberOfDriverSetsPerRequest>0</MaxNumberOfDriverSetsPerRequest><MaxNumberOfComputerIdsInRequest>0</MaxNumberOfComputerIdsInRequest><MaxNumberOfPnpHardwareIdsInRequest>0</MaxNumberOfPnpHardwareIdsInRequest><NewConfigAnchor>{}</NewConfigAnchor><ProtocolVersion>1.20</ProtocolVersion><LanguageUpdateList><ServerSyncLanguageData><LanguageID>1033</LanguageID><ShortLanguage>en</ShortLanguage><LongLanguage>English</LongLanguage><Enabled>true</Enabled></ServerSyncLanguageData></LanguageUpdateList><MaxUpdatesPerRequestInGetUpdateDecryptionData>100</MaxUpdatesPerRequestInGetUpdateDecryptionData>",
                    self.limit, self.anchor
                ),
            ),
            "GetRevisionIdList" => self.list(operation.child("filter").unwrap()),
            "GetUpdateData" => self.data(&identities(&operation)),
            _ => match &mut self.other {
                Some(other) => other(name, &operation),
                // As a WSUS: it is to be ignored.
                None if name == "GetRelatedRevisionsForUpdates" => answer(name, SYNC, ""),
                None => panic!("{name} was not expected"),
            },
        }
    }

    fn expiration(&self) -> &str {
        self.expiration.as_deref().unwrap_or("2999-10-04T20:33:26.65455Z")
    }

    fn list(&self, filter: &Element) -> Reply {
        let whole = |list| {
            let mut ids = filter.items(list, "IdAndDelta").peekable();
            ids.peek().is_some() && ids.any(|id| id.value("Delta") == Some("false"))
        };
        let count = |list| filter.items(list, "IdAndDelta").count();
        let (products, classifications) = (count("Categories"), count("Classifications"));
        let config = filter.value("GetConfig") == Some("true");
        assert!(products > 0 || classifications == 0 && filter.child("Categories").is_none());
        assert_eq!(products > 0, classifications > 0, "both lists, or none");
        // One who is told to list changes only, and knows this anchor, has everything.
        let known = filter.value("Anchor").is_some_and(|anchor| anchor == self.anchor)
            && !whole("Categories")
            && !whole("Classifications");
        let ids = if config { &self.categories } else { &self.updates };
        let list: String =
            ids.iter().filter(|_| !known).map(|id| identity("UpdateIdentity", id)).collect();
        answer(
            "GetRevisionIdList",
            SYNC,
            &format!("<Anchor>{}</Anchor><NewRevisions>{list}</NewRevisions>", self.anchor),
        )
    }

    fn data(&self, ids: &[UpdateIdentity]) -> Reply {
        if ids.is_empty() || ids.len() > self.limit {
            return fault("InvalidParameters", "updateIds");
        }
        let mut items = String::new();
        for id in ids {
            let Some(document) = self.documents.get(id) else {
                return fault("InternalServerError", "");
            };
            items.push_str(&format!(
                "<ServerSyncUpdateData>{}{document}</ServerSyncUpdateData>",
                identity("Id", id)
            ));
        }
        answer(
            "GetUpdateData",
            SYNC,
            &format!("<updates>{items}</updates><fileUrls>{}</fileUrls>", self.urls),
        )
    }
}

/// The answer to an operation, with this inside its result.
pub(crate) fn answer(name: &str, namespace: &str, inside: &str) -> Reply {
    Reply::soap(format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><{name}Response xmlns=\"{namespace}\"><{name}Result>{inside}</{name}Result></{name}Response></soap:Body></soap:Envelope>"
    ))
}

/// A fault as a WSUS sends it.
pub(crate) fn fault(code: &str, message: &str) -> Reply {
    let mut reply = Reply::soap(format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><soap:Fault><faultcode>soap:Server</faultcode><faultstring>Fault occurred</faultstring><detail><ErrorCode>{code}</ErrorCode><Message>{message}</Message><ID>f0000000-0000-4000-8000-000000000001</ID></detail></soap:Fault></soap:Body></soap:Envelope>"
    ));
    reply.status = 500;
    reply
}

/// The element in the body of a message.
pub(crate) fn operation(body: &str) -> Element {
    soap::body_of(soap::read(body.as_bytes(), &soap::MessageLimits::default()).unwrap()).unwrap()
}

/// An identity as an element of this name.
pub(crate) fn identity(name: &str, id: &UpdateIdentity) -> String {
    format!(
        "<{name}><UpdateID>{}</UpdateID><RevisionNumber>{}</RevisionNumber></{name}>",
        id.id, id.revision
    )
}

/// Ids of a GetUpdateData request.
fn identities(operation: &Element) -> Vec<UpdateIdentity> {
    operation.items("updateIds", "UpdateIdentity").map(read_identity).collect()
}

/// The identity that an element says.
pub(crate) fn read_identity(element: &Element) -> UpdateIdentity {
    UpdateIdentity {
        id: element.value("UpdateID").unwrap().parse::<UpdateId>().unwrap(),
        revision: element.value("RevisionNumber").unwrap().parse().unwrap(),
    }
}

/// `XmlUpdateBlob`.
pub(crate) fn plain(document: &str) -> String {
    format!("<XmlUpdateBlob>{}</XmlUpdateBlob>", soap::escape_text(document))
}
