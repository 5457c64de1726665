use std::num::NonZeroU64;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};
use tough::schema::{self, Role, Signed, Snapshot, Targets};
use uuid::Uuid;

use super::{document, state::Accepted, *};
use crate::{digest::Sha256, index::Index, keys::SigningKey, limits::Limits, policy::Policy};

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
        let timestamp: Vec<&SigningKey> = self.timestamp.iter().collect();
        let spec = RootSpec {
            root: (&[&self.root], 1),
            content: &self.content,
            timestamp: (&timestamp, threshold),
            expires: time("2036-01-01T00:00:00Z"),
        };
        let version = NonZeroU64::new(self.roots.len() as u64 + 1).unwrap();
        let root = make_root(&spec, version, also).unwrap();
        self.roots.push(root);
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
            json!(Sha256::of(&targets_bytes));
        if snapshot["signed"]["meta"]["policy.json"]["version"].is_null() {
            forged.files.insert(policy, Bytes::from_static(b"{}"));
        } else {
            let listed = &mut snapshot["signed"]["meta"]["policy.json"];
            listed["length"] = json!(policy_bytes.len());
            listed["hashes"]["sha256"] = json!(Sha256::of(&policy_bytes));
            forged.files.insert(policy, policy_bytes.into());
        }
        let snapshot: Signed<Snapshot> = sign_again(snapshot, &[&self.content]);
        let snapshot_bytes = document::to_bytes(&snapshot).unwrap();
        let mut timestamp = altered("timestamp", head, "metadata/timestamp.json");
        timestamp["signed"]["meta"]["snapshot.json"]["length"] = json!(snapshot_bytes.len());
        timestamp["signed"]["meta"]["snapshot.json"]["hashes"]["sha256"] =
            json!(Sha256::of(&snapshot_bytes));
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
    let expect = Expect { site: Some(site), now, refuse_expired: false };
    check_head(state, head, &expect, &Limits::default())
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

#[test]
fn sealed_and_accepted_step_by_step() {
    let mirror = Mirror::new(1, 1);
    let first = check(&mirror.pin(), &mirror.seal(3)).unwrap();
    assert_eq!(first.freshness, Freshness::Newer);
    assert_eq!(first.index, mirror.index(3));
    assert_eq!(first.policy, Policy::default());
    assert_eq!(first.warnings, Vec::<String>::new());
    assert_eq!(first.signers[0], ("root".to_owned(), vec![mirror.root.key_id()]));
    assert_eq!(first.signers[1].1, [mirror.timestamp[0].key_id()]);
    assert_eq!(first.signers[3].1, [mirror.content.key_id()]);
    assert_eq!(first.signers[4], ("policy".to_owned(), vec![mirror.policy.key_id()]));

    let state = TrustState::from_bytes(&first.next_state.to_bytes()).unwrap();
    assert_eq!(state, first.next_state);
    assert_eq!((state.snapshot(), state.mirror()), (Some(3), Some(mirror.id)));

    let again = check(&state, &mirror.seal(3)).unwrap();
    assert_eq!((again.freshness, &again.next_state), (Freshness::Same, &state));
    let newer = check(&state, &mirror.seal(4)).unwrap();
    assert_eq!((newer.freshness, newer.next_state.snapshot()), (Freshness::Newer, Some(4)));
    let older = check(&state, &mirror.seal(2)).unwrap();
    assert_eq!((older.freshness, &older.next_state), (Freshness::Older, &state));
    assert_eq!(older.index, mirror.index(2));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let mirror = Mirror::new(2, 2);
    assert_eq!(mirror.seal(3), mirror.seal(3));
    // Signed in whatever order, and before or after.
    let mut later = mirror.seal_with(&mirror.index(3), 3, 1);
    countersign(&mut later, &mirror.timestamp[1]).unwrap();
    let mut other = mirror.seal_with(&mirror.index(3), 3, 0);
    countersign(&mut other, &mirror.timestamp[1]).unwrap();
    countersign(&mut other, &mirror.timestamp[0]).unwrap();
    assert_eq!(later, mirror.seal(3));
    assert_eq!(other, mirror.seal(3));
    // Sorted keys: `preserve_order` of serde_json, turned on anywhere in the tree, would break it.
    let root = String::from_utf8(mirror.roots[0].clone()).unwrap();
    let places: Vec<usize> =
        ["\"signatures\"", "\"signed\"", "\"_type\"", "\"consistent_snapshot\"", "\"version\""]
            .iter()
            .map(|name| root.find(name).unwrap())
            .collect();
    assert!(places.is_sorted(), "{root}");
}

