//! Heads whose bytes or words are wrong.

use super::*;

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
            assert!(
                inspect_for_signing(&head, &BundleLimits::default()).is_err(),
                "{name} byte {at}"
            );
        }
    }
}

#[test]
fn what_the_library_says_is_said_in_our_words() {
    let mirror = Mirror::new(1, 1);
    let head = mirror.seal(3);
    let altered = |part: &str, change: &dyn Fn(&mut Value)| {
        let mut head = head.clone();
        let name = head.files.keys().find(|name| name.ends_with(part)).unwrap().clone();
        let mut value: Value = serde_json::from_slice(&head.files[&name]).unwrap();
        change(&mut value);
        head.files.insert(name, serde_json::to_vec_pretty(&value).unwrap().into());
        check(&mirror.pin(), &head)
    };
    let doubled = altered("timestamp.json", &|value| {
        let signature = value["signatures"][0].clone();
        value["signatures"] = json!([signature, signature]);
    });
    refused(doubled, "signed twice with the same key");
    for part in ["3.snapshot.json", "3.targets.json", "policy.json"] {
        let longer = altered(part, &|value| value["signed"]["more"] = json!("x".repeat(900)));
        refused(longer, "is longer than the");
    }
    for part in [".root.json", "timestamp.json"] {
        for form in ["signed", "signatures"] {
            refused(altered(part, &|value| value[form] = json!(1)), "pars");
        }
    }
    let mut other = head.clone();
    let by_stranger = Mirror::new(1, 1).seal(3).files["metadata/timestamp.json"].clone();
    other.files.insert("metadata/timestamp.json".to_owned(), by_stranger);
    refused(check(&mirror.pin(), &other), "none of the 1 signatures");
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
        assert!(inspect_for_signing(&head, &BundleLimits::default()).is_err() || part.is_empty());
    }
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
