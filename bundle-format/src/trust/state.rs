//! The trust state: what the isolated side has accepted so far, as one record.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tough::schema::{self, RoleType, Root, Signed, Snapshot};
use uuid::Uuid;

use super::{
    TrustError, document,
    fingerprint::Fingerprint,
    head::POLICY_ROLE,
    roles::RootRoles,
    root::{check_chain, parse_root, same_mirror},
    root_record::{self, RootOrigin, RootRecord},
};
use crate::digest::Sha256;

/// First line of the record.
const MAGIC: &str = "tidegate-trust-state 1";

/// What the isolated side trusts: newest root, rollback counters, mirror. One record with a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustState {
    /// The newest root, in its one form.
    pub(super) root: Bytes,
    /// What was accepted last.
    pub(super) accepted: Option<Accepted>,
    /// The root before a newer one was seen, as long as no snapshot of the newer one has taken
    /// effect. The counters were counted under it.
    pub(super) before: Option<Bytes>,
    /// Since when which root is trusted, oldest first.
    pub(super) records: Vec<RootRecord>,
}

/// The metadata of the newest accepted snapshot, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) mirror: Uuid,
    pub(super) timestamp: Bytes,
    pub(super) snapshot: Bytes,
    /// The snapshot's number.
    pub(super) number: u64,
    /// The version of the policy role.
    pub(super) policy: u64,
}

/// The record between magic and digest.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Record {
    root: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    accepted: Option<AcceptedRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roots: Vec<RootRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AcceptedRecord {
    mirror_id: Uuid,
    timestamp: String,
    snapshot: String,
}

impl TrustState {
    /// Starts from a root that was compared by its fingerprint.
    ///
    /// # Errors
    /// When it is no valid root.
    pub fn pin(root: &[u8]) -> Result<Self, TrustError> {
        let root = parse_root(root)
            .map_err(|what| TrustError::refused(format!("the root cannot be pinned: it {what}")))?;
        let root = document::to_bytes(&root)?.into();
        Ok(Self { root, accepted: None, before: None, records: Vec::new() })
    }

    /// The state with the newest of these root files of a volume (from version 1 on), which counts
    /// from now on, whatever becomes of the volume's snapshot (TUF 5.3.8). The same state when none of
    /// them is newer.
    ///
    /// # Errors
    /// When the roots do not lead from the newest stored root on.
    pub fn with_newest_root(&self, roots: &[Bytes]) -> Result<Self, TrustError> {
        let pinned = parse_root(&self.root)
            .map_err(|what| TrustError::State { what: format!("the stored root {what}") })?;
        if (roots.len() as u64) <= pinned.signed.version.get() {
            return Ok(self.clone());
        }
        same_mirror(&pinned.signed, roots)?;
        let chain = check_chain(roots.iter().map(AsRef::as_ref))?;
        let Some(newest) = chain.last() else { return Ok(self.clone()) };
        Ok(Self {
            root: document::to_bytes(newest)?.into(),
            accepted: self.accepted.clone(),
            before: Some(self.before.clone().unwrap_or_else(|| self.root.clone())),
            records: self.records.clone(),
        })
    }

    /// What was trusted before a newer root was seen; `None` when no snapshot of the newest root is
    /// awaited. Only to look for objects that such a snapshot lacks.
    pub fn before_newest_root(&self) -> Option<Self> {
        let root = self.before.clone()?;
        let (accepted, records) = (self.accepted.clone(), self.records.clone());
        Some(Self { root, accepted, before: None, records })
    }

    /// This state under the newest root of another one, which was seen since.
    pub fn under_root_of(self, newer: &Self) -> Self {
        let records = newer.records.clone();
        Self { root: newer.root.clone(), accepted: self.accepted, before: Some(self.root), records }
    }

    /// Since when which root is trusted, oldest first.
    pub fn records(&self) -> &[RootRecord] {
        &self.records
    }

    /// This state with what was noted of earlier roots; and its own root is noted, if it is `new`.
    ///
    /// # Errors
    /// When its root does not parse, which a state that was read or pinned rules out.
    pub fn noted(
        mut self,
        earlier: &[RootRecord],
        new: Option<(Timestamp, RootOrigin)>,
    ) -> Result<Self, TrustError> {
        self.records = earlier.to_vec();
        if let Some((since, origin)) = new {
            let root = RootRoles::from_root(&self.root)?;
            root_record::note(&mut self.records, &root, since, origin);
        }
        Ok(self)
    }

    /// Whether a person put a root in the place of a lost one, and no snapshot of the new one has taken
    /// effect yet.
    pub fn is_root_replaced(&self) -> bool {
        // Newer roots of the same chain may have come with bundles since.
        let last = self.records.iter().rfind(|record| record.origin != RootOrigin::Bundle);
        self.accepted.is_none() && last.is_some_and(|last| last.origin == RootOrigin::Replaced)
    }

    /// The root under which the counters were counted.
    pub(super) fn counted_under(&self) -> &Bytes {
        self.before.as_ref().unwrap_or(&self.root)
    }

