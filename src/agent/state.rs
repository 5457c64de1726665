//! What an agent remembers between scans.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write as _},
    path::Path,
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{action::Action, error::ProbeError, fragments::Core};
use crate::{durable, file_error::Doing as _};

/// What is attempted when the state file is written, for errors.
const WRITE: &str = "write the state file";
/// Version of the state file.
const FORMAT: u32 = 1;

/// The datastore of the stand-in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Datastore {
    format: u32,
    /// `SusClientId`.
    pub(crate) client_id: String,
    /// Answer of GetConfig, until a fault makes it stale.
    pub(crate) config: Option<Config>,
    /// The cookie in use.
    pub(crate) cookie: Option<Cookie>,
    /// This computer has been registered.
    pub(crate) registered: bool,
    /// Revisions that the server sent and did not take back, by revision id.
    pub(crate) cache: BTreeMap<i32, CachedRevision>,
    /// Updates that the stand-in installed, by id.
    pub(crate) installed: BTreeSet<Uuid>,
    /// Revisions whose extended metadata has been fetched.
    pub(crate) described: BTreeSet<i32>,
}

/// What an agent keeps of GetConfig.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Config {
    /// `LastChange`, as received.
    pub(crate) last_change: String,
    /// `IsRegistrationRequired`.
    pub(crate) registration: bool,
    /// `ServiceUrl` of the plug-in.
    pub(crate) service_url: String,
    /// The plug-in for authorization.
    pub(crate) plug_in: PlugIn,
    /// `MaxExtendedUpdatesPerRequest`.
    pub(crate) max_extended: usize,
    /// `ProtocolVersion` of the server as a pair.
    pub(crate) protocol: (u32, u32),
}

/// How a server wants agents to be authorized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PlugIn {
    /// The agent gets an authorization cookie and may name its target group.
    SimpleTargeting,
    /// There is no service that gives authorization cookies.
    Anonymous,
}

impl PlugIn {
    /// `PlugInID`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SimpleTargeting => "SimpleTargeting",
            Self::Anonymous => "Anonymous",
        }
    }
}

/// A cookie, opaque to the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cookie {
    /// `Expiration`, as received.
    pub(crate) expiration: String,
    /// `EncryptedData`, as received.
    pub(crate) data: String,
}

/// A revision that the agent knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CachedRevision {
    /// What its Core fragment says.
    pub(crate) core: Core,
    /// `IsLeaf`.
    pub(crate) leaf: bool,
    /// `Deployment/Action`.
    pub(crate) action: Action,
    /// It came in the driver pass.
    pub(crate) driver: bool,
}

impl Datastore {
    /// An empty datastore.
    pub(crate) fn new(client_id: String) -> Self {
        Self {
            format: FORMAT,
            client_id,
            config: None,
            cookie: None,
            registered: false,
            cache: BTreeMap::new(),
            installed: BTreeSet::new(),
            described: BTreeSet::new(),
        }
    }

    /// Reads a state file; `None` when it is not there.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, ProbeError> {
        let text = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.doing("read the state file", path)?,
        };
        match serde_json::from_slice::<Self>(&text) {
            Ok(state) if state.format == FORMAT => Ok(Some(state)),
            _ => Err(ProbeError::StateFormat { path: path.into() }),
        }
    }

    /// Replaces the state file, durably.
    pub(crate) fn save(&self, path: &Path) -> Result<(), ProbeError> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut file = tempfile::NamedTempFile::new_in(folder).doing(WRITE, path)?;
        let json = serde_json::to_vec(self).map_err(io::Error::from).doing(WRITE, path)?;
        file.write_all(&json).doing(WRITE, path)?;
        durable::persist(file, path).doing(WRITE, path)?;
        Ok(())
    }
}