#[test]
fn nothing_but_the_timestamp_changes_by_countersigning() {
    let mirror = Mirror::new(3, 2);
    let mut head = mirror.seal_with(&mirror.index(1), 1, 1);
    let before = head.clone();
    assert_eq!(before.files["metadata/timestamp.json"].len(), 2048);
    refused(check(&mirror.pin(), &head), "countersignature is missing");
    let summary = inspect_for_signing(&head, &Limits::default()).unwrap();
    assert_eq!((summary.index, summary.signatures), (mirror.index(1), (1, 2)));

    assert!(countersign(&mut head, &mirror.timestamp[0]).is_err(), "has signed already");
    assert!(countersign(&mut head, &mirror.content).is_err(), "is not a key of the role");
    assert_eq!(head, before);
    countersign(&mut head, &mirror.timestamp[1]).unwrap();
    for (name, bytes) in &head.files {
        assert_eq!(bytes.len(), before.files[name].len());
        assert_eq!(*bytes == before.files[name], name != "metadata/timestamp.json", "{name}");
    }
    check(&mirror.pin(), &head).unwrap();
    assert_eq!(inspect_for_signing(&head, &Limits::default()).unwrap().signatures, (2, 2));
}

#[test]
fn many_signers_get_a_longer_slot() {
    let mirror = Mirror::new(12, 12);
    let mut head = mirror.seal_with(&mirror.index(1), 1, 1);
    assert_eq!(head.files["metadata/timestamp.json"].len() % 2048, 0);
    for key in &mirror.timestamp[1..] {
        countersign(&mut head, key).unwrap();
    }
    check(&mirror.pin(), &head).unwrap();
}

#[test]
fn every_altered_byte_of_the_head_is_refused() {
    let mirror = Mirror::new(1, 1);
    let head = mirror.seal(3);
    let state = mirror.pin();
    for (name, bytes) in &head.files {
        for at in (0..bytes.len()).step_by(13) {
            let mut altered = bytes.to_vec();
            altered[at] ^= 1;
            let mut head = head.clone();
            head.files.insert(name.clone(), altered.into());
            let result = check(&state, &head);
            assert!(
                matches!(result, Err(TrustError::Refused { .. })),
                "{name} byte {at}: {result:?}"
            );
            assert!(inspect_for_signing(&head, &Limits::default()).is_err(), "{name} byte {at}");
        }
    }
}

#[test]
fn a_head_with_files_missing_or_mixed_is_refused() {
    let mirror = Mirror::new(1, 1);
    let (three, four) = (mirror.seal(3), mirror.seal(4));
    for name in three.files.keys() {
        let mut head = three.clone();
        head.files.remove(name);
        assert!(check(&mirror.pin(), &head).is_err(), "without {name}");
    }
    let mut mixed = three.clone();
    mixed.files.insert(
        "metadata/timestamp.json".to_owned(),
        four.files["metadata/timestamp.json"].clone(),
    );
    refused(check(&mirror.pin(), &mixed), "files of two bundles are mixed");
    let mut extra = three;
    extra.files.insert("metadata/extra.json".to_owned(), Bytes::new());
    refused(check(&mirror.pin(), &extra), "which no head may hold");
}

#[test]
fn unknown_and_revoked_signers_are_refused() {
    let (ours, mut theirs) = (Mirror::new(1, 1), Mirror::new(1, 1));
    refused(check(&ours.pin(), &theirs.seal(1)), "unknown signer");

    // Their content under our root: the root passes, the signatures do not.
    let mut forged = theirs.seal(1);
    forged.files.insert("metadata/1.root.json".to_owned(), ours.roots[0].clone().into());
    refused(check(&ours.pin(), &forged), "unknown here or was revoked");

    // All keys but the root's replaced: what the old ones signed is refused, with the new root in
    // the bundle and, once that is known, without it.
    let state = theirs.pin();
    let old = theirs.seal(5);
    theirs.content = key();
    theirs.timestamp = vec![key()];
    theirs.add_root(1, &[]);
    let mut with_new_root = old.clone();
    with_new_root.files.insert("metadata/2.root.json".to_owned(), theirs.roots[1].clone().into());
    refused(check(&state, &with_new_root), "revoked");
    let state = check(&state, &theirs.seal(6)).unwrap().next_state;
    assert_eq!(state.root_version(), 2);
    refused(check(&state, &old), "revoked");
    check(&state, &theirs.seal(7)).unwrap();
}

