//! Digests and lengths at every step, and one form of everything that is signed.

use super::*;

/// Replaces what timestamp (`snapshot.json`) or snapshot (the others) says of a file, and signs
/// everything above it anew.
fn relist(mirror: &Mirror, head: &Head, name: &str, change: &dyn Fn(&mut Value)) -> Head {
    let mut head = head.clone();
    let snapshot_name = format!("metadata/{}.snapshot.json", head_number(&head));
    let value = |head: &Head, file: &str| -> Value {
        let mut value: Value = serde_json::from_slice(&head.files[file]).unwrap();
        value["signatures"] = json!([]);
        value
    };
    let mut timestamp = value(&head, "metadata/timestamp.json");
    if name == "snapshot.json" {
        change(&mut timestamp["signed"]["meta"][name]);
    } else {
        let mut snapshot = value(&head, &snapshot_name);
        change(&mut snapshot["signed"]["meta"][name]);
        let mut snapshot: Signed<Snapshot> = serde_json::from_value(snapshot).unwrap();
        document::sign(&mut snapshot, &mirror.content).unwrap();
        let bytes = document::to_bytes(&snapshot).unwrap();
        let listed = &mut timestamp["signed"]["meta"]["snapshot.json"];
        listed["length"] = json!(bytes.len());
        listed["hashes"]["sha256"] = json!(Sha256::hash(&bytes));
        head.files.insert(snapshot_name, bytes.into());
    }
    let mut timestamp: Signed<schema::Timestamp> = serde_json::from_value(timestamp).unwrap();
    for key in &mirror.timestamp {
        document::sign(&mut timestamp, key).unwrap();
    }
    let slot = document::to_slot(&timestamp, mirror.timestamp.len()).unwrap();
    head.files.insert("metadata/timestamp.json".to_owned(), slot.into());
    head
}

#[test]
fn digests_and_lengths_are_demanded_at_every_step() {
    let mirror = Mirror::new(2, 2);
    let head = mirror.seal(3);
    for name in ["snapshot.json", "targets.json", "policy.json"] {
        check(&mirror.pin(), &relist(&mirror, &head, name, &|_| ())).unwrap();
        for member in ["hashes", "length"] {
            let without = relist(&mirror, &head, name, &|listed| {
                listed.as_object_mut().unwrap().remove(member).unwrap();
            });
            refused(check(&mirror.pin(), &without), &format!("SHA-256 and length of {name}"));
            assert!(inspect_for_signing(&without, &BundleLimits::default()).is_err());
        }
    }
}

/// Writes `timestamp.json` anew from its JSON text, padded to the same length.
fn rewrite(head: &Head, change: &dyn Fn(String) -> String) -> Head {
    let name = "metadata/timestamp.json";
    let mut head = head.clone();
    let before = String::from_utf8(head.files[name].to_vec()).unwrap();
    let mut after = change(before.trim_end().to_owned()).into_bytes();
    after.resize(before.len(), b' ');
    assert_ne!(after, before.into_bytes());
    head.files.insert(name.to_owned(), after.into());
    head
}

#[test]
fn the_timestamp_has_one_form() {
    let mirror = Mirror::new(2, 1);
    let head = mirror.seal(3);
    let upper = |member: &'static str| {
        move |text: String| {
            let from = text.find(&format!("\"{member}\"")).unwrap() + member.len() + 2;
            text[..from].to_owned() + &upper_hexadecimal(&text[from..])
        }
    };
    refused(check(&mirror.pin(), &rewrite(&head, &upper("keyid"))), "one form");
    refused(check(&mirror.pin(), &rewrite(&head, &upper("sig"))), "one form");
    let compact = |text: String| text.replacen("  ", " ", 1);
    refused(check(&mirror.pin(), &rewrite(&head, &compact)), "one form");

    let mut longer = head.clone();
    let mut bytes = head.files["metadata/timestamp.json"].to_vec();
    bytes.resize(bytes.len() + document::SLOT, b' ');
    longer.files.insert("metadata/timestamp.json".to_owned(), bytes.into());
    refused(check(&mirror.pin(), &longer), "room for its signatures");

    // The same two signatures in another order.
    let swapped = |text: String| {
        let mut document: Value = serde_json::from_str(&text).unwrap();
        document["signatures"].as_array_mut().unwrap().reverse();
        serde_json::to_string_pretty(&document).unwrap()
    };
    refused(check(&mirror.pin(), &rewrite(&head, &swapped)), "one form");

    // One of two signatures would do. The other may not be altered for all that.
    let second = |text: String| {
        let at = text.rfind("\"sig\": \"").unwrap() + 8;
        let digit = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
        text[..at].to_owned() + digit + &text[at + 1..]
    };
    refused(check(&mirror.pin(), &rewrite(&head, &second)), "2 signatures, of which 1 do not hold");
}

/// The first string of the text that follows, in upper case.
fn upper_hexadecimal(text: &str) -> String {
    let mut parts: Vec<String> = text.splitn(3, '"').map(str::to_owned).collect();
    parts[1] = parts[1].to_uppercase();
    parts.join("\"")
}

#[test]
fn another_major_version_of_the_specification_is_refused() {
    let mirror = Mirror::new(1, 1);
    let head = mirror.seal(3);
    for role in ["targets", "policy", "snapshot", "timestamp"] {
        let with = |version: &str| {
            mirror.forge(&head, |name, signed| {
                if name == role {
                    signed["spec_version"] = json!(version);
                }
            })
        };
        check(&mirror.pin(), &with("1.0.34")).unwrap();
        refused(check(&mirror.pin(), &with("2.0.0")), "install a newer tidegate");
    }
}

#[test]
fn a_new_root_counts_before_its_snapshot_does() {
    let mut mirror = Mirror::new(1, 1);
    let state = check(&mirror.pin(), &mirror.seal(5)).unwrap().next_state;
    let sealed_before = mirror.seal(6);
    mirror.content = key();
    mirror.add_root(1, &[]);
    let new = mirror.seal(7);
    let seen = state.with_newest_root(&new.roots()).unwrap();
    assert_eq!(TrustState::from_bytes(&seen.to_bytes()).unwrap(), seen);
    assert_eq!((seen.root_version(), seen.snapshot()), (2, Some(5)));
    assert_eq!(seen.with_newest_root(&sealed_before.roots()).unwrap(), seen);
    refused(check(&seen, &sealed_before), "revoked");
    let before = seen.before_newest_root().unwrap();
    assert_eq!(check(&before, &sealed_before).unwrap().freshness, Freshness::Newer);
    // All keys of snapshot are new: the counters end with the root that replaced them.
    assert_eq!(check(&seen, &mirror.seal(2)).unwrap().freshness, Freshness::Newer);
    let next = check(&seen, &new).unwrap().next_state;
    assert_eq!((next.snapshot(), next.before_newest_root()), (Some(7), None));
    refused(check(&next, &sealed_before), "revoked");

    // A root that only adds to the keys of timestamp ends no counter.
    mirror.timestamp.push(key());
    mirror.add_root(1, &[]);
    let seen = next.with_newest_root(&mirror.seal(8).roots()).unwrap();
    assert_eq!(seen.root_version(), 3);
    assert_eq!(check(&seen, &mirror.seal(2)).unwrap().freshness, Freshness::Older);
}
