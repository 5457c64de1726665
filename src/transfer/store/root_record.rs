//! Since when each root is trusted here, and how it came: `trust/roots.json`. For people; what counts is
//! the trust state.

use std::{fs, io, path::PathBuf};

use bundle_format::trust::RootRoles;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{data_dir::DataDir, durable, file_error::Doing as _, transfer::error::TransferError};

/// So many roots are remembered.
const KEPT: usize = 100;

/// A root that is or was trusted here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RootRecord {
    /// Its version.
    pub version: u64,
    /// Its fingerprint in words.
    pub fingerprint: String,
    /// Since when it is trusted.
    pub since: Timestamp,
    /// How it came.
    pub origin: RootOrigin,
}

/// How a root came to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RootOrigin {
    /// A person compared it: `trust add`.
    Added,
    /// A bundle brought it, signed by the root before.
    Bundle,
    /// A person put it in the place of a lost one: `trust replace`.
    Replaced,
}

/// What is remembered, oldest first. A damaged file says nothing: nothing depends on it.
pub(crate) fn load(data: &DataDir) -> Result<Vec<RootRecord>, TransferError> {
    let path = path(data);
    match fs::read(&path) {
        Ok(json) => Ok(serde_json::from_slice(&json).unwrap_or_default()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Ok(Err(e).doing("read", &path)?),
    }
}

/// Notes the root that is trusted from now on, if it is another than the last one.
pub(crate) fn note(
    data: &DataDir,
    root: &RootRoles,
    origin: RootOrigin,
) -> Result<(), TransferError> {
    let mut records = load(data)?;
    if records.last().is_some_and(|last| last.fingerprint == root.fingerprint) {
        return Ok(());
    }
    records.push(RootRecord {
        version: root.version,
        fingerprint: root.fingerprint.clone(),
        since: Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default(),
        origin,
    });
    records.drain(..records.len().saturating_sub(KEPT));
    let path = path(data);
    let json = serde_json::to_vec_pretty(&records)
        .map_err(io::Error::other)
        .and_then(|json| durable::write(&path, &json));
    Ok(json.doing("write", &path)?)
}

fn path(data: &DataDir) -> PathBuf {
    data.trust_state().with_file_name("roots.json")
}
