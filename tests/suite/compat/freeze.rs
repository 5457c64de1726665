//! Makes the frozen files of a release. Run by `tests/compat/make`, once for each release.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use bundle_format::digest::Sha256;
use serde_json::{Value, json};
use tidegate::{
    catalog::Catalog,
    update::{UpdateId, UpdateIdentity},
};

use super::{PASSPHRASE, SITE, side::described, store, take_in, verified};
use crate::support::{
    documents,
    file_server::{Body, FileServer, Reply},
    program::{Program, Server, text, utf8},
    sides::{copy_folder, tree},
};

/// More than one chunk, so that the payload may come in parts.
const LARGE: usize = 17 * 1024 * 1024;
/// A file whose download is broken off.
const UNFINISHED: usize = 1024 * 1024;
/// Bytes of it that come.
const BEGUN: usize = 300_000;
const SECURITY_UPDATE: &str = "f3cbd4e5-50d3-4da2-8e6f-80bea25d6f06";
const CLOCK_UPDATE: &str = "04dce5f6-61e4-4eb3-9f70-91cfb36e7007";
const FONT_UPDATE: &str = "15edf607-72f5-4fc4-8081-a2d0c47f8108";
const UNFINISHED_UPDATE: u128 = 0xf0f0_0000_0000_4000_8000_0000_0000_0001;

/// Bytes that compress well, in lines that all differ.
fn lines(length: usize) -> Vec<u8> {
    let line = |n: usize| format!("{n:08} {}\n", "Tidegate, a frozen sample. ".repeat(300));
    let mut bytes: Vec<u8> = (0..=length / 8000).flat_map(|n| line(n).into_bytes()).collect();
    bytes.truncate(length);
    assert_eq!(bytes.len(), length);
    bytes
}

#[test]
#[ignore = "makes the frozen files of a release: run tests/compat/make"]
fn freeze() {
    let to = store::folder().join(env!("CARGO_PKG_VERSION"));
    assert!(!to.exists(), "{} is there: frozen files are never made anew", to.display());
    let host = fs::read_to_string("/etc/hostname").unwrap();
    assert_eq!(host.trim(), "frozen", "the name of this machine would be frozen too");

    let root = tempfile::tempdir().unwrap();
    let making = Making { root: root.path().join("work"), out: root.path().join("out") };
    fs::create_dir_all(&making.root).unwrap();
    fs::create_dir_all(making.out.join("bundles")).unwrap();
    let expected = making.make();
    let mut text = serde_json::to_string_pretty(&expected).unwrap();
    text.push('\n');
    fs::write(making.out.join("expected.json"), text).unwrap();
    for name in tree(&making.out).into_keys() {
        let bytes = fs::read(making.out.join(&name)).unwrap();
        let place = root.path().to_str().unwrap().as_bytes();
        assert!(!bytes.windows(place.len()).any(|part| part == place), "{name} names {root:?}");
    }
    store::freeze(&making.out, &to);
    fs::write(store::folder().join("SHA256SUMS"), store::sums()).unwrap();
}

/// Where the sides work, and where that is gathered which is kept.
struct Making {
    root: PathBuf,
    out: PathBuf,
}

impl Making {
    fn make(&self) -> Value {
        let connected = Connected::new(self);
        let mut bundles = vec![connected.full()];
        bundles.push(connected.delta());
        bundles.push(connected.split());
        let keys = connected.keys.clone();
        let isolated = self.isolated(&keys, &bundles);
        let unfinished = connected.unfinished();

        let after = self.root.join("after");
        copy_folder(&isolated, &after);
        let after = Program::at(&self.root, "after");
        take_in(&after, &[self.volume(&bundles[2][1])]);
        let data = connected.program.data.clone();
        for (name, from) in [("connected", &data), ("isolated", &isolated)] {
            copy_folder(from, &self.out.join(name));
        }
        copy_folder(&self.root.join("replica"), &self.out.join("replica"));
        json!({
            "site": SITE,
            "fingerprint": text(&keys, "/fingerprint"),
            "bundles": self.bundles(&keys, &bundles),
            "connected": described(&data),
            "isolated": described(&isolated),
            "isolated-with-the-last-volume": described(&after.data),
            "replica": described(&self.root.join("replica")),
            "unfinished": unfinished,
        })
    }

    fn volume(&self, name: &str) -> PathBuf {
        self.out.join("bundles").join(name)
    }

