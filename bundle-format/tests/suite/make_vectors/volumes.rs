//! The volumes that vectors start from.

use std::fs;

use bundle_format::{
    index::{Index, SegmentKind},
    trust::Head,
};
use serde_json::json;
use uuid::Uuid;

use super::Made;
use crate::{
    support::{Member, Mirror},
    vector::folder,
};

fn countersigned() -> Mirror {
    let mut mirror = Mirror::new();
    mirror.timestamp = vec![3, 13];
    mirror.roots.clear();
    mirror.add_root(2);
    mirror
}

pub(super) fn volumes(made: &mut Made) {
    let mirror = Mirror::new();
    fs::write(folder().join("root.json"), &mirror.roots[0]).unwrap();
    made.volume("good", mirror.full(3));
    made.volume("older", mirror.full(2));
    made.volume("newer", mirror.full(4));

    let two = countersigned();
    fs::write(folder().join("other-root.json"), &two.roots[0]).unwrap();
    let (index, _) = two.snapshot(3);
    made.volume("one-of-two-signatures", two.volume(&two.seal(&index, 3, 1), 3));
    made.volume("two-signatures", two.volume(&two.seal(&index, 3, 2), 3));

    // New content and timestamp keys under a second root.
    let mut rotated = Mirror::new();
    (rotated.content, rotated.timestamp) = (22, vec![23]);
    rotated.add_root(1);
    made.volume("rotated", rotated.full(4));
    made.volume("rotated-and-counted-anew", rotated.full(1));
    let mut revoked = mirror.seal(&mirror.snapshot(5).0, 5, 1);
    revoked.files.insert("metadata/2.root.json".to_owned(), rotated.roots[1].clone().into());
    made.volume("revoked-signer", mirror.volume(&revoked, 5));

    let mut other = Mirror::new();
    other.id = Uuid::from_u128(99);
    made.volume("other-mirror", other.full(4));
    let mut changed = Mirror::new();
    changed.payloads.push(b"one more".to_vec());
    made.volume("same-number", changed.full(3));
    let (index, _) = mirror.snapshot(4);
    made.volume("policy-back", mirror.volume(&mirror.seal(&index, 2, 1), 4));

    let odd = |change: &dyn Fn(&mut Index)| {
        let (mut index, _) = mirror.snapshot(3);
        change(&mut index);
        let number = index.snapshot;
        mirror.volume(&mirror.seal(&index, 3, 1), number)
    };
    made.volume("format-version-2", odd(&|index| index.format_version = 2));
    made.volume("critical-feature", odd(&|index| index.critical = vec!["teleport".to_owned()]));
    made.volume(
        "segment-kind-lies",
        odd(&|index| {
            index.segments[0].kind = SegmentKind::Payloads;
        }),
    );
    made.volume("segment-records-lie", odd(&|index| index.segments[0].records += 1));
    made.volume("segment-unpacked-size-lies", odd(&|index| index.segments[0].unpacked_size -= 1));
    made.volume(
        "segment-missing",
        odd(&|index| {
            let extra = mirror_with_one_more().snapshot(3).0.segments.remove(1);
            index.segments.push(extra);
        }),
    );
    let head = mirror.seal(&mirror.snapshot(3).0, 3, 1);
    let (_, segments) = mirror.snapshot(3);
    made.volume("payload-missing", mirror.volume_of(&head, 3, &segments, &mirror.payloads[1..]));
    let more: Vec<Vec<u8>> = mirror.payloads.iter().cloned().chain([b"stray".to_vec()]).collect();
    made.volume("stray-object", mirror.volume_of(&head, 3, &segments, &more));
    let swapped = |a: usize, b: usize| {
        let change = |members: &mut Vec<Member>| members.swap(a, b);
        mirror.volume_changed(&head, 3, &segments, &mirror.payloads, change)
    };
    made.volume("segments-swapped", swapped(0, 1));
    made.volume("payloads-swapped", swapped(2, 3));
    made.volume("payload-before-segment", swapped(0, 4));
    made.volume("note-of-another-snapshot", mirror.volume(&head, 9));

    let forged = |change: &dyn Fn(&str, &mut serde_json::Value)| -> Head {
        mirror.forge(&head, |document, signed| change(document, signed))
    };
    made.volume(
        "future-metadata",
        mirror.volume(
            &forged(&|document, signed| {
                if document == "targets" {
                    signed["targets"]["index.json.zst"]["custom"] =
                        json!({ "format-version": 2, "everything": "else" });
                }
            }),
            3,
        ),
    );
    made.volume(
        "custom-contradicts-index",
        mirror.volume(
            &forged(&|document, signed| {
                if document == "targets" {
                    signed["targets"]["index.json.zst"]["custom"]["sites"] =
                        json!(["plant-7", "plant-8"]);
                }
            }),
            3,
        ),
    );
    made.volume(
        "policy-not-listed",
        mirror.volume(
            &forged(&|document, signed| {
                if document == "snapshot" {
                    signed["meta"].as_object_mut().unwrap().remove("policy.json");
                }
            }),
            3,
        ),
    );
    made.volume(
        "policy-may-sign-the-index",
        mirror.volume(
            &forged(&|document, signed| {
                if document == "targets" {
                    signed["delegations"]["roles"][0]["paths"] = json!(["*"]);
                }
            }),
            3,
        ),
    );
    made.volume(
        "versions-differ",
        mirror.volume(
            &forged(&|document, signed| {
                if document == "timestamp" {
                    signed["version"] = json!(4);
                }
            }),
            3,
        ),
    );
    made.volume(
        "optional-field",
        mirror.volume(
            &forged(&|document, signed| {
                if document == "targets" {
                    signed["targets"]["index.json.zst"]["custom"]["note"] = json!("may be ignored");
                }
            }),
            3,
        ),
    );
    for (name, document, file, member) in UNLISTED {
        let change = |of: &str, signed: &mut serde_json::Value| {
            if of == document {
                signed["meta"][file].as_object_mut().unwrap().remove(member);
            }
        };
        made.volume(name, mirror.volume(&forged(&change), 3));
    }
    made.volume(
        "specification-2",
        mirror.volume(
            &forged(&|document, signed| {
                if document == "timestamp" {
                    signed["spec_version"] = json!("2.0.0");
                }
            }),
            3,
        ),
    );
    let upper = |name: &str| {
        let mut changed = head.clone();
        let text = String::from_utf8(head.files["metadata/timestamp.json"].to_vec()).unwrap();
        let from = text.find(&format!("\"{name}\": \"")).unwrap() + name.len() + 5;
        let to = from + text[from..].find('"').unwrap();
        let text = text[..from].to_owned() + &text[from..to].to_uppercase() + &text[to..];
        changed.files.insert("metadata/timestamp.json".to_owned(), text.into());
        mirror.volume(&changed, 3)
    };
    made.volume("key-id-in-upper-case", upper("keyid"));
    made.volume("signature-in-upper-case", upper("sig"));
    made.volume("root-signed-by-a-stranger", {
        let mut changed = head.clone();
        let mut root: serde_json::Value = serde_json::from_slice(&mirror.roots[0]).unwrap();
        let mut signature = root["signatures"][0].clone();
        signature["keyid"] = json!("f".repeat(64));
        root["signatures"].as_array_mut().unwrap().push(signature);
        let root = serde_json::to_vec_pretty(&root).unwrap();
        changed.files.insert("metadata/1.root.json".to_owned(), root.into());
        mirror.volume(&changed, 3)
    });
    let mut longer = head.clone();
    let mut bytes = head.files["metadata/timestamp.json"].to_vec();
    bytes.resize(bytes.len() + 2048, b' ');
    longer.files.insert("metadata/timestamp.json".to_owned(), bytes.into());
    made.volume("timestamp-padding-longer", mirror.volume(&longer, 3));
    let mut mixed = head.clone();
    let four = mirror.seal(&mirror.snapshot(4).0, 4, 1);
    mixed.files.insert(
        "metadata/timestamp.json".to_owned(),
        four.files["metadata/timestamp.json"].clone(),
    );
    made.volume("mixed", mirror.volume(&mixed, 3));
}

fn mirror_with_one_more() -> Mirror {
    let mut mirror = Mirror::new();
    mirror.payloads.push(b"one more".to_vec());
    mirror
}

/// Volumes in which a file is listed without a member that TUF lets metadata leave out.
pub(super) const UNLISTED: [(&str, &str, &str, &str); 6] = [
    ("timestamp-without-hashes", "timestamp", "snapshot.json", "hashes"),
    ("timestamp-without-length", "timestamp", "snapshot.json", "length"),
    ("targets-without-hashes", "snapshot", "targets.json", "hashes"),
    ("targets-without-length", "snapshot", "targets.json", "length"),
    ("policy-without-hashes", "snapshot", "policy.json", "hashes"),
    ("policy-without-length", "snapshot", "policy.json", "length"),
];
