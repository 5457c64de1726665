//! What sealing and countersigning write.

use super::*;

/// Countersigns what a countersigner is shown.
fn add_signature(head: &mut Head, key: &SigningKey) -> Result<(), TrustError> {
    let shown = inspect_for_signing(head, &BundleLimits::default()).unwrap();
    countersign(head, key, &shown.timestamp_digest)
}

#[test]
fn only_what_was_shown_is_countersigned() {
    let mirror = Mirror::new(2, 2);
    let shown = mirror.seal_with(&mirror.index(3), 3, 1);
    let shown = inspect_for_signing(&shown, &BundleLimits::default()).unwrap().timestamp_digest;
    let mut other = mirror.seal_with(&mirror.index(4), 3, 1);
    let before = other.clone();
    let error = countersign(&mut other, &mirror.timestamp[1], &shown).unwrap_err();
    assert!(error.to_string().contains("another snapshot"), "{error}");
    assert_eq!(other, before);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let mirror = Mirror::new(2, 2);
    assert_eq!(mirror.seal(3), mirror.seal(3));
    // Signed in whatever order, and before or after.
    let mut later = mirror.seal_with(&mirror.index(3), 3, 1);
    add_signature(&mut later, &mirror.timestamp[1]).unwrap();
    let mut other = mirror.seal_with(&mirror.index(3), 3, 0);
    add_signature(&mut other, &mirror.timestamp[1]).unwrap();
    add_signature(&mut other, &mirror.timestamp[0]).unwrap();
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
    let summary = inspect_for_signing(&head, &BundleLimits::default()).unwrap();
    assert_eq!((summary.index, summary.signatures), (mirror.index(1), (1, 2)));

    assert!(add_signature(&mut head, &mirror.timestamp[0]).is_err(), "has signed already");
    assert!(add_signature(&mut head, &mirror.content).is_err(), "is not a key of the role");
    assert_eq!(head, before);
    add_signature(&mut head, &mirror.timestamp[1]).unwrap();
    for (name, bytes) in &head.files {
        assert_eq!(bytes.len(), before.files[name].len());
        assert_eq!(*bytes == before.files[name], name != "metadata/timestamp.json", "{name}");
    }
    check(&mirror.pin(), &head).unwrap();
    assert_eq!(inspect_for_signing(&head, &BundleLimits::default()).unwrap().signatures, (2, 2));
}

#[test]
fn many_signers_get_a_longer_slot() {
    let mirror = Mirror::new(12, 12);
    let mut head = mirror.seal_with(&mirror.index(1), 1, 1);
    assert_eq!(head.files["metadata/timestamp.json"].len() % 2048, 0);
    for key in &mirror.timestamp[1..] {
        add_signature(&mut head, key).unwrap();
    }
    check(&mirror.pin(), &head).unwrap();
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
    let third = make_root(&mirror.spec(1), NonZeroU64::new(3).unwrap(), &[&mirror.root]).unwrap();
    let gap = [mirror.roots[0].clone(), third];
    let error = seal(&Seal { roots: &gap, ..good }).unwrap_err().to_string();
    assert!(error.contains("it says that it is version 3"), "{error}");
    let good = Seal { content: &other.content, ..good };
    assert!(seal(&good).unwrap_err().to_string().contains("does not name the key"));
    let good = Seal { content: &mirror.content, timestamp: &[&other.timestamp[0]], ..good };
    assert!(seal(&good).is_err());
}

#[test]
fn one_public_key_does_not_count_twice() {
    let mirror = Mirror::new(2, 2);
    let once = vec![public(&mirror.timestamp[0], KeyRole::Countersigner)];
    let twice = [once.clone(), once.clone()].concat();
    let spec = RootSpec { timestamp: twice, ..mirror.spec(2) };
    assert!(make_root(&spec, NonZeroU64::MIN, &[]).is_err());
    let unreachable = RootSpec { timestamp: once, ..spec };
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
