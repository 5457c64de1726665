//! What an agent remembers between scans.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    path::Path,
};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{error::ProbeError, fragments::Core};

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
    /// Its id: `SimpleTargeting`, or `Anonymous`.
    pub(crate) plug_in: String,
    /// `MaxExtendedUpdatesPerRequest`.
    pub(crate) max_extended: usize,
    /// `ProtocolVersion` of the server as a pair.
    pub(crate) protocol: (u32, u32),
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
    pub(crate) action: String,
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
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(ProbeError::StateFile { action: "read", path: path.into(), source });
            }
        };
        match serde_json::from_slice::<Self>(&text) {
            Ok(state) if state.format == FORMAT => Ok(Some(state)),
            _ => Err(ProbeError::StateFormat { path: path.into() }),
        }
    }

    /// Writes the state file anew, under another name first.
    pub(crate) fn save(&self, path: &Path) -> Result<(), ProbeError> {
        let fail =
            |source| ProbeError::StateFile { action: "write", path: path.to_path_buf(), source };
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
        let mut writer = std::io::BufWriter::new(&mut file);
        serde_json::to_writer(&mut writer, self).map_err(|error| fail(error.into()))?;
        writer.flush().map_err(fail)?;
        drop(writer);
        file.persist(path).map_err(|error| fail(error.error))?;
        Ok(())
    }
}
