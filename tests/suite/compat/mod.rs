//! What released programs have written is read for ever: each folder in `tests/compat/` was made by the
//! program of that version (`tests/compat/make`), and today's has to make the same of it.

mod freeze;
mod side;
mod store;

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use self::side::described;
use crate::support::program::{Program, number, text, utf8};

/// The site of all frozen bundles.
const SITE: &str = "plant-7";
/// Of all frozen keys, which protect nothing.
const PASSPHRASE: &str = "frozen and public\n";

/// The files of a release, where programs may write.
struct Frozen {
    root: TempDir,
    expected: Value,
}

impl Frozen {
    /// Of every release that there is; at least one.
    fn all() -> Vec<Self> {
        let releases = store::releases();
        assert!(!releases.is_empty(), "there are no frozen files in {}", store::folder().display());
        let thawed = |release: &PathBuf| {
            let root = tempfile::tempdir().unwrap();
            store::thaw(release, root.path());
            fs::write(root.path().join("passphrase"), PASSPHRASE).unwrap();
            let expected = fs::read(root.path().join("expected.json")).unwrap();
            Self { root, expected: serde_json::from_slice(&expected).unwrap() }
        };
        releases.iter().map(thawed).collect()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// One of the frozen sides, whose databases say what they said.
    fn side(&self, name: &str) -> Program {
        let program = Program::at(self.root.path(), name);
        holds(&program, &self.expected[name]);
        program
    }

    fn volumes(&self, bundle: &Value) -> Vec<PathBuf> {
        let names = bundle["volumes"].as_array().unwrap().iter();
        names.map(|name| self.path("bundles").join(name.as_str().unwrap())).collect()
    }

    fn bundles(&self) -> &[Value] {
        self.expected["bundles"].as_array().unwrap()
    }
}

/// What `verify` finds in volumes, as far as no later version may find anything else.
fn verified(program: &Program, root: &Path, volumes: &[PathBuf]) -> Vec<Value> {
    let volumes = volumes.iter().map(|volume| utf8(volume));
    let args: Vec<&str> = ["verify", "--root", utf8(root)].into_iter().chain(volumes).collect();
    let verified = program.run(&args);
    let kept = |volume: &Value| {
        let names = [
            "set",
            "volume",
            "mirror-id",
            "snapshot",
            "created",
            "sites",
            "catalogue-records",
            "payload-records",
            "segments",
            "segments-here",
            "payloads-here",
            "parts-here",
            "bytes",
            "approvals",
            "declined",
            "signers",
        ];
        names.into_iter().map(|name| (name.to_owned(), volume[name].clone())).collect()
    };
    verified["volumes"].as_array().unwrap().iter().map(kept).map(Value::Object).collect()
}

/// Imports volumes; everything must be in force then.
fn take_in(program: &Program, volumes: &[PathBuf]) -> Value {
    let volumes = volumes.iter().map(|volume| utf8(volume));
    program.run(&["import"].into_iter().chain(volumes).collect::<Vec<_>>())
}

/// The databases say what they are expected to; all of it, one subject after the other.
#[track_caller]
fn holds(program: &Program, expected: &Value) {
    let described = described(&program.data);
    for (subject, expected) in expected.as_object().unwrap() {
        assert_eq!(described[subject], *expected, "{subject} in {}", program.data.display());
    }
}

/// All that a person asks of a side.
fn is_well(program: &Program) {
    for command in ["status", "updates", "computers", "servers", "groups", "policy"] {
        program.run(&[command]);
    }
    let checked = program.run(&["check"]);
    assert_eq!(checked["problems"], json!([]), "{checked:#}");
}

#[test]
fn nobody_has_touched_what_is_frozen() {
    let noted = fs::read_to_string(store::folder().join("SHA256SUMS")).unwrap();
    assert_eq!(store::sums(), noted, "tests/compat/ is not what SHA256SUMS says");
}

#[test]
fn frozen_bundles_are_verified_and_taken_in_by_a_new_site() {
    for frozen in Frozen::all() {
        let site = Program::init(frozen.root.path(), "new", &["--site", SITE], "");
        let root = frozen.path("root.json");
        let fingerprint = text(&frozen.expected, "/fingerprint");
        site.run(&["trust", "add", utf8(&root), "--fingerprint", fingerprint]);
        for bundle in frozen.bundles() {
            let volumes = frozen.volumes(bundle);
            assert_eq!(json!(verified(&site, &root, &volumes)), bundle["verified"]);
            take_in(&site, &volumes);
            holds(&site, &bundle["then"]);
        }
        is_well(&site);
    }
}

#[test]
fn a_frozen_isolated_side_goes_on_where_it_was() {
    for frozen in Frozen::all() {
        let isolated = frozen.side("isolated");
        is_well(&isolated);
        let server = isolated.serve(&[]);
        let (url, state) = (server.said("/url"), frozen.path("agents/pc-1.json"));
        let args = ["probe", url, "--silent", "--computer", "pc-1", "--group", "Pilot", "--state"];
        let agent = Program::at(frozen.root.path(), "agent");
        let probed = agent.run(&[&args[..], &[utf8(&state)]].concat());
        assert_eq!(probed["offered"], json!([]), "what is installed is not offered again");
        let args = ["probe", url, "--silent", "--computer", "new", "--group", "Pilot"];
        let offered = agent.run(&args)["offered"].as_array().unwrap().len();
        let installed = &frozen.expected["isolated"]["computers"]["here"][0]["states"];
        assert_eq!(offered, installed.as_array().unwrap().len(), "a new computer gets the same");
        drop(server);
        isolated.run(&["computers", "remove", "new"]);

        // The first volume of the last bundle is in it; the other one makes it whole.
        let last = frozen.volumes(frozen.bundles().last().unwrap());
        let report = take_in(&isolated, &last[1..]);
        assert_eq!(report["pending"], json!([]), "{report:#}");
        holds(&isolated, &frozen.expected["isolated-with-the-last-volume"]);
        is_well(&isolated);
    }
}

#[test]
fn a_frozen_connected_side_goes_on_where_it_was() {
    for frozen in Frozen::all() {
        let connected = frozen.side("connected");
        is_well(&connected);
        connected.run(&["rules", "run"]);

        // A download that was broken off is finished, not begun again.
        let content = frozen.path("payloads");
        let report = finish_download(&frozen, &connected, &content);
        let unfinished = &frozen.expected["unfinished"];
        assert_eq!(report["forecast"]["resumed-bytes"], unfinished["bytes-here"], "{report:#}");
        assert_eq!((&report["fetched"], &report["missing"]), (&json!(1), &json!(0)), "{report:#}");

        // Its keys sign a snapshot that its site accepts.
        let (out, passphrase) = (frozen.path("medium"), frozen.path("passphrase"));
        let args = ["export", "--site", SITE, "--out", utf8(&out), "--passphrase-file"];
        let exported = connected.run(&[&args[..], &[utf8(&passphrase)]].concat());
        let before = frozen.bundles().len() as u64;
        assert_eq!(number(&exported, "/snapshot"), before + 1);
        let isolated = frozen.side("isolated");
        take_in(&isolated, &frozen.volumes(frozen.bundles().last().unwrap()));
        let report = take_in(&isolated, &[out]);
        assert_eq!(number(&report, "/in-force"), before + 1);
        let (there, here) = (described(&connected.data), described(&isolated.data));
        assert_eq!(here["revisions"], there["revisions"]);
        assert_eq!(here["counts"], there["counts"]);
        for side in [&connected, &isolated] {
            is_well(side);
        }
    }
}

/// Lets the frozen connected side download what it lacks.
fn finish_download(frozen: &Frozen, connected: &Program, payloads: &Path) -> Value {
    use crate::support::file_server::{FileServer, Reply};
    let payload = fs::read(payloads.join("unfinished.exe")).unwrap();
    assert_eq!(frozen.expected["unfinished"]["bytes"], payload.len());
    let server = FileServer::start(move |asked, _| Reply::file(&payload, "\"1\"", asked));
    let url = server.url("");
    connected.run(&["download", "--location", &url, "--allow-http", "--reserve", "0"])
}

#[test]
fn a_frozen_replica_goes_on_where_it_was() {
    for frozen in Frozen::all() {
        let (replica, isolated) = (frozen.side("replica"), frozen.side("isolated"));
        is_well(&replica);
        // Its upstream has another port today: it is another server, which has to be chosen.
        let server = isolated.serve(&[]);
        let from = server.said("/url");
        let synced = replica.run(&["sync", "--replica", "--from", from, "--allow-http"]);
        assert_eq!(synced["new-revisions"], 0, "{synced:#}");
        replica.run(&["download", "--allow-http"]);
        holds(&replica, &frozen.expected["replica"]);
        is_well(&replica);
    }
}
