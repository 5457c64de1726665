//! The whole chain on loopback, each side the built program in a process of its own: our server as
//! "Microsoft" over HTTPS with pinned roots → connected side → bundle → isolated side → downstream
//! replica → agent. Then a round with one new update, then a revision that is withdrawn.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::support::{
    documents,
    program::{Program, Server, number, text, utf8},
    sides::bytes,
};

const SITE: &str = "plant-7";
const SECURITY_UPDATE: &str = "f3cbd4e5-50d3-4da2-8e6f-80bea25d6f06";

#[test]
fn from_microsoft_to_an_agent_then_a_new_update_then_a_withdrawn_revision() {
    let chain = Chain::new();
    let microsoft = Microsoft::serve(&chain);

    // The first round: everything.
    let connected = Connected::new(&chain, &microsoft);
    let synced = connected.synchronize();
    assert!(number(&synced, "/new-revisions") >= 5, "{synced:#}");
    let first = connected.export();
    let isolated = chain.isolated(&connected);
    isolated.run(&["import", utf8(&first)]);
    let top = isolated.serve(&[]);
    let replica = Program::init(chain.path(), "replica", &[], "");
    chain.follow(&replica, &top);
    let below = replica.serve(&[]);
    let offered = chain.scan(&below);
    assert!(offered.contains(SECURITY_UPDATE), "{offered:?}");
    assert_eq!(chain.scan(&below), BTreeSet::new(), "what is installed is not offered again");
    chain.is_reported(&replica, &top, &isolated);

    // One new update: only that travels, all the way.
    let tools = microsoft.publish(&chain, "Contoso Tools 2", 300_000);
    let synced = connected.synchronize();
    let new = number(&synced, "/new-revisions");
    assert!((1..=3).contains(&new), "the update and its product, and nothing else: {synced:#}");
    let second = connected.export();
    assert!(size(&second) > 300_000, "the payload is in it");
    assert!(size(&second) < 300_000 + 200_000, "and little else: {}", size(&second));
    isolated.run(&["import", utf8(&second)]);
    chain.follow(&replica, &top);
    let offered =
        chain.scan_until(&below, |_| "computer".to_owned(), |offered| !offered.is_empty());
    assert_eq!(offered, BTreeSet::from([tools.clone()]));
    assert_eq!(connected.synchronize()["changed"], false, "nothing is new");

    // It is withdrawn: a new computer is not offered it, at the top and below.
    microsoft.expire(&chain, &tools);
    connected.synchronize();
    isolated.run(&["import", utf8(&connected.export())]);
    chain.follow(&replica, &top);
    for (server, name) in [(&top, "new-at-the-top"), (&below, "new-below")] {
        let offered = chain.scan_until(
            server,
            |attempt| format!("{name}-{attempt}"),
            |offered| !offered.contains(&tools),
        );
        assert!(!offered.contains(&tools), "withdrawn, and still offered: {offered:?}");
        assert!(offered.contains(SECURITY_UPDATE), "{offered:?}");
    }
    for program in [&microsoft.program, &connected.program, &isolated, &replica] {
        program.run(&["check"]);
    }
}

struct Chain {
    root: TempDir,
}

impl Chain {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.root.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn isolated(&self, connected: &Connected) -> Program {
        let isolated = Program::init(self.path(), "isolated", &["--site", SITE], "");
        let (root, fingerprint) = &connected.root;
        isolated.run(&["trust", "add", root, "--fingerprint", fingerprint]);
        isolated
    }

    /// The replica synchronizes, with the content that its approvals need.
    fn follow(&self, replica: &Program, top: &Server) {
        replica.run(&["sync", "--replica", "--from", top.said("/url"), "--allow-http"]);
        replica.run(&["download", "--allow-http"]);
    }

    /// A computer scans, installs, and reports; gives what it was offered.
    fn scan(&self, server: &Server) -> BTreeSet<String> {
        self.scan_as(server, "computer")
    }

    /// A running server follows its stores within moments: scans until it has, or for half a minute.
    fn scan_until(
        &self,
        server: &Server,
        name: impl Fn(u32) -> String,
        done: impl Fn(&BTreeSet<String>) -> bool,
    ) -> BTreeSet<String> {
        for attempt in 0..60 {
            let offered = self.scan_as(server, &name(attempt));
            if done(&offered) {
                return offered;
            }
            sleep(Duration::from_millis(500));
        }
        self.scan_as(server, &name(60))
    }

    fn scan_as(&self, server: &Server, name: &str) -> BTreeSet<String> {
        let state = self.file(&format!("{name}.json"));
        let agent = Program::at(self.path(), "agent");
        let probed = agent.run(&[
            "probe",
            server.said("/url"),
            "--install",
            "--computer",
            name,
            "--state",
            utf8(&state),
        ]);
        let offered = probed["offered"].as_array().unwrap();
        offered.iter().map(|update| text(update, "/id").to_owned()).collect()
    }

