//! The downstream side of [MS-WUSSS]: synchronizing from a WSUS, or from another Tidegate. The
//! messages are `protocol::server_sync`.
//!
//! | file | what |
//! |---|---|
//! | `channel` | one SOAP call over HTTP, within limits, with retries |
//! | `spool` | an answer between the network and its reader |
//! | `session` | handshake, cookies and their renewal |
//! | `choice` | what can be chosen, and what is chosen |
//! | `names` | names become ids; what is near a name that nothing has |
//! | `health` | how a server is, without synchronizing |
//! | `known` | what others may know of the servers |
//! | `state` | anchors between runs, and whole or changes for each id |
//! | `hardware` | for which hardware drivers are wanted |
//! | `ask` | telling a server which files it does not have |
//! | `engine` | one synchronization: the order of things, lists |
//! | `fetch` | documents by their ids, halving what fails |
//! | `pipe` | asking, unpacking and writing at the same time |
//! | `closure` | what is named, but not held |
//! | `keys` | keys of encrypted files |
//! | `drivers` | drivers and driver sets by hardware |
//! | `replica` | groups and approvals of the upstream, for a replica |
//! | `rollup`, `summary` | telling the upstream how this server and its computers stand |

mod ask;
mod channel;
mod choice;
mod closure;
mod drivers;
mod engine;
mod error;
mod fetch;
mod hardware;
mod health;
mod keys;
mod known;
mod names;
mod pipe;
mod replica;
mod rollup;
mod session;
mod spool;
mod state;
mod summary;

pub(super) use ask::ask_for_files;
pub use choice::{Category, CategoryKind, CategoryLevel, categories, choices};
pub(super) use engine::run;
pub use error::UpstreamError;
pub(super) use error::chain;
pub use hardware::{Hardware, HardwareError};
pub use health::{Health, health};
pub use known::{UpstreamFacts, UpstreamRecord, known_upstreams};
pub use replica::{ReplicaError, replicate};
use reqwest::Url;
pub use rollup::{RollupError, RollupReport, rollup};

use super::{
    ClientError, ConnectionOptions, PermanentFailure,
    client::{http_client, without_credentials},
    lasting::lasting,
};

/// What is asked of an upstream server, and how.
#[derive(Debug, Clone, Default)]
pub struct UpstreamOptions {
    /// What to synchronize.
    pub selection: SyncSelection,
    /// How to reach it.
    pub connection: ConnectionOptions,
}

/// What to synchronize. Names are titles or ids; `all` is everything; `None` is as the last time,
/// the first time everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SyncSelection {
    /// Products.
    pub products: Option<Vec<String>>,
    /// Classifications.
    pub classifications: Option<Vec<String>>,
    /// Languages, as short names (`en`, `pt-br`) or LCIDs.
    pub languages: Option<Vec<String>>,
    /// Hardware whose drivers are wanted, from servers that look for them (Microsoft Update).
    pub hardware: Option<Hardware>,
    /// Only products, classifications and detectoids, no updates.
    pub categories_only: bool,
}

/// The root of the server that a text names: scheme, host and port.
pub(super) fn address(text: &str) -> Result<Url, UpstreamError> {
    let wrong = |why| UpstreamError::Address { url: without_credentials(text), why };
    let mut url = Url::parse(text).map_err(|_| wrong("it cannot be read"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("only https:// and http:// are spoken"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("credentials in it would be seen in lists of processes and logs"));
    }
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}
