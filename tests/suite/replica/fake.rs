//! An upstream server that says what a test wants about its decisions, in words of our own, and has
//! no updates at all.

use std::sync::{Arc, Mutex};

use tidegate::soap::Element;
use tokio::runtime::Runtime;

use crate::{
    support::mock::{Asked, Mock, Reply, runtime},
    support::upstream_fake::{AUTH, SYNC, answer, fault, operation},
};

/// What a test answers itself: the operation by its name.
pub(super) type Hook = Box<dyn FnMut(&str, &Element) -> Option<Reply> + Send>;

/// What GetDeployments answers, as XML between the elements of its result.
#[derive(Clone, Default)]
pub(super) struct Decisions {
    pub(super) anchor: String,
    pub(super) groups: String,
    pub(super) deployments: String,
    pub(super) dead: String,
    pub(super) hidden: String,
    pub(super) eulas: String,
}

pub(super) struct Fake {
    pub(super) said: Arc<Mutex<Decisions>>,
    /// Anchors that are refused.
    pub(super) refused: Arc<Mutex<Option<&'static str>>>,
    pub(super) hook: Arc<Mutex<Option<Hook>>>,
    pub(super) mock: Mock,
    _runtime: Runtime,
}

impl Fake {
    pub(super) fn new(said: Decisions) -> Self {
        let runtime = runtime();
        let said = Arc::new(Mutex::new(said));
        let refused = Arc::new(Mutex::new(None));
        let (says, refuses) = (Arc::clone(&said), Arc::clone(&refused));
        let hook: Arc<Mutex<Option<Hook>>> = Arc::default();
        let hooked = Arc::clone(&hook);
        let mock = runtime.block_on(Mock::serve(move |_| {
            Box::new(move |asked: &Asked| {
                let operation = operation(&asked.body);
                if let Some(hook) = hooked.lock().unwrap().as_mut()
                    && let Some(reply) = hook(&operation.name, &operation)
                {
                    return reply;
                }
                let said = says.lock().unwrap().clone();
                reply(&operation, &said, *refuses.lock().unwrap())
            })
        }));
        Self { said, refused, hook, mock, _runtime: runtime }
    }

    pub(super) fn say(&self, change: impl FnOnce(&mut Decisions)) {
        change(&mut self.said.lock().unwrap());
    }

    /// The GetDeployments requests so far: deploymentAnchor, syncAnchor.
    pub(super) fn asked(&self) -> Vec<(Option<String>, Option<String>)> {
        let value = |element: &Element, name: &str| element.value(name).map(str::to_owned);
        self.mock
            .requests("GetDeployments")
            .iter()
            .map(|asked| {
                let operation = operation(&asked.body);
                (value(&operation, "deploymentAnchor"), value(&operation, "syncAnchor"))
            })
            .collect()
    }
}

fn reply(operation: &Element, said: &Decisions, refused: Option<&str>) -> Reply {
    let name = &*operation.name;
    match name {
        "GetAuthConfig" => answer(
            name,
            SYNC,
            "<LastChange>2026-01-02T03:04:05Z</LastChange><AuthInfo><AuthPlugInInfo><PlugInID>DssTargeting</PlugInID><ServiceUrl>DssAuthWebService/DssAuthWebService.asmx</ServiceUrl></AuthPlugInInfo></AuthInfo>",
        ),
        "GetAuthorizationCookie" => {
            answer(name, AUTH, "<PlugInId>DssTargeting</PlugInId><CookieData>AAAA</CookieData>")
        }
        "GetCookie" => answer(
            name,
            SYNC,
            "<Expiration>2999-10-04T20:33:26Z</Expiration><EncryptedData>AAAA</EncryptedData>",
        ),
        "GetConfigData" => answer(
            name,
            SYNC,
            "<CatalogOnlySync>false</CatalogOnlySync><LazySync>true</LazySync><ServerHostsPsfFiles>false</ServerHostsPsfFiles><MaxNumberOfUpdatesPerRequest>100</MaxNumberOfUpdatesPerRequest><MaxNumberOfDriverSetsPerRequest>0</MaxNumberOfDriverSetsPerRequest><MaxNumberOfComputerIdsInRequest>0</MaxNumberOfComputerIdsInRequest><MaxNumberOfPnpHardwareIdsInRequest>0</MaxNumberOfPnpHardwareIdsInRequest><NewConfigAnchor>c</NewConfigAnchor><ProtocolVersion>1.20</ProtocolVersion><LanguageUpdateList /><MaxUpdatesPerRequestInGetUpdateDecryptionData>100</MaxUpdatesPerRequestInGetUpdateDecryptionData>",
        ),
        "GetRevisionIdList" => {
            answer(name, SYNC, "<Anchor>7,2026-01-02 03:04:05.000</Anchor><NewRevisions />")
        }
        "GetDeployments" => {
            assert!(operation.child("cookie").is_some());
            if let (Some(code), Some(_)) = (refused, operation.value("deploymentAnchor")) {
                return fault(code, "deploymentAnchor");
            }
            let Decisions { anchor, groups, deployments, dead, hidden, eulas } = said;
            answer(
                name,
                SYNC,
                &format!(
                    "<Anchor>{anchor}</Anchor><Groups>{groups}</Groups><Deployments>{deployments}</Deployments><DeadDeployments>{dead}</DeadDeployments><HiddenUpdates>{hidden}</HiddenUpdates><AcceptedEulas>{eulas}</AcceptedEulas>"
                ),
            )
        }
        other => panic!("{other} was not expected"),
    }
}

/// The two groups that every server has, under names of another language.
pub(super) const BUILT_IN: &str = "<ServerSyncTargetGroup><TargetGroupID>a0a08746-4dbe-4a37-9adf-9e7652c0b421</TargetGroupID><ParentGroupId>00000000-0000-0000-0000-000000000000</ParentGroupId><Name>Alle Computer</Name><IsBuiltin>true</IsBuiltin></ServerSyncTargetGroup><ServerSyncTargetGroup><TargetGroupID>b73ca6ed-5727-47f3-84de-015e03f6a88a</TargetGroupID><Name>Nicht zugewiesene Computer</Name><IsBuiltin>true</IsBuiltin></ServerSyncTargetGroup>";