#[test]
fn a_root_that_the_one_before_did_not_sign_is_refused() {
    let (mirror, mut thief) = (Mirror::new(1, 1), Mirror::new(1, 1));
    thief.roots = mirror.roots.clone();
    thief.add_root(1, &[]);
    let timestamp: Vec<&SigningKey> = thief.timestamp.iter().collect();
    assert_eq!(timestamp.len(), 1);
    let mut head = mirror.seal(1);
    head.files.insert("metadata/2.root.json".to_owned(), thief.roots[1].clone().into());
    refused(check(&mirror.pin(), &head), "not signed by the keys of the root before");
}

#[test]
fn after_a_count_far_ahead_new_keys_start_anew() {
    let mut mirror = Mirror::new(2, 1);
    let state = check(&mirror.pin(), &mirror.seal(1_000_000)).unwrap().next_state;
    assert_eq!(check(&state, &mirror.seal(4)).unwrap().freshness, Freshness::Older);

    // One countersigner leaves: the counters hold, and an old bundle does not come back with the
    // new root.
    mirror.timestamp.truncate(1);
    mirror.add_root(1, &[]);
    assert_eq!(check(&state, &mirror.seal(4)).unwrap().freshness, Freshness::Older);

    // All timestamp keys replaced: the signed way out.
    mirror.timestamp = vec![key()];
    mirror.add_root(1, &[]);
    let out = check(&state, &mirror.seal(5)).unwrap();
    assert_eq!((out.freshness, out.next_state.snapshot()), (Freshness::Newer, Some(5)));
}

#[test]
fn a_raised_threshold_does_not_bring_old_bundles_back() {
    let mut mirror = Mirror::new(2, 1);
    let old = mirror.seal(4);
    let state = check(&mirror.pin(), &mirror.seal_with(&mirror.index(9), 9, 1)).unwrap().next_state;
    mirror.add_root(2, &[]);
    let mut with_root = old;
    with_root.files.insert("metadata/2.root.json".to_owned(), mirror.roots[1].clone().into());
    assert_eq!(check(&state, &with_root).unwrap().freshness, Freshness::Older);
}

#[test]
fn another_site_or_mirror_is_refused_even_to_fill_gaps() {
    let mut mirror = Mirror::new(1, 1);
    let state = check(&mirror.pin(), &mirror.seal(3)).unwrap().next_state;
    refused(check_at(&state, &mirror.seal(4), "plant-9", now()), "this is \"plant-9\"");
    refused(check_at(&state, &mirror.seal(2), "plant-9", now()), "this is \"plant-9\"");
    mirror.id = Uuid::from_u128(2);
    refused(check(&state, &mirror.seal(4)), "follows one mirror");
    refused(check(&state, &mirror.seal(2)), "follows one mirror");
    let anyone = Expect { site: None, now: now(), refuse_expired: false };
    let head = check_head(&mirror.pin(), &mirror.seal(4), &anyone, &Limits::default()).unwrap();
    assert_eq!(head.index.sites, ["plant-7", "plant-8"]);
}

#[test]
fn newer_formats_are_named_as_such() {
    let mirror = Mirror::new(1, 1);
    let head = mirror.seal(3);
    let with_custom = |change: &dyn Fn(&mut Value)| {
        mirror.forge(&head, |document, signed| {
            if document == "targets" {
                change(&mut signed["targets"]["index.json.zst"]["custom"]);
            }
        })
    };
    check(&mirror.pin(), &with_custom(&|_| ())).unwrap();
    check(&mirror.pin(), &with_custom(&|custom| custom["note"] = json!("x"))).unwrap();
    let newer = with_custom(&|custom| *custom = json!({"format-version": 2, "all": "different"}));
    refused(check(&mirror.pin(), &newer), "update Tidegate on this side first");
    let lying = with_custom(&|custom| custom["sites"] = json!(["plant-7"]));
    refused(check(&mirror.pin(), &lying), "contradict each other");
    let lying = with_custom(&|custom| custom["snapshot"] = json!(4));
    refused(check(&mirror.pin(), &lying), "contradict each other");
    let none = with_custom(&|custom| *custom = json!({}));
    refused(check(&mirror.pin(), &none), "format version 0");

    let critical = Index { critical: vec!["teleport".to_owned()], ..mirror.index(4) };
    refused(check(&mirror.pin(), &mirror.seal_with(&critical, 1, 1)), "\"teleport\"");
}

