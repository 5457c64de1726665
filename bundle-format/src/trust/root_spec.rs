//! What a root is made of: the keys of each role, and how long it counts.

use std::collections::HashMap;

use jiff::Timestamp;
use tough::schema::RoleType;

use super::{
    TrustError, document,
    roles::{NAMES, RoleKey, RootRoles, key_id, parse},
};
use crate::keys::{KeyRole, PublicKey};

/// Who may sign what; becomes a root.
#[derive(Debug, Clone)]
pub struct RootSpec {
    /// Root keys.
    pub root: Vec<PublicKey>,
    /// How many of them a root needs.
    pub root_threshold: u64,
    /// Signs targets and snapshot.
    pub content: PublicKey,
    /// Sign the timestamp: the countersignature.
    pub timestamp: Vec<PublicKey>,
    /// How many of them it needs.
    pub timestamp_threshold: u64,
    /// The policy key. Targets names it; the root holds only what people call it.
    pub policy: Option<PublicKey>,
    /// When the root expires. Whole seconds; fractions are dropped.
    pub expires: Timestamp,
}

impl RootSpec {
    /// Who may sign what by a root that was made here, to make the next one of it.
    ///
    /// # Errors
    /// When it is no root, or not one as we make them.
    pub fn from_root(root: &[u8]) -> Result<Self, TrustError> {
        let roles = RootRoles::from_root(root)?;
        let root = parse(root)?;
        let public = |key: &RoleKey| -> Result<PublicKey, TrustError> {
            let found = root.keys.values().find(|k| key_id(k).is_ok_and(|id| id == key.key_id));
            let bytes = found.and_then(|found| document::public(found).try_into().ok());
            let bytes = bytes.ok_or_else(|| {
                TrustError::refused(format!("the root holds no ed25519 key {}", key.key_id))
            })?;
            Ok(PublicKey { role: key.role, name: key.name.clone(), bytes })
        };
        let of = |role| roles.of(role).map(public).collect::<Result<Vec<_>, _>>();
        let mut content = of(KeyRole::Content)?;
        let (Some(content), true) = (content.pop(), content.is_empty()) else {
            return Err(TrustError::refused("the root has more than one content key"));
        };
        let mut timestamp = of(KeyRole::Countersigner)?;
        let signs = document::role(&root, RoleType::Timestamp).map_err(TrustError::refused)?;
        if signs.keyids.iter().any(|id| hex::encode(id.as_ref()) == content.key_id()) {
            timestamp.insert(0, content.clone());
        }
        Ok(Self {
            root: of(KeyRole::Root)?,
            root_threshold: roles.root_threshold,
            content,
            timestamp,
            timestamp_threshold: roles.snapshot_threshold,
            policy: None,
            expires: roles.expires,
        })
    }
}

/// What people call the keys, as a field of the root. Without names there is no such field.
pub(super) fn names_for_people(spec: &RootSpec) -> HashMap<String, serde_json::Value> {
    let keys = spec.root.iter().chain(&spec.timestamp).chain([&spec.content]).chain(&spec.policy);
    let names: serde_json::Map<String, serde_json::Value> =
        keys.filter_map(|key| Some((key.key_id(), key.name.as_ref()?.as_str().into()))).collect();
    match names.is_empty() {
        true => HashMap::new(),
        false => HashMap::from([(NAMES.to_owned(), names.into())]),
    }
}
