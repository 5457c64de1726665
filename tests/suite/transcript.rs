//! The transcript of a verification: every check, with what went into it, as others make it again.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use bundle_format::digest::{PayloadHasher, Sha256};
use serde_json::Value;

use crate::support::{
    program::{number, run, text, utf8},
    sides::{bytes, document},
    two_sides::TwoSides,
};

/// The transcript of verifying these, which ends with this code.
#[track_caller]
fn transcript(sides: &TwoSides, bundles: &[&str], more: &[&str], code: i32) -> Value {
    let out = sides.root().join("transcript");
    let args = [&["verify", "--transcript", utf8(&out)], bundles, more].concat();
    let output = run(&sides.isolated.data, &args);
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    let json = fs::read(&out).unwrap();
    fs::remove_file(&out).unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// The inputs of all checks of this kind.
fn inputs<'a>(transcript: &'a Value, check: &str) -> Vec<&'a Value> {
    let checks = transcript["checks"].as_array().unwrap().iter();
    checks.filter(|one| one["check"] == check).map(|one| &one["inputs"]).collect()
}

fn exported() -> (TwoSides, String) {
    let sides = TwoSides::new();
    sides.put("1.xml", document(1, 1, &[]));
    let payload = bytes(1, 3000);
    let mut hasher = PayloadHasher::new();
    hasher.update(&payload);
    sides.put("2.xml", document(2, 1, &[hasher.finish()]));
    sides.put("payload.cab", &payload);
    sides.sync(&[], 0);
    let volume = text(&sides.export(&[], 0), "/volumes/0").to_owned();
    (sides, volume)
}

#[test]
fn every_check_is_written_with_what_went_into_it() {
    let (sides, volume) = exported();
    let made = transcript(&sides, &[&volume], &[], 0);
    assert_eq!(text(&made, "/verdict"), "passed");
    // Each file of the beginning of the volume, as `tar` unpacks it and `sha256sum` hashes it.
    let unpacked = sides.root().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["-xf", &volume, "-C", utf8(&unpacked)]);
    assert!(tar.status().unwrap().success());
    let metadata = inputs(&made, "metadata");
    assert_eq!(metadata.len(), 7);
    for file in metadata {
        let bytes = fs::read(unpacked.join(text(file, "/name"))).unwrap();
        assert_eq!(text(file, "/sha256"), Sha256::hash(&bytes).to_string());
        assert_eq!(number(file, "/size"), bytes.len() as u64);
    }
    let roles = inputs(&made, "signatures");
    let names: Vec<&str> = roles.iter().map(|role| text(role, "/role")).collect();
    assert_eq!(names, ["root", "timestamp", "snapshot", "targets", "policy"]);
    for role in roles {
        assert_eq!(number(role, "/threshold"), 1, "{role}");
        assert_eq!(role["keys"], role["valid"], "{role}");
    }
    for (check, folder) in [("segment", "objects"), ("payload", "objects")] {
        let objects = inputs(&made, check);
        assert!(!objects.is_empty(), "{check}");
        for object in objects {
            let name = text(object, "/sha256");
            let bytes = fs::read(unpacked.join(folder).join(name)).unwrap();
            assert_eq!(Sha256::hash(&bytes).to_string(), name);
            assert_eq!(number(object, "/size"), bytes.len() as u64);
        }
    }
    let sums = fs::read(unpacked.join("SHA256SUMS")).unwrap();
    let sums = Sha256::hash(&sums).to_string();
    assert_eq!(text(inputs(&made, "end")[0], "/sha256sums"), sums);
    let entered = sides.connected.run(&["journal", "list", "--kind", "export"]);
    assert_eq!(text(&entered, "/entries/0/details/volumes/first/0/sha256sums"), sums);
    let trusted = inputs(&made, "trusted-root")[0];
    assert_eq!(text(trusted, "/site"), "plant-7");
    let shown = run(&sides.isolated.data, &["trust", "show", utf8(&root(&sides))]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.starts_with(text(trusted, "/fingerprint")), "{shown}");
    for check in ["container", "rollback", "site", "index", "dates", "end"] {
        assert_eq!(inputs(&made, check).len(), 1, "{check}");
    }
}

fn root(sides: &TwoSides) -> PathBuf {
    sides.connected.data.join("keys/1.root.json")
}

#[test]
fn what_is_refused_is_written_up_to_the_refusal() {
    let (sides, volume) = exported();
    let good = transcript(&sides, &[&volume], &[], 0);
    let payload = inputs(&good, "payload")[0].clone();
    let whole = fs::read(&volume).unwrap();
    let part = fs::read(sides.source().join("payload.cab")).unwrap();
    let at = whole.windows(part.len()).position(|window| window == part).unwrap();
    let mut damaged = whole.clone();
    damaged[at] ^= 1;
    fs::write(&volume, damaged).unwrap();
    let made = transcript(&sides, &[&volume], &[], 3);
    assert_eq!(text(&made, "/verdict"), "refused");
    let refusal = made["checks"].as_array().unwrap().last().unwrap();
    assert_eq!((text(refusal, "/check"), &refusal["inputs"]), ("refusal", &payload));
    assert!(text(refusal, "/why").contains("another digest"), "{refusal}");
    assert_eq!(inputs(&made, "segment").len(), inputs(&good, "segment").len());
    assert!(inputs(&made, "payload").is_empty());

    // Signed by somebody else: what was read of it stands there, and no signature that holds.
    fs::write(&volume, whole).unwrap();
    let other = TwoSides::new();
    let made = transcript(&other, &[&volume], &[], 3);
    assert_eq!(inputs(&made, "metadata").len(), 7);
    assert!(inputs(&made, "signatures").is_empty());
    let refusal = made["checks"].as_array().unwrap().last().unwrap();
    assert!(text(refusal, "/why").contains("another root"), "{refusal}");
    assert_eq!(Path::new(text(refusal, "/volume")), Path::new(&volume));

    let missing = transcript(&sides, &["no-such-file"], &[], 1);
    assert_eq!(text(&missing, "/verdict"), "failed");
}