    /// Reads the record.
    ///
    /// # Errors
    /// [`TrustError::State`] when its digest or shape is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TrustError> {
        let damaged = |what: &str| TrustError::State {
            what: format!(
                "{what}; restore it from a backup, or have the connected side tell the root's \
                 fingerprint and run `tidegate trust add FILE --fingerprint …` (what was accepted \
                 so far is forgotten then)"
            ),
        };
        let text = std::str::from_utf8(bytes).map_err(|_| damaged("the record is no text"))?;
        let (body, digest) = text
            .strip_suffix('\n')
            .and_then(|text| text.rsplit_once('\n'))
            .ok_or_else(|| damaged("the record is cut off"))?;
        if digest != digest_line(body) {
            return Err(damaged("the record does not have the digest at its end"));
        }
        let json = body
            .strip_prefix(MAGIC)
            .and_then(|body| body.strip_prefix('\n'))
            .ok_or_else(|| damaged("the record is of another version"))?;
        let record: Record =
            serde_json::from_str(json).map_err(|_| damaged("the record has not our shape"))?;
        Self::from_record(&record).map_err(|what| damaged(&what))
    }

    /// The record, with its digest.
    pub fn to_bytes(&self) -> Vec<u8> {
        let record = Record {
            root: STANDARD.encode(&self.root),
            accepted: self.accepted.as_ref().map(|accepted| AcceptedRecord {
                mirror_id: accepted.mirror,
                timestamp: STANDARD.encode(&accepted.timestamp),
                snapshot: STANDARD.encode(&accepted.snapshot),
            }),
            before: self.before.as_ref().map(|root| STANDARD.encode(root)),
            roots: self.records.clone(),
        };
        // Strings and an id: this cannot fail, and an empty record would be refused as damaged.
        let json = serde_json::to_string(&record).unwrap_or_default();
        let body = format!("{MAGIC}\n{json}");
        format!("{body}\n{}\n", digest_line(&body)).into_bytes()
    }

    /// The newest root.
    pub fn root(&self) -> &[u8] {
        &self.root
    }

    /// Version of the newest root.
    pub fn root_version(&self) -> u64 {
        document::parse::<Root>(&self.root).map_or(0, |root| root.signed.version.get())
    }

    /// Fingerprint of the newest root.
    ///
    /// # Errors
    /// When the root does not parse, which a state that was read or pinned rules out.
    pub fn fingerprint(&self) -> Result<Fingerprint, TrustError> {
        Fingerprint::from_root(&self.root)
    }

    /// Number of the newest snapshot accepted, if any.
    pub fn snapshot(&self) -> Option<u64> {
        self.accepted.as_ref().map(|accepted| accepted.number)
    }

    /// The mirror that this site follows: the one of the first snapshot accepted.
    pub fn mirror(&self) -> Option<Uuid> {
        self.accepted.as_ref().map(|accepted| accepted.mirror)
    }

    fn from_record(record: &Record) -> Result<Self, String> {
        let decode = |text: &str| {
            STANDARD.decode(text).map(Bytes::from).map_err(|_| "a file in it is cut off".to_owned())
        };
        let root = decode(&record.root)?;
        parse_root(&root).map_err(|what| format!("the root in it {what}"))?;
        let accepted = match &record.accepted {
            None => None,
            Some(accepted) => Some(Accepted::new(
                accepted.mirror_id,
                decode(&accepted.timestamp)?,
                decode(&accepted.snapshot)?,
            )?),
        };
        let before = record.before.as_deref().map(decode).transpose()?;
        if let Some(before) = &before {
            parse_root(before).map_err(|what| format!("the root before it {what}"))?;
        }
        Ok(Self { root, accepted, before, records: record.roots.clone() })
    }
}

impl Accepted {
    /// From the metadata files, which must name the counters. Their signatures are not checked
    /// again: a later root may have revoked them, and the counters hold nevertheless.
    pub(super) fn new(mirror: Uuid, timestamp: Bytes, snapshot: Bytes) -> Result<Self, String> {
        let parsed: Signed<schema::Timestamp> = document::parse(&timestamp)?;
        let listed: Signed<Snapshot> = document::parse(&snapshot)?;
        let number = listed.signed.version.get();
        if parsed.signed.version.get() != number {
            return Err("its timestamp and snapshot do not belong together".to_owned());
        }
        let policy = listed
            .signed
            .meta
            .get(&format!("{POLICY_ROLE}.json"))
            .ok_or("its snapshot lists no policy")?
            .version
            .get();
        Ok(Self { mirror, timestamp, snapshot, number, policy })
    }
}

/// Whether the counters of `old` hold under `new`: they do unless a later root has replaced *all*
/// keys of timestamp or of snapshot, which is the signed way out after a thief has counted far
/// ahead. A key that merely joins or leaves changes nothing, or else a bundle from before could be
/// brought back together with the new root.
pub(super) fn counters_hold(old: &Root, new: &Root) -> bool {
    [RoleType::Timestamp, RoleType::Snapshot].into_iter().all(|kind| {
        new.keys(kind)
            .any(|key| old.keys(kind).any(|old| document::public(old) == document::public(key)))
    })
}

fn digest_line(body: &str) -> String {
    format!("sha256:{}", Sha256::hash(body.as_bytes()))
}