    /// What a site of its own makes of the bundles, one after the other.
    fn bundles(&self, keys: &Value, bundles: &[Vec<String>]) -> Vec<Value> {
        let fresh = Program::init(&self.root, "fresh", &["--site", SITE], "");
        let root = self.out.join("root.json");
        fs::copy(text(keys, "/root"), &root).unwrap();
        fresh.run(&["trust", "add", utf8(&root), "--fingerprint", text(keys, "/fingerprint")]);
        let one = |names: &Vec<String>| {
            let volumes: Vec<_> = names.iter().map(|name| self.volume(name)).collect();
            let verified = verified(&fresh, &root, &volumes);
            take_in(&fresh, &volumes);
            json!({ "volumes": names, "verified": verified, "then": described(&fresh.data) })
        };
        bundles.iter().map(one).collect()
    }

    /// The isolated side: with two bundles, a decision of its own, a computer, a replica below with
    /// a computer that reports, and the first volume of the third bundle.
    fn isolated(&self, keys: &Value, bundles: &[Vec<String>]) -> PathBuf {
        let isolated = Program::init(&self.root, "isolated", &["--site", SITE], "");
        let (root, fingerprint) = (text(keys, "/root"), text(keys, "/fingerprint"));
        isolated.run(&["trust", "add", root, "--fingerprint", fingerprint]);
        for bundle in &bundles[..2] {
            take_in(&isolated, &[self.volume(&bundle[0])]);
        }
        isolated.run(&["groups", "add", "Workshop"]);
        isolated.run(&[
            "policy",
            "override",
            SECURITY_UPDATE,
            "--group",
            "Workshop",
            "--action",
            "detect",
        ]);
        let server = isolated.serve(&[]);
        self.probe(&server, "pc-1", &["--group", "Pilot"]);
        isolated.run(&["computers", "assign", "pc-1", "Pilot"]);
        self.probe(&server, "pc-1", &["--group", "Pilot"]);

        let replica = Program::init(&self.root, "replica", &[], "");
        let follow = || {
            let from = server.said("/url");
            replica.run(&["sync", "--replica", "--from", from, "--allow-http"]);
            replica.run(&["download", "--allow-http"]);
        };
        follow();
        let below = replica.serve(&[]);
        self.probe(&below, "pc-2", &[]);
        drop(below);
        follow();
        drop(server);
        // Closes the databases that the servers were killed with.
        for side in [&isolated, &replica] {
            side.run(&["status"]);
            side.run(&["check"]);
        }
        isolated.run_to(&["import", utf8(&self.volume(&bundles[2][0]))], 4);
        assert!(isolated.data.join("parts").exists(), "the first volume ends within the payload");
        isolated.data
    }

    /// A computer scans and installs; what it remembers is kept.
    fn probe(&self, server: &Server, computer: &str, more: &[&str]) {
        let agents = self.out.join("agents");
        fs::create_dir_all(&agents).unwrap();
        let state = agents.join(format!("{computer}.json"));
        let agent = Program::at(&self.root, "agent");
        let args = ["probe", server.said("/url"), "--install", "--computer", computer, "--state"];
        let probed = agent.run(&[&args[..], &[utf8(&state)], more].concat());
        assert_eq!(probed["findings"].as_array().map(Vec::len), Some(0), "{probed:#}");
    }
}

/// The connected side.
struct Connected<'a> {
    making: &'a Making,
    program: Program,
    keys: Value,
    passphrase: PathBuf,
}

impl<'a> Connected<'a> {
    fn new(making: &'a Making) -> Self {
        let program = Program::init(&making.root, "connected", &[], "");
        let passphrase = making.root.join("passphrase");
        fs::write(&passphrase, PASSPHRASE).unwrap();
        let keys = program.run(&["keys", "init", "--passphrase-file", utf8(&passphrase)]);
        Self { making, program, keys, passphrase }
    }

    /// Exports what there is, as volumes with this name.
    fn export(&self, name: &str, more: &[&str]) -> Vec<String> {
        let medium = self.making.root.join(name);
        let (out, passphrase) = (utf8(&medium), utf8(&self.passphrase));
        let args = ["export", "--site", SITE, "--out", out, "--passphrase-file", passphrase];
        let exported = self.program.run(&[&args[..], &["--days", "36500"], more].concat());
        let volumes = exported["volumes"].as_array().unwrap();
        let keep = |(n, volume): (usize, &Value)| {
            let kept = format!("{name}-{}of{}.tar", n + 1, volumes.len());
            fs::copy(volume.as_str().unwrap(), self.making.volume(&kept)).unwrap();
            kept
        };
        volumes.iter().enumerate().map(keep).collect()
    }

    /// Takes in these documents.
    fn sync(&self, folder: &Path) {
        self.program.run(&["sync", "--from", utf8(folder)]);
    }