#[test]
fn metadata_that_say_something_else_are_refused() {
    let mirror = Mirror::new(1, 1);
    let head = mirror.seal(3);
    let in_document = |name: &'static str, change: &dyn Fn(&mut Value)| {
        mirror.forge(&head, |document, signed| {
            if document == name {
                change(signed);
            }
        })
    };
    let cases = [
        (
            in_document("snapshot", &|signed| {
                signed["meta"].as_object_mut().unwrap().remove("policy.json");
            }),
            "no policy role",
        ),
        (
            in_document("targets", &|signed| signed["delegations"]["roles"] = json!([])),
            "no policy role",
        ),
        (
            in_document("targets", &|signed| {
                signed["delegations"]["roles"][0]["paths"] = json!(["policy.*", "index.*"]);
            }),
            "nothing else",
        ),
        (
            in_document("targets", &|signed| {
                signed["delegations"]["roles"][0]["terminating"] = json!(false);
            }),
            "nothing else",
        ),
        (
            in_document("targets", &|signed| {
                let target = signed["targets"]["index.json.zst"].clone();
                signed["targets"]["extra.json"] = target;
            }),
            "other targets than its own",
        ),
        (
            in_document("targets", &|signed| {
                let target = signed["targets"]["index.json.zst"].clone();
                signed["targets"]["policy.json.zst"] = target;
            }),
            "",
        ),
        (
            in_document("targets", &|signed| {
                let keys = signed["delegations"]["keys"].as_object_mut().unwrap();
                let mut twin = keys.values().next().unwrap().clone();
                twin["note"] = json!("twin");
                let key: schema::key::Key = serde_json::from_value(twin.clone()).unwrap();
                keys.insert(hex::encode(key.key_id().unwrap().into_vec()), twin);
            }),
            "same public key twice",
        ),
        (
            in_document("policy", &|signed| {
                let target = signed["targets"]["policy.json.zst"].clone();
                signed["targets"]["policy.more.zst"] = target;
            }),
            "other targets than its own",
        ),
        (
            in_document("policy", &|signed| {
                signed["delegations"] = json!({"keys": {}, "roles": []});
            }),
            "other targets than its own",
        ),
        (in_document("timestamp", &|signed| signed["version"] = json!(4)), "the same version"),
        (in_document("timestamp", &|signed| signed["meta"]["x.json"] = json!({"version": 1})), ""),
    ];
    for (head, part) in cases {
        refused(check(&mirror.pin(), &head), part);
        assert!(inspect_for_signing(&head, &Limits::default()).is_err() || part.is_empty());
    }
}

#[test]
fn a_policy_never_goes_back() {
    let mirror = Mirror::new(1, 1);
    let state = check(&mirror.pin(), &mirror.seal_with(&mirror.index(3), 7, 1)).unwrap().next_state;
    refused(check(&state, &mirror.seal_with(&mirror.index(4), 6, 1)), "policy");
    check(&state, &mirror.seal_with(&mirror.index(4), 7, 1)).unwrap();
    assert_eq!(
        check(&state, &mirror.seal_with(&mirror.index(2), 6, 1)).unwrap().freshness,
        Freshness::Older
    );
}

/// The TUF client forgets its counters when any key has changed; ours stay.
#[test]
fn a_policy_never_goes_back_with_a_new_root_either() {
    let mut mirror = Mirror::new(2, 1);
    let state = check(&mirror.pin(), &mirror.seal_with(&mirror.index(3), 7, 1)).unwrap().next_state;
    mirror.timestamp.truncate(1);
    mirror.add_root(1, &[]);
    refused(check(&state, &mirror.seal_with(&mirror.index(4), 6, 1)), "takes the policy back");
    check(&state, &mirror.seal_with(&mirror.index(4), 7, 1)).unwrap();
}

