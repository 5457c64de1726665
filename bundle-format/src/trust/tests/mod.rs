//! A connected side in memory, for the tests of what is trusted.

mod accepting;
mod forms;
mod lying;
mod people;
mod sealing;
mod state;

use std::num::NonZeroU64;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use tough::schema::{self, Role, Signed, Snapshot, Targets};
use uuid::Uuid;

use super::{document, state::Accepted, *};
use crate::{
    digest::Sha256,
    index::Index,
    keys::{KeyRole, PublicKey, SigningKey},
    limits::BundleLimits,
    policy::Policy,
};

/// A connected side: its keys and its roots.
struct Mirror {
    root: SigningKey,
    content: SigningKey,
    timestamp: Vec<SigningKey>,
    policy: SigningKey,
    roots: Vec<Vec<u8>>,
    id: Uuid,
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    time("2026-02-01T00:00:00Z")
}

fn key() -> SigningKey {
    SigningKey::generate().unwrap()
}

fn public(key: &SigningKey, role: KeyRole) -> PublicKey {
    key.public_part(role, None).unwrap()
}

impl Mirror {
    fn new(countersigners: usize, threshold: u64) -> Self {
        let mut mirror = Self {
            root: key(),
            content: key(),
            timestamp: (0..countersigners).map(|_| key()).collect(),
            policy: key(),
            roots: Vec::new(),
            id: Uuid::from_u128(1),
        };
        mirror.add_root(threshold, &[]);
        mirror
    }

    fn add_root(&mut self, threshold: u64, also: &[&SigningKey]) {
        let spec = self.spec(threshold);
        let version = NonZeroU64::new(self.roots.len() as u64 + 1).unwrap();
        let signers: Vec<&SigningKey> = also.iter().copied().chain([&self.root]).collect();
        let root = make_root(&spec, version, &signers).unwrap();
        self.roots.push(root);
    }

    fn spec(&self, threshold: u64) -> RootSpec {
        RootSpec {
            root: vec![public(&self.root, KeyRole::Root)],
            root_threshold: 1,
            content: public(&self.content, KeyRole::Content),
            timestamp: self.timestamp.iter().map(|k| public(k, KeyRole::Countersigner)).collect(),
            timestamp_threshold: threshold,
            policy: None,
            expires: time("2036-01-01T00:00:00Z"),
        }
    }

    fn index(&self, snapshot: u64) -> Index {
        Index {
            format_version: 1,
            critical: Vec::new(),
            mirror_id: self.id,
            snapshot,
            created: time("2026-01-20T00:00:00Z"),
            sites: vec!["plant-7".to_owned(), "plant-8".to_owned()],
            segments: Vec::new(),
        }
    }

    fn seal(&self, snapshot: u64) -> Head {
        self.seal_with(&self.index(snapshot), snapshot, self.timestamp.len())
    }

    fn seal_with(&self, index: &Index, policy: u64, signatures: usize) -> Head {
        let timestamp: Vec<&SigningKey> = self.timestamp.iter().take(signatures).collect();
        seal(&Seal {
            roots: &self.roots,
            index,
            policy: (&Policy::default(), NonZeroU64::new(policy).unwrap()),
            content: &self.content,
            timestamp: &timestamp,
            policy_key: &self.policy,
            expires: time("2027-01-01T00:00:00.9Z"),
        })
        .unwrap()
    }

    fn pin(&self) -> TrustState {
        TrustState::pin(&self.roots[0]).unwrap()
    }