    fn publish(&self, name: &str, title: &str, payload: &[u8]) -> String {
        let installer = self.making.root.join(name);
        fs::write(&installer, payload).unwrap();
        let product = ["--product", "Contoso/Tools", "--applies-if", "always"];
        let args = ["publish", utf8(&installer), "--title", title];
        text(&self.program.run(&[&args[..], &product].concat()), "/update").to_owned()
    }

    /// Everything, without any decision.
    fn full(&self) -> Vec<String> {
        self.sync(documents::samples().path());
        self.export("1-full", &[])
    }

    /// Decisions, a newer revision that is expired, a withdrawn one, an update of ours.
    fn delta(&self) -> Vec<String> {
        let run = |args: &[&str]| self.program.run(args);
        run(&["groups", "add", "Pilot"]);
        run(&["groups", "add", "Pilot, first floor", "--parent", "Pilot"]);
        let by = ["--deadline", "2026-12-01T20:00:00Z"];
        run(&[&["approve", FONT_UPDATE, "--group", "Pilot, first floor"], &by[..]].concat());
        run(&["approve", SECURITY_UPDATE, "--group", "All Computers"]);
        run(&["decline", CLOCK_UPDATE]);
        let tools = self.publish("tools.exe", "Contoso Field Tools 2", &lines(20_000));
        run(&["rules", "add", "Ours", "--products", "Tools", "--group", "Pilot"]);
        run(&["rules", "run"]);
        run(&["approve", &tools, "--group", "Pilot, first floor", "--action", "optional-install"]);
        let shown = run(&["updates", FONT_UPDATE, "--document"]);
        let document = text(&shown, "/document");
        let expired = document
            .replacen("RevisionNumber=\"200\"", "RevisionNumber=\"201\"", 1)
            .replacen("PublicationState=\"Published\"", "PublicationState=\"Expired\"", 1);
        let folder = self.making.root.join("expired");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("expired.xml"), expired).unwrap();
        self.sync(&folder);
        let mut catalog = Catalog::open(&self.program.data.join("catalog.sqlite")).unwrap();
        let mut writer = catalog.write().unwrap();
        let id: UpdateId = CLOCK_UPDATE.parse().unwrap();
        assert!(writer.withdraw(&UpdateIdentity { id, revision: 100 }).unwrap());
        writer.commit().unwrap();
        drop(catalog);
        self.export("2-delta", &[])
    }

    /// A payload that is larger than a volume.
    fn split(&self) -> Vec<String> {
        let large = self.publish("large.exe", "Contoso Maps", &lines(LARGE));
        self.program.run(&["approve", &large, "--group", "Pilot"]);
        let volumes = self.export("3-split", &["--volume-size", "16900000"]);
        assert_eq!(volumes.len(), 2);
        volumes
    }

    /// A download that is broken off.
    fn unfinished(&self) -> Value {
        let payload = lines(UNFINISHED);
        let id = UpdateId(uuid::Uuid::from_u128(UNFINISHED_UPDATE));
        let file = documents::file("unfinished.exe", &payload);
        let document = format!(
            r#"<Update xmlns="http://schemas.microsoft.com/msus/2002/12/Update"><UpdateIdentity UpdateID="{id}" RevisionNumber="1" /><Properties DefaultPropertiesLanguage="en" UpdateType="Software" ExplicitlyDeployable="true" CreationDate="2026-01-01T00:00:00Z" /><LocalizedPropertiesCollection><LocalizedProperties><Language>en</Language><Title>A download that was broken off</Title></LocalizedProperties></LocalizedPropertiesCollection><Files>{file}</Files></Update>"#
        );
        let folder = self.making.root.join("unfinished");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("unfinished.xml"), document).unwrap();
        self.sync(&folder);
        self.program.run(&["approve", &id.to_string(), "--group", "Pilot"]);
        let kept = self.making.out.join("payloads");
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("unfinished.exe"), &payload).unwrap();

        let sent = payload.clone();
        let server = FileServer::start(move |_, _| {
            let begun = Body::Stall(sent[..BEGUN].to_vec(), sent.len());
            Reply::ok(begun).with("ETag", "\"1\"")
        });
        let url = server.url("");
        let args = ["download", "--location", &url, "--allow-http", "--reserve", "0"];
        let mut child = self.program.command(&args).stdout(Stdio::null()).spawn().unwrap();
        let sha256 = Sha256::hash(&payload).to_string();
        let partial = self.program.data.join("content/partial").join(sha256);
        let begun = Instant::now();
        while fs::metadata(&partial).map_or(0, |m| m.len()) < BEGUN as u64 {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing arrives");
            thread::sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // Closes the databases that it was killed with.
        self.program.run(&["status"]);
        json!({ "bytes-here": BEGUN, "bytes": UNFINISHED })
    }
}