#[test]
fn a_root_keeps_its_rules() {
    let mirror = Mirror::new(1, 1);
    let pin = |change: &dyn Fn(&mut Value)| {
        let mut root: Value = serde_json::from_slice(&mirror.roots[0]).unwrap();
        change(&mut root["signed"]);
        root["signatures"] = json!([]);
        let mut root: Signed<schema::Root> = serde_json::from_value(root).unwrap();
        document::sign(&mut root, &mirror.root).unwrap();
        TrustState::pin(&document::to_bytes(&root).unwrap()).map_err(|e| e.to_string())
    };
    pin(&|_| ()).unwrap();
    for (change, says) in [
        (
            &(|root: &mut Value| root["consistent_snapshot"] = json!(false)) as &dyn Fn(&mut Value),
            "consistent snapshots",
        ),
        (
            &|root| {
                let keys = root["roles"]["timestamp"]["keyids"].as_array_mut().unwrap();
                keys.push(json!("00".repeat(32)));
            },
            "without its value",
        ),
        (&|root| drop(root["roles"].as_object_mut().unwrap().remove("snapshot")), "snapshot"),
        (&|root| root["roles"]["targets"]["threshold"] = json!(2), "2 signatures"),
    ] {
        let error = pin(change).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    // In another form, and yet signed.
    let mut head = mirror.seal(1);
    let root: Value = serde_json::from_slice(&mirror.roots[0]).unwrap();
    let compact = serde_json::to_vec(&root).unwrap();
    head.files.insert("metadata/1.root.json".to_owned(), compact.into());
    refused(check(&mirror.pin(), &head), "the one form");
}

#[test]
fn one_number_stands_for_one_snapshot() {
    let mirror = Mirror::new(1, 1);
    let state = check(&mirror.pin(), &mirror.seal(3)).unwrap().next_state;
    let other = Index { created: time("2026-01-21T00:00:00Z"), ..mirror.index(3) };
    refused(check(&state, &mirror.seal_with(&other, 3, 1)), "the same number 3");
}

#[test]
fn expiry_warns_or_refuses() {
    let mirror = Mirror::new(1, 1);
    let (state, head) = (mirror.pin(), mirror.seal(3));
    let late = time("2027-01-01T00:00:01Z");
    let warned = check_at(&state, &head, "plant-7", late).unwrap().warnings;
    assert_eq!(warned.len(), 4, "{warned:?}");
    assert!(warned[0].contains("timestamp metadata expired on 2027-01-01T00:00:00Z"));
    let strict = Expect { site: Some("plant-7"), now: late, refuse_expired: true };
    refused(check_head(&state, &head, &strict, &Limits::default()), "refuses expired");
    let early = check_at(&state, &head, "plant-7", time("2025-01-01T00:00:00Z")).unwrap();
    assert!(early.warnings[0].contains("clocks"), "{:?}", early.warnings);
    // A clock that was once far ahead locks nothing.
    let state = check_at(&state, &head, "plant-7", time("2090-01-01T00:00:00Z")).unwrap();
    check(&state.next_state, &mirror.seal(4)).unwrap();
}

#[test]
fn one_public_key_does_not_count_twice() {
    let mirror = Mirror::new(2, 2);
    let twice = [&mirror.timestamp[0], &mirror.timestamp[0]];
    let spec = RootSpec {
        root: (&[&mirror.root], 1),
        content: &mirror.content,
        timestamp: (&twice, 2),
        expires: now(),
    };
    assert!(make_root(&spec, NonZeroU64::MIN, &[]).is_err());
    let unreachable = RootSpec { timestamp: (&twice[..1], 2), ..spec };
    assert!(make_root(&unreachable, NonZeroU64::MIN, &[]).is_err());

    // The same value under a second id, which an extra field gives it.
    let mut root: Value = serde_json::from_slice(&mirror.roots[0]).unwrap();
    let id = mirror.timestamp[0].key_id();
    let mut twin = root["signed"]["keys"][&id].clone();
    twin["note"] = json!("twin");
    let twin_id: schema::key::Key = serde_json::from_value(twin.clone()).unwrap();
    let twin_id = hex::encode(twin_id.key_id().unwrap().into_vec());
    root["signed"]["keys"][&twin_id] = twin;
    root["signed"]["roles"]["timestamp"]["keyids"] = json!([id, twin_id]);
    root["signatures"] = json!([]);
    let mut root: Signed<schema::Root> = serde_json::from_value(root).unwrap();
    document::sign(&mut root, &mirror.root).unwrap();
    let error = TrustState::pin(&document::to_bytes(&root).unwrap()).unwrap_err();
    assert!(error.to_string().contains("same public key twice"), "{error}");
}

#[test]
fn a_damaged_state_is_refused_and_never_empty() {
    let mirror = Mirror::new(1, 1);
    let pinned = mirror.pin();
    assert_eq!(TrustState::from_bytes(&pinned.to_bytes()).unwrap(), pinned);
    let record = check(&pinned, &mirror.seal(3)).unwrap().next_state.to_bytes();
    for at in (0..record.len()).step_by(7) {
        let mut altered = record.clone();
        altered[at] ^= 1;
        assert!(matches!(TrustState::from_bytes(&altered), Err(TrustError::State { .. })));
        assert!(matches!(TrustState::from_bytes(&record[..at]), Err(TrustError::State { .. })));
    }
    let (three, four) = (mirror.seal(3), mirror.seal(4));
    let file = |head: &Head, name: &str| head.files[name].clone();
    let (timestamp, snapshot) = ("metadata/timestamp.json", "metadata/3.snapshot.json");
    let accepted = |head| Accepted::new(mirror.id, file(head, timestamp), file(&three, snapshot));
    assert_eq!(accepted(&three).unwrap().number, 3);
    assert!(accepted(&four).unwrap_err().contains("do not belong together"));
    let longer = [record.as_slice(), b"\n"].concat();
    assert!(matches!(TrustState::from_bytes(&longer), Err(TrustError::State { .. })));
}

#[test]
fn fingerprints_are_compared_by_voice() {
    let mirror = Mirror::new(1, 1);
    let fingerprint = Fingerprint::of_root(&mirror.roots[0]).unwrap();
    let words = fingerprint.words();
    assert_eq!(words.split(' ').count(), 16);
    assert!(fingerprint.matches(&words));
    assert!(fingerprint.matches(&format!("  {}\n", words.to_uppercase().replace(' ', " - "))));
    assert!(fingerprint.matches(&fingerprint.0.to_string().to_uppercase()));
    assert!(!fingerprint.matches(""));
    assert!(!fingerprint.matches(words.rsplit_once(' ').unwrap().0), "part of it is not enough");
    assert!(!fingerprint.matches(&fingerprint.0.to_string()[..32]));
    assert!(!Fingerprint::of_root(&Mirror::new(1, 1).roots[0]).unwrap().matches(&words));

    // A further signature changes the file, not the fingerprint.
    let mut root: Signed<schema::Root> = document::parse(&mirror.roots[0]).unwrap();
    document::sign(&mut root, &key()).unwrap();
    let signed = document::to_bytes(&root).unwrap();
    assert_ne!(signed, mirror.roots[0]);
    assert_eq!(Fingerprint::of_root(&signed).unwrap(), fingerprint);
    assert!(Fingerprint::of_root(b"{}").is_err());
}

#[test]
fn seals_that_cannot_hold_are_not_made() {
    let (mirror, other) = (Mirror::new(1, 1), Mirror::new(1, 1));
    let index = mirror.index(1);
    let good = Seal {
        roots: &mirror.roots,
        index: &index,
        policy: (&Policy::default(), NonZeroU64::MIN),
        content: &mirror.content,
        timestamp: &[&mirror.timestamp[0]],
        policy_key: &mirror.policy,
        expires: now(),
    };
    seal(&good).unwrap();
    assert!(seal(&Seal { roots: &[], ..good }).is_err());
    let spec = RootSpec {
        root: (&[&mirror.root], 1),
        content: &mirror.content,
        timestamp: (&[&mirror.timestamp[0]], 1),
        expires: now(),
    };
    let third = make_root(&spec, NonZeroU64::new(3).unwrap(), &[]).unwrap();
    let gap = [mirror.roots[0].clone(), third];
    let error = seal(&Seal { roots: &gap, ..good }).unwrap_err().to_string();
    assert!(error.contains("it says that it is version 3"), "{error}");
    let good = Seal { content: &other.content, ..good };
    assert!(seal(&good).unwrap_err().to_string().contains("does not name the key"));
    let good = Seal { content: &mirror.content, timestamp: &[&other.timestamp[0]], ..good };
    assert!(seal(&good).is_err());
}

#[test]
fn works_on_a_thread_that_drives_a_runtime() {
    let mirror = Mirror::new(1, 1);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { check(&mirror.pin(), &mirror.seal(1)).unwrap() });
}
