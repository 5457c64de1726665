//! Who holds which role in a root, and what another root changes about it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use tough::schema::{RoleType, Root, key::Key};

use super::{TrustError, document, fingerprint::Fingerprint, head::POLICY_ROLE};
use crate::keys::{KeyName, KeyRole};

/// The field of a root with what people call the keys, by key id. For people only: trust is by key id.
pub(super) const NAMES: &str = "x-tidegate-key-names";

/// Who may sign what, by a root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RootRoles {
    /// Version of the root.
    pub version: u64,
    /// When it expires.
    pub expires: Timestamp,
    /// Its fingerprint in words, to compare by voice.
    pub fingerprint: String,
    /// The same in hexadecimal.
    pub fingerprint_hex: String,
    /// How many root keys a new root needs.
    pub root_threshold: u64,
    /// How many signatures a snapshot needs, the content key's own included.
    pub snapshot_threshold: u64,
    /// The keys, by role.
    pub keys: Vec<RoleKey>,
    /// What people call keys, by key id; also of keys that have no role in the root.
    #[serde(skip)]
    pub names: BTreeMap<String, KeyName>,
}

/// A key in a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RoleKey {
    /// Its role.
    pub role: KeyRole,
    /// Its TUF key id.
    pub key_id: String,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<KeyName>,
}

impl std::fmt::Display for RoleKey {
    /// The beginning of its id and, where it is known, its name.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&describe(&self.key_id, self.name.as_ref()))
    }
}

fn describe(key_id: &str, name: Option<&KeyName>) -> String {
    let short = key_id.get(..8).unwrap_or(key_id);
    match name {
        Some(name) => format!("{short} ({})", name.as_str()),
        None => short.to_owned(),
    }
}

impl RootRoles {
    /// Of a root file, signed or not.
    ///
    /// # Errors
    /// When it is no root, or not one as we make them.
    pub fn from_root(root: &[u8]) -> Result<Self, TrustError> {
        let root = parse(root)?;
        let names = names(&root);
        let mut keys = Vec::new();
        for (role, key) in role_keys(&root) {
            let key_id = key_id(key)?;
            keys.push(RoleKey { role, name: names.get(&key_id).cloned(), key_id });
        }
        keys.sort_by(|a, b| (a.role, &a.key_id).cmp(&(b.role, &b.key_id)));
        keys.dedup_by(|a, b| (a.role, &a.key_id) == (b.role, &b.key_id));
        let fingerprint = Fingerprint::from_parsed(&root)?;
        let threshold = |kind| document::role(&root, kind).map(|role| role.threshold.get());
        Ok(Self {
            version: root.version.get(),
            expires: root.expires,
            fingerprint: fingerprint.words(),
            fingerprint_hex: fingerprint.0.to_string(),
            root_threshold: threshold(RoleType::Root).map_err(TrustError::refused)?,
            snapshot_threshold: threshold(RoleType::Timestamp).map_err(TrustError::refused)?,
            keys,
            names,
        })
    }

    /// A key for people: the beginning of its id, and its name where the root has one.
    pub fn describe(&self, key_id: &str) -> String {
        describe(key_id, self.names.get(key_id))
    }

    /// Who signed a snapshot, for people: what each key is for, and its name. `signers` are key ids by
    /// role of the metadata.
    pub(super) fn describe_signers(&self, signers: &[(String, Vec<String>)]) -> Vec<String> {
        let mut described: Vec<String> = Vec::new();
        for wanted in ["targets", "timestamp", POLICY_ROLE] {
            let ids = signers.iter().filter(|(role, _)| role == wanted);
            for id in ids.flat_map(|(_, ids)| ids) {
                let is_content = self.of(KeyRole::Content).any(|key| key.key_id == *id);
                let role = match wanted {
                    POLICY_ROLE => KeyRole::Policy,
                    _ if is_content => KeyRole::Content,
                    _ => KeyRole::Countersigner,
                };
                let signer = format!("{role} key {}", self.describe(id));
                if !described.contains(&signer) {
                    described.push(signer);
                }
            }
        }
        described
    }

    /// The keys of a role.
    pub fn of(&self, role: KeyRole) -> impl Iterator<Item = &RoleKey> {
        self.keys.iter().filter(move |key| key.role == role)
    }

    /// What a newer root changes, as sentences: which key lost or gained its role.
    pub fn changes(&self, newer: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for role in [KeyRole::Root, KeyRole::Content, KeyRole::Countersigner] {
            let lost: Vec<_> = missing_in(self, newer, role);
            let gained: Vec<_> = missing_in(newer, self, role);
            let list = |keys: &[&RoleKey]| -> String {
                keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            };
            let (s, are) = if lost.len() + gained.len() > 2 { ("s", "are") } else { ("", "is") };
            match (lost.is_empty(), gained.is_empty()) {
                (true, true) => {}
                (false, false) => changes.push(format!(
                    "the {role} key{s} {} {are} replaced by {}",
                    list(&lost),
                    list(&gained)
                )),
                (false, true) => {
                    changes.extend(
                        lost.iter().map(|key| format!("the {role} key {key} counts no more")),
                    );
                }
                (true, false) => {
                    changes.extend(
                        gained.iter().map(|key| format!("the {role} key {key} counts from now on")),
                    );
                }
            }
        }
        for (what, before, after) in [
            ("root", self.root_threshold, newer.root_threshold),
            ("snapshot", self.snapshot_threshold, newer.snapshot_threshold),
        ] {
            let s = if after == 1 { "" } else { "s" };
            if before != after {
                changes.push(format!("a {what} needs {after} signature{s}, before {before}"));
            }
        }
        if changes.is_empty() && self.fingerprint != newer.fingerprint {
            changes.push(format!("the keys stay, until {:.0}", newer.expires));
        }
        changes
    }
}

fn missing_in<'a>(of: &'a RootRoles, other: &RootRoles, role: KeyRole) -> Vec<&'a RoleKey> {
    of.of(role).filter(|key| !other.of(role).any(|o| o.key_id == key.key_id)).collect()
}

/// Names that are not as we write them are left out.
fn names(root: &Root) -> BTreeMap<String, KeyName> {
    let names = root._extra.get(NAMES).and_then(serde_json::Value::as_object);
    let name = |(id, name): (&String, &serde_json::Value)| {
        Some((id.clone(), name.as_str()?.parse().ok()?))
    };
    names.into_iter().flatten().filter_map(name).collect()
}

/// Every key with the role that people know: who signs the timestamp beside the content key is a
/// countersigner.
fn role_keys(root: &Root) -> Vec<(KeyRole, &Key)> {
    let of = |kind| root.keys(kind).collect::<Vec<_>>();
    let content = [of(RoleType::Targets), of(RoleType::Snapshot)].concat();
    let others = of(RoleType::Timestamp).into_iter().filter(|key| !content.contains(key));
    let mut keys: Vec<_> = of(RoleType::Root).into_iter().map(|k| (KeyRole::Root, k)).collect();
    keys.extend(others.map(|key| (KeyRole::Countersigner, key)));
    keys.extend(content.into_iter().map(|key| (KeyRole::Content, key)));
    keys
}

pub(super) fn key_id(key: &Key) -> Result<String, TrustError> {
    key.key_id().map(|id| hex::encode(id.into_vec())).map_err(document::broken)
}

pub(super) fn parse(root: &[u8]) -> Result<Root, TrustError> {
    let refused = |what: String| TrustError::refused(format!("the root file {what}"));
    let root = document::parse::<Root>(root).map_err(refused)?.signed;
    document::check_root(&root).map_err(refused)?;
    Ok(root)
}