    /// The isolated side knows the replica and, through it, the computer.
    fn is_reported(&self, replica: &Program, top: &Server, isolated: &Program) {
        self.follow(replica, top);
        let status = isolated.run(&["status"]);
        let downstreams = status["downstreams"].as_array().unwrap();
        assert_eq!(downstreams.len(), 1, "{status:#}");
        assert_eq!(downstreams[0]["replica"], true, "{status:#}");
        assert_eq!(number(&status, "/computers-of-downstreams"), 1, "{status:#}");
        assert_eq!(downstreams[0]["current"], true, "{status:#}");
    }
}

/// Our own server in Microsoft's place, with a root of its own.
struct Microsoft {
    program: Program,
    url: String,
    roots: PathBuf,
    fingerprint: String,
    _server: Server,
}

impl Microsoft {
    fn serve(chain: &Chain) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let (roots, cert, private) =
            (chain.file("roots.pem"), chain.file("cert.pem"), chain.file("key.pem"));
        fs::write(&roots, issuer.pem()).unwrap();
        fs::write(&cert, leaf.pem()).unwrap();
        fs::write(&private, key.serialize_pem()).unwrap();

        let program = Program::init(chain.path(), "microsoft", &[], "");
        let samples = documents::samples();
        program.run(&["sync", "--from", utf8(samples.path())]);
        let server = program.serve(&[
            "--tls-listen",
            "127.0.0.1:0",
            "--tls-cert",
            utf8(&cert),
            "--tls-key",
            utf8(&private),
        ]);
        Self {
            url: server.said("/tls-url").to_owned(),
            program,
            roots,
            fingerprint: hex::encode(Sha256::digest(issuer.der())),
            _server: server,
        }
    }

    fn publish(&self, chain: &Chain, title: &str, len: usize) -> String {
        let installer = chain.file("tools.exe");
        fs::write(&installer, bytes(9, len)).unwrap();
        let published = self.program.run(&[
            "publish",
            utf8(&installer),
            "--title",
            title,
            "--product",
            "Contoso/Tools",
            "--classification",
            "Security Updates",
            "--applies-if",
            "always",
        ]);
        text(&published, "/update").to_owned()
    }

    /// As Microsoft takes an update back: by a newer revision that says so.
    fn expire(&self, chain: &Chain, update: &str) {
        let shown = self.program.run(&["updates", update, "--document"]);
        let document = text(&shown, "/document");
        let (head, tail) = document.split_once("RevisionNumber=\"").unwrap();
        let (revision, tail) = tail.split_once('"').unwrap();
        let next = revision.parse::<u32>().unwrap() + 1;
        let expired = format!("{head}RevisionNumber=\"{next}\"{tail}").replacen(
            "PublicationState=\"Published\"",
            "PublicationState=\"Expired\"",
            1,
        );
        assert!(expired.contains("Expired"), "{document}");
        let folder = chain.file("expired");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("expired.xml"), expired).unwrap();
        self.program.run(&["sync", "--from", utf8(&folder)]);
    }
}

struct Connected {
    program: Program,
    /// The root to carry, and its fingerprint.
    root: (String, String),
    medium: PathBuf,
}

impl Connected {
    fn new(chain: &Chain, microsoft: &Microsoft) -> Self {
        let config = format!(
            "[microsoft-update]\nurl = \"{}\"\nroots = \"{}\"\nfingerprints = [\"{}\"]\n",
            microsoft.url,
            microsoft.roots.display(),
            microsoft.fingerprint
        );
        let program = Program::init(chain.path(), "connected", &[], &config);
        let keys = program.run(&["keys", "init"]);
        let root = (text(&keys, "/root").to_owned(), text(&keys, "/fingerprint").to_owned());
        // What can be chosen comes first: a rule names it.
        program.run(&["sync", "--categories-only", "--from", "microsoft-update"]);
        program.run(&[
            "rules",
            "add",
            "Security for all",
            "--classifications",
            "Security Updates",
            "--group",
            "All Computers",
        ]);
        Self { program, root, medium: chain.file("medium") }
    }

    /// Documents, approvals by rule, payloads.
    fn synchronize(&self) -> Value {
        let synced = self.program.run(&["sync", "--from", "microsoft-update"]);
        self.program.run(&["rules", "run"]);
        self.program.run(&["download"]);
        synced
    }

    fn export(&self) -> PathBuf {
        let exported = self.program.run(&["export", "--site", SITE, "--out", utf8(&self.medium)]);
        PathBuf::from(text(&exported, "/volumes/0"))
    }
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}