    /// Alters the signed documents of a head and signs everything anew, as a thief of the content
    /// and timestamp keys could.
    fn forge(&self, head: &Head, change: impl Fn(&str, &mut Value)) -> Head {
        let number = head_number(head);
        let policy = head.files.keys().find(|n| n.ends_with(".policy.json")).unwrap().clone();
        let mut forged = head.clone();
        let bytes = |head: &Head, name: &str| head.files[name].clone();
        let altered = |name: &str, head: &Head, file: &str| {
            let mut value: Value = serde_json::from_slice(&bytes(head, file)).unwrap();
            change(name, &mut value["signed"]);
            value["signatures"] = json!([]);
            value
        };
        fn sign_again<T>(value: Value, keys: &[&SigningKey]) -> Signed<T>
        where
            T: Role + serde::de::DeserializeOwned,
        {
            let mut document: Signed<T> = serde_json::from_value(value).unwrap();
            keys.iter().for_each(|key| document::sign(&mut document, key).unwrap());
            document
        }
        let targets_name = format!("metadata/{number}.targets.json");
        let targets: Signed<Targets> =
            sign_again(altered("targets", head, &targets_name), &[&self.content]);
        let targets_bytes = document::to_bytes(&targets).unwrap();
        let policy_document: Signed<Targets> =
            sign_again(altered("policy", head, &policy), &[&self.policy]);
        let policy_bytes = document::to_bytes(&policy_document).unwrap();
        let mut snapshot = altered("snapshot", head, &format!("metadata/{number}.snapshot.json"));
        snapshot["signed"]["meta"]["targets.json"]["length"] = json!(targets_bytes.len());
        snapshot["signed"]["meta"]["targets.json"]["hashes"]["sha256"] =
            json!(Sha256::hash(&targets_bytes));
        if snapshot["signed"]["meta"]["policy.json"]["version"].is_null() {
            forged.files.insert(policy, Bytes::from_static(b"{}"));
        } else {
            let listed = &mut snapshot["signed"]["meta"]["policy.json"];
            listed["length"] = json!(policy_bytes.len());
            listed["hashes"]["sha256"] = json!(Sha256::hash(&policy_bytes));
            forged.files.insert(policy, policy_bytes.into());
        }
        let snapshot: Signed<Snapshot> = sign_again(snapshot, &[&self.content]);
        let snapshot_bytes = document::to_bytes(&snapshot).unwrap();
        let mut timestamp = altered("timestamp", head, "metadata/timestamp.json");
        timestamp["signed"]["meta"]["snapshot.json"]["length"] = json!(snapshot_bytes.len());
        timestamp["signed"]["meta"]["snapshot.json"]["hashes"]["sha256"] =
            json!(Sha256::hash(&snapshot_bytes));
        let keys: Vec<&SigningKey> = self.timestamp.iter().collect();
        let timestamp: Signed<schema::Timestamp> = sign_again(timestamp, &keys);
        forged.files.insert(targets_name, targets_bytes.into());
        forged.files.insert(format!("metadata/{number}.snapshot.json"), snapshot_bytes.into());
        forged.files.insert(
            "metadata/timestamp.json".to_owned(),
            document::to_slot(&timestamp, keys.len()).unwrap().into(),
        );
        forged
    }
}

fn head_number(head: &Head) -> u64 {
    let name = head.files.keys().find(|name| name.ends_with(".targets.json")).unwrap();
    name.split(['/', '.']).nth(1).unwrap().parse().unwrap()
}

fn check(state: &TrustState, head: &Head) -> Result<VerifiedHead, TrustError> {
    check_at(state, head, "plant-7", now())
}

fn check_at(
    state: &TrustState,
    head: &Head,
    site: &str,
    now: Timestamp,
) -> Result<VerifiedHead, TrustError> {
    let expect = Expectation { site: Some(site), now, refuse_expired: false };
    let result = check_head(state, head, &expect, &BundleLimits::default());
    result.inspect_err(|error| in_our_words(error))
}

/// No text of a library is in an error or its causes: every head that is refused here is looked at.
#[track_caller]
fn in_our_words(error: &TrustError) {
    let first: &dyn std::error::Error = error;
    for cause in std::iter::successors(Some(first), |cause| cause.source()) {
        let text = cause.to_string();
        for foreign in ["tough", "PhantomData", "bundle:///", "Transport", "struct", "threshold of"]
        {
            assert!(!text.contains(foreign), "{foreign:?} is in: {text}");
        }
    }
}

/// The refusal, which must be the bundle's fault and hold `part`.
#[track_caller]
fn refused(result: Result<VerifiedHead, TrustError>, part: &str) {
    match result {
        Err(error @ TrustError::Refused { .. }) => {
            assert!(error.to_string().contains(part), "{error}\ndoes not say {part:?}");
        }
        other => panic!("not refused: {other:?}"),
    }
}
