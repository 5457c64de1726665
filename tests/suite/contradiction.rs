//! Documents that name a payload with another size or other digests than it has: vendors write
//! such. They are set aside or left out, and everything else goes on.

use std::{fs, path::Path};

use bundle_format::digest::{PayloadDigests, Sha256};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    file_server::digests,
    program::{Program, number, run_json, text, utf8},
    sides::{bytes, document, update},
};

/// A connected and an isolated side, and a folder to synchronize from.
struct Sides {
    root: TempDir,
    mirror: Program,
    site: Program,
}

impl Sides {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let mirror = Program::init(root.path(), "mirror", &[], "");
        mirror.run(&["keys", "init"]);
        let site = Program::init(root.path(), "site", &["--site", "plant"], "");
        let key = root.path().join("mirror/keys/1.root.json");
        site.run(&["trust", "add", utf8(&key), "--yes"]);
        fs::create_dir(root.path().join("in")).unwrap();
        Self { root, mirror, site }
    }

    fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.root.path().join("in").join(name), content).unwrap();
    }

    fn sync(&self, code: i32) -> Value {
        self.mirror.run_to(&["sync", "--from", utf8(&self.root.path().join("in"))], code)
    }

    /// Exports, and imports what came of it.
    fn carry(&self, code: i32) -> Value {
        let out = self.root.path().join("out");
        let report = self.mirror.run_to(&["export", "--site", "plant", "--out", utf8(&out)], code);
        let volumes: Vec<String> = report["volumes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|volume| volume.as_str().unwrap().to_owned())
            .collect();
        let mut args = vec!["import"];
        args.extend(volumes.iter().map(String::as_str));
        self.site.run(&args);
        report
    }

    /// Numbers of the updates that the isolated side has.
    fn arrived(&self) -> Vec<u128> {
        let listed = run_json(Path::new(&self.site.data), &["updates"], 0);
        let ids: Vec<&str> =
            listed.as_array().unwrap().iter().map(|one| text(one, "/identity/id")).collect();
        (0..10).filter(|n| ids.contains(&update(*n).to_string().as_str())).collect()
    }
}

/// What a document may say wrongly of a payload whose SHA-1 it names rightly.
fn lies(payload: &[u8]) -> [PayloadDigests; 3] {
    let right = digests(payload);
    let with = |byte| Sha256::from_bytes([byte; 32]);
    [
        PayloadDigests { sha256: with(0), ..right.clone() },
        PayloadDigests { sha256: with(0xff), ..right.clone() },
        PayloadDigests { size: right.size + 1, ..right },
    ]
}

#[test]
fn a_wrong_document_beside_a_right_one_keeps_nothing_back() {
    for lie in lies(&bytes(1, 500)) {
        for (wrong, right) in [("a.xml", "b.xml"), ("b.xml", "a.xml")] {
            let sides = Sides::new();
            sides.put(right, document(1, 1, &[digests(&bytes(1, 500))]));
            sides.put(wrong, document(2, 1, std::slice::from_ref(&lie)));
            sides.put("c.xml", document(3, 1, &[digests(&bytes(3, 700))]));
            sides.put("payload", bytes(1, 500));
            sides.put("other", bytes(3, 700));
            let synced = sides.sync(4);
            assert_eq!(number(&synced, "/payloads-added"), 2, "{synced:#}");
            let problems = synced["problems"].as_array().unwrap();
            assert_eq!(problems.len(), 1, "{synced:#}");
            assert!(text(&problems[0], "/where").contains(&update(2).to_string()), "{synced:#}");
            let report = sides.carry(4);
            assert_eq!(
                text(&report, "/sealed/left-out/0/identity/id"),
                update(2).to_string(),
                "{report:#}"
            );
            assert_eq!(sides.arrived(), [1, 3]);
        }
    }
}

#[test]
fn a_wrong_document_that_comes_after_the_payload_is_set_aside() {
    let sides = Sides::new();
    sides.put("a.xml", document(1, 1, &[digests(&bytes(1, 500))]));
    sides.put("payload", bytes(1, 500));
    sides.sync(0);
    for lie in lies(&bytes(1, 500)) {
        sides.put("b.xml", document(2, 1, &[lie]));
        sides.put("c.xml", document(3, 1, &[]));
        let synced = sides.sync(4);
        assert_eq!(text(&synced, "/problems/0/where"), "b.xml");
        assert!(text(&synced, "/problems/0/what").starts_with("set aside"), "{synced:#}");
        let report = sides.carry(0);
        assert_eq!(report["sealed"]["left-out"], Value::Array(vec![]));
        assert_eq!(sides.arrived(), [1, 3]);
    }
}

/// It was sealed before the payload showed that it is wrong: a site must not refuse what follows.
#[test]
fn a_wrong_document_of_an_earlier_snapshot_is_withdrawn() {
    let sides = Sides::new();
    let [lie, ..] = lies(&bytes(1, 500));
    sides.put("b.xml", document(2, 1, &[lie]));
    sides.sync(0);
    sides.carry(0);
    assert_eq!(sides.arrived(), [2]);
    sides.put("a.xml", document(1, 1, &[digests(&bytes(1, 500))]));
    sides.put("payload", bytes(1, 500));
    sides.sync(4);
    let report = sides.carry(4);
    assert_eq!(number(&report, "/sealed/withdrawals"), 1, "{report:#}");
    assert_eq!(sides.arrived(), [1]);
    // Once more: named again, nothing new.
    sides.sync(4);
    let report = sides.carry(4);
    assert_eq!(report["sealed"]["new"], false, "{report:#}");
    // A corrected revision comes; the wrong one is taken out for good.
    sides.put("b.xml", document(2, 2, &[digests(&bytes(1, 500))]));
    sides.sync(4);
    let id = update(2).to_string();
    sides.mirror.run(&["withdraw", &id, "--revision", "1", "--yes"]);
    sides.sync(0);
    sides.carry(0);
    assert_eq!(sides.arrived(), [1, 2]);
}
