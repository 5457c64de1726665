//! A downstream server that says what a test wants it to say.

use std::net::SocketAddr;

use tidegate::{
    protocol::{
        ErrorCode,
        rollup::REPORTING_PATH,
        server_sync::{
            AnswerError, Deployments, GetAuthConfig, GetAuthorizationCookie, GetCookie,
            GetDeployments, GetRevisionIdList, GetUpdateData, IdAndDelta, Operation,
            SERVER_SYNC_PATH, ServerSyncFilter, SyncCookie, UpdateItem,
        },
    },
    soap::MessageLimits,
    update::UpdateIdentity,
};
use uuid::Uuid;

use super::documents::{COMPANY, update};
use crate::support::http::{Reply, post};

/// The id of the downstream of most tests.
pub(super) const DSS: Uuid = Uuid::from_u128(1);
pub(super) const DSS_AUTH: &str = "//DssAuthWebService/DssAuthWebService.asmx";

pub(super) fn sent<O: Operation>(address: SocketAddr, request: &O) -> Reply {
    let path = match O::NAME {
        "GetAuthorizationCookie" => DSS_AUTH.to_owned(),
        name if name.contains("Rollup") || name == "GetOutOfSyncComputers" => {
            format!("/{REPORTING_PATH}")
        }
        _ => format!("/{SERVER_SYNC_PATH}"),
    };
    let action = format!("SOAPAction: \"{}\"", O::action());
    post(address, &path, request.message().as_bytes(), &[&action])
}

pub(super) fn ask<O: Operation>(
    address: SocketAddr,
    request: &O,
) -> Result<O::Answer, AnswerError> {
    let reply = sent(address, request);
    let answer = O::answer(&reply.body, &MessageLimits::default());
    assert_eq!(reply.status, if answer.is_ok() { 200 } else { 500 }, "{}", reply.text());
    answer
}

/// The handshake of a downstream.
pub(super) fn cookie_of(address: SocketAddr, version: &str) -> Result<SyncCookie, AnswerError> {
    cookie_for(address, DSS, version)
}

/// The handshake of a downstream with an id.
pub(super) fn cookie_for(
    address: SocketAddr,
    id: Uuid,
    version: &str,
) -> Result<SyncCookie, AnswerError> {
    let config = ask(address, &GetAuthConfig)?;
    assert_eq!(config.service_url, "DssAuthWebService/DssAuthWebService.asmx");
    let who = GetAuthorizationCookie { account_name: "dss.example".to_owned(), account_guid: id };
    let authorization = ask(address, &who)?;
    let version = version.parse().unwrap();
    ask(address, &GetCookie { authorization, old_cookie: None, version })
}

pub(super) struct Downstream {
    pub(super) address: SocketAddr,
    pub(super) cookie: Option<SyncCookie>,
}

impl Downstream {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, cookie: Some(cookie_of(address, "1.20").unwrap()) }
    }

    /// Another one.
    pub(super) fn with(address: SocketAddr, id: Uuid, version: &str) -> Self {
        Self { address, cookie: Some(cookie_for(address, id, version).unwrap()) }
    }

    /// What a replica is told after its anchors.
    pub(super) fn deployments(
        &self,
        anchor: Option<&str>,
        synced: &str,
    ) -> Result<Deployments, AnswerError> {
        let request = GetDeployments {
            cookie: self.cookie.clone(),
            deployment_anchor: anchor.map(str::to_owned),
            sync_anchor: synced.to_owned(),
        };
        ask(self.address, &request)
    }

    pub(super) fn list(
        &self,
        filter: ServerSyncFilter,
    ) -> Result<(String, Vec<UpdateIdentity>), AnswerError> {
        ask(self.address, &GetRevisionIdList { cookie: self.cookie.clone(), filter })
    }

    /// What a list names, by the numbers of our small catalogue, and its anchor.
    pub(super) fn numbers(&self, filter: ServerSyncFilter) -> (String, Vec<i32>) {
        let (anchor, list) = self.list(filter).unwrap();
        let number = |identity: UpdateIdentity| {
            (COMPANY..COMPANY + 20).find(|n| update(*n) == identity.id).unwrap()
        };
        (anchor, list.into_iter().map(number).collect())
    }

    pub(super) fn data(
        &self,
        updates: Vec<UpdateIdentity>,
    ) -> Result<Vec<UpdateItem>, AnswerError> {
        ask(self.address, &GetUpdateData { cookie: self.cookie.clone(), updates })
    }
}

pub(super) fn of(
    products: &[(i32, bool)],
    classifications: &[(i32, bool)],
    anchor: Option<&str>,
) -> ServerSyncFilter {
    let list = |list: &[(i32, bool)]| {
        list.iter().map(|(n, delta)| IdAndDelta { id: update(*n), delta: *delta }).collect()
    };
    let anchor = anchor.map(str::to_owned);
    ServerSyncFilter { anchor, ..ServerSyncFilter::matching(list(products), list(classifications)) }
}

pub(super) fn revision(n: i32) -> UpdateIdentity {
    UpdateIdentity { id: update(n), revision: 1 }
}

pub(super) fn code<T: std::fmt::Debug>(
    answer: Result<T, AnswerError>,
) -> (Option<ErrorCode>, String) {
    match answer.unwrap_err() {
        AnswerError::Fault { code, message, .. } => (code, message),
        error => panic!("{error}"),
    }
}
