//! Keys and the people who hold them: made on their own machines, signing wherever the keys lie, lost and
//! replaced. The drills of docs/operating.md, as they are written there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;
use tidegate::data_dir::{DataDir, Side};
use uuid::Uuid;

use crate::support::{
    program::{messages, run, run_json, text, utf8},
    sides::Mirror,
};

/// A mirror without keys, a site, and a folder that people carry between them.
struct People {
    mirror: Mirror,
    medium: TempDir,
    exports: std::cell::Cell<u32>,
}

impl People {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let side = Side::Connected { mirror_id: Uuid::from_u128(7) };
        let data = DataDir::init(&folder.path().join("data"), side).unwrap();
        let mirror = Mirror { folder, data, root: PathBuf::new() };
        Self { mirror, medium: tempfile::tempdir().unwrap(), exports: 0.into() }
    }

    /// With the keys that `keys init` makes with these arguments.
    fn with_keys(args: &[&str]) -> Self {
        let people = Self::new();
        people.on_mirror(&[&["keys", "init"], args].concat(), 0);
        people
    }

    fn path(&self, name: &str) -> String {
        utf8(&self.medium.path().join(name)).to_owned()
    }

    /// A key on a machine of its own; gives the secret and the public file.
    fn make(&self, role: &str, name: &str) -> (String, String) {
        let out = self.path(&format!("{name}.pem"));
        let made =
            self.anywhere(&["keys", "make", "--role", role, "--name", name, "--out", &out], 0);
        assert_eq!(text(&made, "/role"), role);
        (out, text(&made, "/public").to_owned())
    }

    /// On a machine that has no data folder.
    #[track_caller]
    fn anywhere(&self, args: &[&str], code: i32) -> Value {
        let nowhere = self.medium.path().join("no-data-folder");
        let said = run_json(&nowhere, args, code);
        assert!(!nowhere.exists(), "{args:?} makes no data folder");
        said
    }

    #[track_caller]
    fn on_mirror(&self, args: &[&str], code: i32) -> Value {
        run_json(self.mirror.data.root(), args, code)
    }

    /// A site that trusts this root.
    fn site(&self, name: &str, root: &str) -> PathBuf {
        let data = self.medium.path().join(name);
        run_json(&data, &["init", "--site", "plant-7"], 0);
        run_json(&data, &["trust", "add", root, "--yes"], 0);
        data
    }

    /// A new folder with a bundle of everything.
    #[track_caller]
    fn export(&self) -> String {
        self.exports.set(self.exports.get() + 1);
        let out = self.path(&format!("bundle-{}", self.exports.get()));
        self.on_mirror(&["export", "--full", "--site", "plant-7", "--out", &out], 0);
        out
    }

    fn root(&self, version: u32) -> String {
        utf8(&self.mirror.data.keys().join(format!("{version}.root.json"))).to_owned()
    }

    fn waiting(&self) -> String {
        utf8(&self.mirror.data.keys().join("next-root.json")).to_owned()
    }
}

/// What a command says to people.
#[track_caller]
fn said(data: &Path, args: &[&str], code: i32) -> String {
    let output = run(data, args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", messages(&output));
    String::from_utf8_lossy(&output.stdout).into_owned() + &messages(&output)
}

#[track_caller]
fn holds(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn secret_keys_never_leave_the_people_who_made_them() {
    let people = People::new();
    let roots = ["Anna", "Ben", "Cleo"].map(|name| people.make("root", name));
    let (dora, dora_public) = people.make("countersigner", "Dora, 2nd floor");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&dora).unwrap().permissions().mode() & 0o777, 0o600);
    }
    holds(&fs::read_to_string(&dora_public).unwrap(), &["Dora, 2nd floor", "fingerprint"]);
    // Neither the secret part nor a key of another role is taken for a root key.
    for wrong in [&dora, &dora_public] {
        let said = said(people.mirror.data.root(), &["keys", "init", "--root-key", wrong], 1);
        assert!(said.contains("secret key") || said.contains("countersigner key"), "{said}");
        assert!(!people.mirror.data.keys().exists());
    }

    let [anna, ben, cleo] = &roots;
    let init = [
        &["keys", "init", "--root-key", &anna.1, "--root-key", &ben.1, "--root-key", &cleo.1],
        &["--root-threshold", "2", "--countersigner-key", &dora_public][..],
        &["--countersigners-needed", "1"],
    ]
    .concat();
    let made = people.on_mirror(&init, 4);
    assert_eq!(made["in-use"], false);
    let secrets = made["keys"].as_array().unwrap();
    assert_eq!(secrets.len(), 2, "content and policy key only: {secrets:?}");
    let waits = said(people.mirror.data.root(), &["seal"], 1);
    holds(&waits, &["waits for signatures"]);
    assert_eq!(people.on_mirror(&["keys", "take-root"], 4)["in-use"], false);

    // Two of three sign copies of it, each on a machine of their own, after a look at it.
    let copies = [(&ben.0, "for-ben.json"), (&cleo.0, "for-cleo.json")].map(|(key, name)| {
        let copy = people.path(name);
        fs::copy(people.waiting(), &copy).unwrap();
        people.anywhere(&["keys", "sign-root", &copy, "--key", key], 2);
        let asked = said(
            &people.medium.path().join("none"),
            &["keys", "sign-root", &copy, "--key", key],
            2,
        );
        holds(&asked, &["Anna", "Dora, 2nd floor", "Root keys (2 needed)", "--yes"]);
        let signed = people.anywhere(&["keys", "sign-root", &copy, "--key", key, "--yes"], 0);
        assert_eq!(signed["names-key"], true);
        copy
    });
    assert_eq!(people.on_mirror(&["keys", "take-root", &copies[0]], 4)["in-use"], false);
    assert_eq!(people.on_mirror(&["keys", "take-root", &copies[1]], 0)["in-use"], true);
    let listed = said(people.mirror.data.root(), &["keys", "list"], 0);
    holds(&listed, &["(Anna): secret part not here", "(Dora, 2nd floor): secret part not here"]);
    holds(&listed, &["content key", "content-1.pem"]);

    // A snapshot needs Dora, who looks at the volumes on her own machine.
    people.mirror.add(1, 1, &[]);
    people.on_mirror(&["seal", "--site", "plant-7"], 0);
    people.on_mirror(&["sign", "--key", &dora], 2);
    let shown = said(people.mirror.data.root(), &["sign", "--key", &dora, "--yes"], 0);
    holds(&shown, &["plant-7", "Update 1 (revision 1)", "2 of 2 signatures"]);
    let bundle = people.export();
    let site = people.site("site", &people.root(1));
    let verified = said(&site, &["verify", &bundle], 0);
    holds(&verified, &["Signed by content key", "(Dora, 2nd floor)"]);
    people.anywhere(&["sign", "--dry-run", &bundle], 0);
    run_json(&site, &["import", &bundle], 0);
    let trusted = said(&site, &["trust", "show"], 0);
    holds(&trusted, &["Root 1, until", "Anna", "Dora, 2nd floor", "accepted: 1", "Trusted since"]);
}

#[test]
fn finished_volumes_are_signed_in_place_without_a_data_folder() {
    let people = People::new();
    let (anna, public) = people.make("countersigner", "Anna");
    let (ben, ben_public) = people.make("countersigner", "Ben");
    let keys = ["--countersigner-key", &public, "--countersigner-key", &ben_public];
    people
        .on_mirror(&[&["keys", "init"], &keys[..], &["--countersigners-needed", "1"]].concat(), 0);
    for n in 1..=25 {
        people.mirror.add(n, 1, &[]);
    }
    people.on_mirror(&["seal", "--site", "plant-7"], 0);
    people.on_mirror(&["sign", "--key", &anna, "--yes"], 0);
    let bundle = people.export();
    let volume = fs::read_dir(&bundle).unwrap().next().unwrap().unwrap().path();
    let before = fs::read(&volume).unwrap();

    let shown = said(&people.medium.path().join("none"), &["sign", "--key", &ben, &bundle], 2);
    holds(
        &shown,
        &["On these volumes: 25 revisions", "Update 1 (revision 1)", "and 5 more", "--yes"],
    );
    holds(&shown, &["countersigner key", "(Anna)"]);
    assert_eq!(fs::read(&volume).unwrap(), before, "nothing is signed unasked");
    let signed = people.anywhere(&["sign", "--key", &ben, "--yes", &bundle], 0);
    assert_eq!(signed["signatures"], 3);
    let site = people.site("site", &people.root(1));
    holds(&said(&site, &["verify", &bundle], 0), &["(Anna)", "(Ben)"]);
    // Once more changes nothing; a stranger's key and a damaged volume are refused.
    let after = fs::read(&volume).unwrap();
    people.anywhere(&["sign", "--key", &ben, "--yes", &bundle], 0);
    let (stranger, _) = people.make("countersigner", "Nobody");
    people.anywhere(&["sign", "--key", &stranger, "--yes", &bundle], 3);
    assert_eq!(fs::read(&volume).unwrap(), after);
    let mut damaged = after.clone();
    let at = damaged.len() - 4096;
    damaged[at] ^= 1;
    let index = damaged.windows(8).position(|w| w == b"objects/").unwrap() + 600;
    damaged[index] ^= 1;
    fs::write(&volume, &damaged).unwrap();
    people.anywhere(&["sign", "--key", &ben, "--dry-run", &bundle], 3);
}

#[test]
fn what_is_signed_is_shown_against_the_snapshot_before() {
    let people = People::with_keys(&[]);
    people.mirror.add(1, 1, &[]);
    people.mirror.add(2, 1, &[]);
    people.on_mirror(&["seal", "--site", "plant-7"], 0);
    people.mirror.add(3, 1, &[]);
    people.mirror.withdraw(2, 1);
    let update = tidegate_id(1);
    people.on_mirror(&["approve", &update, "--group", "All Computers"], 0);
    people.on_mirror(&["seal"], 0);
    let shown = said(people.mirror.data.root(), &["sign", "--dry-run"], 0);
    holds(&shown, &["New since snapshot 1: 1 revision\n  Update 3 (revision 1)"]);
    holds(&shown, &["Withdrawn: 1 revision\n  Update 2 (revision 1)"]);
    holds(&shown, &["approved for \"All Computers\": Update 1"]);
    let json = people.on_mirror(&["sign", "--dry-run"], 0);
    assert_eq!(json["since"], 1);
    assert_eq!(json["new"]["count"], 1);
}

fn tidegate_id(n: u128) -> String {
    crate::support::sides::update(n).to_string()
}

#[test]
fn a_site_three_roots_behind_imports_and_says_who_lost_and_gained_what() {
    let people = People::with_keys(&[]);
    people.mirror.add(1, 1, &[]);
    let site = people.site("site", &people.root(1));
    run_json(&site, &["import", &people.export()], 0);
    let old = people.path("old-keys");
    crate::support::sides::copy_folder(&people.mirror.data.keys(), Path::new(&old));
    // Three rotations, of which the site sees no bundle; the last brings a second person.
    people.on_mirror(&["keys", "rotate", "--content"], 0);
    people.export();
    people.on_mirror(&["keys", "rotate", "--root", "--policy"], 0);
    people.export();
    let (anna, public) = people.make("countersigner", "Anna");
    let rotate = ["keys", "rotate", "--countersigner-key", &public, "--countersigners-needed", "1"];
    people.on_mirror(&rotate, 0);
    people.mirror.add(2, 1, &[]);
    people.on_mirror(&["seal"], 0);
    people.on_mirror(&["sign", "--key", &anna, "--yes"], 0);
    let bundle = people.export();
    let seen = said(&site, &["verify", &bundle], 0);
    holds(&seen, &["newer root: the content key", "is replaced by", "(Anna) counts from now on"]);
    let dry = said(&site, &["import", "--dry-run", &bundle], 0);
    holds(&dry, &["Keys would change: the content key"]);
    let imported = said(&site, &["import", &bundle], 0);
    holds(&imported, &["Keys: the content key", "the root key", "is replaced by"]);
    holds(
        &imported,
        &[
            "the countersigner key",
            "a snapshot needs 2 signatures, before 1",
            "Keys: the policy key",
        ],
    );
    let shown = said(&site, &["trust", "show"], 0);
    holds(&shown, &["Root 4, until", "(Anna)", "came with a bundle", "Before: root 1, since"]);

    // What the old keys sign now is refused.
    fs::remove_dir_all(people.mirror.data.keys()).unwrap();
    crate::support::sides::copy_folder(Path::new(&old), &people.mirror.data.keys());
    people.mirror.add(3, 1, &[]);
    run_json(&site, &["import", &people.export()], 3);
}

/// Asked on a terminal, twice for a new key, and never shown.
#[cfg(target_os = "linux")]
#[test]
fn passphrases_are_asked_on_a_terminal() {
    use std::{
        io::{Read as _, Write as _},
        process::{Command, Stdio},
    };

    let people = People::new();
    // What is typed at each question, in a terminal of its own.
    let typed = |args: &[&str], answers: &[(&str, &str)]| -> (bool, String) {
        let words = args.iter().map(|arg| format!("'{arg}'")).collect::<Vec<_>>().join(" ");
        let command = format!("{} {words}", env!("CARGO_BIN_EXE_tidegate"));
        let mut terminal = Command::new("script");
        crate::support::program::clean(&mut terminal);
        let mut child = terminal
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut shown = Vec::new();
        let mut from = 0;
        for (question, answer) in answers {
            while !String::from_utf8_lossy(&shown[from..]).contains(question) {
                let mut byte = [0];
                assert_eq!(
                    stdout.read(&mut byte).unwrap(),
                    1,
                    "{}",
                    String::from_utf8_lossy(&shown)
                );
                shown.push(byte[0]);
            }
            from = shown.len();
            // The question is written before the terminal is made silent: the answer waits for that.
            writeln!(stdin, "{answer}").unwrap();
        }
        stdout.read_to_end(&mut shown).unwrap();
        (child.wait().unwrap().success(), String::from_utf8_lossy(&shown).into_owned())
    };
    let (key, other) = (people.path("anna.pem"), people.path("other.pem"));
    let make = ["keys", "make", "--role", "countersigner", "--out", &key];
    let (done, shown) = typed(&make, &[("new key files", "tide"), ("Once more", "tide")]);
    assert!(done && shown.contains("Secret countersigner key"), "{shown}");
    assert!(fs::read_to_string(&key).unwrap().contains("ENCRYPTED"));
    let make = ["keys", "make", "--role", "countersigner", "--out", &other];
    let (done, shown) = typed(&make, &[("new key files", "tide"), ("Once more", "ebb")]);
    assert!(!done && shown.contains("differ") && !Path::new(&other).exists(), "{shown}");

    let public = people.path("anna.pub");
    people.on_mirror(&["keys", "init", "--countersigner-key", &public], 0);
    people.mirror.add(1, 1, &[]);
    people.on_mirror(&["seal", "--site", "plant-7"], 0);
    // Without a terminal it is said that one is needed; with a file there is no question.
    let refused = said(people.mirror.data.root(), &["sign", "--key", &key, "--yes"], 1);
    holds(&refused, &["it needs a passphrase"]);
    let sign = ["--data", utf8(people.mirror.data.root()), "sign", "--key", &key];
    let (done, shown) = typed(&sign, &[("Type yes:", "yes"), ("Passphrase of", "ebb")]);
    assert!(!done && shown.contains("does not open it"), "{shown}");
    let (done, shown) = typed(&sign, &[("Type yes:", "no")]);
    assert!(!done && shown.contains("nothing was signed"), "{shown}");
    let (done, shown) = typed(&sign, &[("Type yes:", "yes"), ("Passphrase of", "tide")]);
    assert!(done && shown.contains("2 of 2 signatures"), "{shown}");
}

/// Folders of before keys had public parts: what is in `keys/` is told apart as far as it can be.
#[test]
fn keys_without_public_parts_are_listed_and_replaced() {
    let people = People::with_keys(&["--countersigners", "1"]);
    for entry in fs::read_dir(people.mirror.data.keys()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "pub") {
            fs::remove_file(path).unwrap();
        }
    }
    let listed = said(people.mirror.data.root(), &["keys", "list"], 0);
    assert_eq!(listed.matches("secret part here").count(), 4, "{listed}");
    assert!(!listed.contains("not noted"), "{listed}");
    people.on_mirror(&["keys", "rotate", "--root", "--content", "--policy"], 0);
    let encrypted = People::new();
    let file = encrypted.path("passphrase");
    fs::write(&file, "tide").unwrap();
    encrypted.on_mirror(&["keys", "init", "--passphrase-file", &file], 0);
    for name in ["root-1.pub", "content-1.pub", "policy-1.pub"] {
        fs::remove_file(encrypted.mirror.data.keys().join(name)).unwrap();
    }
    let listed = said(encrypted.mirror.data.root(), &["keys", "list"], 0);
    assert_eq!(listed.matches("secret part here").count(), 3, "{listed}");
    encrypted.on_mirror(&["keys", "rotate", "--content"], 1);
    encrypted.on_mirror(&["keys", "rotate", "--content", "--passphrase-file", &file], 0);
}

/// The drill: the root key is lost, nothing else.
#[test]
fn drill_the_root_key_is_lost() {
    let people = People::with_keys(&[]);
    people.mirror.add(1, 1, &[]);
    let site = people.site("site", &people.root(1));
    run_json(&site, &["import", &people.export()], 0);
    run_json(&site, &["groups", "add", "Ours"], 0);
    fs::remove_file(people.mirror.data.keys().join("root-1.pem")).unwrap();

    // On the mirror: new keys in the place of the old ones.
    let waiting = people.on_mirror(&["keys", "rotate", "--root"], 4);
    assert_eq!(waiting["in-use"], false, "the old key cannot sign");
    fs::rename(people.mirror.data.keys(), people.path("keys.lost")).unwrap();
    let made = people.on_mirror(&["keys", "init"], 0);
    people.mirror.add(2, 1, &[]);
    let bundle = people.export();

    // At the site: nothing is taken without the drill.
    run_json(&site, &["import", &bundle], 3);
    let root = people.root(1);
    let said_add = said(&site, &["trust", "add", &root, "--yes"], 3);
    holds(&said_add, &["trust replace"]);
    let words = text(&made, "/fingerprint");
    run_json(&site, &["trust", "replace", &root, "--fingerprint", "actor alley", "--yes"], 3);
    run_json(&site, &["trust", "replace", &root, "--fingerprint", words], 2);
    let replaced = said(&site, &["trust", "replace", &root, "--fingerprint", words, "--yes"], 0);
    holds(&replaced, &["warning:", "has not signed it", "Trusted until now", words, "stay"]);
    run_json(&site, &["trust", "replace", &root, "--fingerprint", words, "--yes"], 3);
    let checked = said(&site, &["check"], 1);
    holds(&checked, &["the root was replaced", "snapshot 1"]);
    let imported = run_json(&site, &["import", &bundle], 0);
    assert_eq!(imported["in-force"], 2);
    let shown = said(&site, &["trust", "show"], 0);
    holds(&shown, &["in the place of a lost root", "Before: root 1", "accepted: 2"]);
    holds(&said(&site, &["groups", "list"], 0), &["Ours"]);
    said(&site, &["check"], 0);
    // From here on all is as ever.
    people.mirror.add(3, 1, &[]);
    assert_eq!(run_json(&site, &["import", &people.export()], 0)["in-force"], 3);
}

/// After `trust replace` the numbers may begin anew, and do not take anything of the site's own with them.
#[test]
fn after_trust_replace_snapshots_may_count_anew() {
    let people = People::with_keys(&[]);
    people.mirror.add(1, 1, &[]);
    let site = people.site("site", &people.root(1));
    for n in 2..=4 {
        run_json(&site, &["import", &people.export()], 0);
        people.mirror.add(n, 1, &[]);
    }
    // Another connected side of the same mirror and numbering, with other keys.
    let anew = People::with_keys(&[]);
    for n in 1..=5 {
        anew.mirror.add(n, 1, &[]);
    }
    let bundle = anew.export();
    let root = anew.root(1);
    let shown = run_json(&site, &["trust", "show", &root], 0);
    let words = text(&shown, "/fingerprint");
    run_json(&site, &["trust", "replace", &root, "--fingerprint", words, "--yes"], 0);
    let imported = run_json(&site, &["import", &bundle], 0);
    assert_eq!(
        (&imported["in-force"], &imported["switched"]["revisions-added"]),
        (&1.into(), &2.into())
    );
    said(&site, &["check"], 0);
    // What the lost keys sign is refused, whatever its number.
    run_json(&site, &["import", &people.export()], 3);
    anew.mirror.add(6, 1, &[]);
    assert_eq!(run_json(&site, &["import", &anew.export()], 0)["in-force"], 2);
}

/// The drill: content key, policy key.
#[test]
fn drill_the_content_or_policy_key_is_lost() {
    for (flag, file) in [("--content", "content-1.pem"), ("--policy", "policy-1.pem")] {
        let people = People::with_keys(&[]);
        people.mirror.add(1, 1, &[]);
        let site = people.site("site", &people.root(1));
        run_json(&site, &["import", &people.export()], 0);
        // The root key lies on a stick.
        let stick = people.path("root-on-stick.pem");
        fs::rename(people.mirror.data.keys().join("root-1.pem"), &stick).unwrap();
        fs::remove_file(people.mirror.data.keys().join(file)).unwrap();
        people.mirror.add(2, 1, &[]);
        people.on_mirror(&["seal"], 1);
        let rotated = people.on_mirror(&["keys", "rotate", flag, "--key", &stick], 0);
        assert_eq!(rotated["in-use"], true);
        assert_eq!(run_json(&site, &["import", &people.export()], 0)["in-force"], 2, "{flag}");
    }
}

/// The drill: the key of a second person.
#[test]
fn drill_a_countersigner_key_is_lost() {
    let people = People::new();
    let (root, root_public) = people.make("root", "Safe");
    let (_, lost) = people.make("countersigner", "Anna");
    let keys = ["--root-key", &root_public, "--countersigner-key", &lost];
    people.on_mirror(&[&["keys", "init"], &keys[..]].concat(), 4);
    people.anywhere(&["keys", "sign-root", &people.waiting(), "--key", &root, "--yes"], 0);
    people.on_mirror(&["keys", "take-root"], 0);
    people.mirror.add(1, 1, &[]);
    people.on_mirror(&["seal", "--site", "plant-7"], 0);

    let (anna, public) = people.make("countersigner", "Anna, second key");
    people.on_mirror(&["keys", "rotate", "--countersigner-key", &public], 4);
    let listed = said(people.mirror.data.root(), &["keys", "list"], 0);
    holds(&listed, &["Root 2 waits for signatures: 0 of 1", "the countersigner key", "sign-root"]);
    people.anywhere(&["keys", "sign-root", &people.waiting(), "--key", &root, "--yes"], 0);
    people.on_mirror(&["keys", "take-root"], 0);
    people.on_mirror(&["seal"], 0);
    people.on_mirror(&["sign", "--key", &anna, "--yes"], 0);
    let site = people.site("site", &people.root(2));
    assert_eq!(run_json(&site, &["import", &people.export()], 0)["in-force"], 2);
}

#[test]
fn a_root_that_waits_does_not_keep_the_mirror_from_sealing_and_can_be_forgotten() {
    let people = People::with_keys(&[]);
    people.mirror.add(1, 1, &[]);
    let stick = people.path("root.pem");
    fs::rename(people.mirror.data.keys().join("root-1.pem"), &stick).unwrap();
    let (new_root, public) = people.make("root", "New safe");
    let first = people.on_mirror(&["keys", "rotate", "--root-key", &public], 4);
    let site = people.site("site", &people.root(1));
    run_json(&site, &["import", &people.export()], 0);
    let again = said(people.mirror.data.root(), &["keys", "rotate", "--content"], 1);
    holds(&again, &["--anew"]);
    let other = people.path("another-root.json");
    fs::copy(people.waiting(), &other).unwrap();
    let second =
        people.on_mirror(&["keys", "rotate", "--root-key", &public, "--content", "--anew"], 4);
    assert_ne!(first["fingerprint"], second["fingerprint"]);
    people.on_mirror(&["keys", "take-root", &other], 3);
    // Both the key that comes and the one that goes must sign.
    people.anywhere(&["keys", "sign-root", &people.waiting(), "--key", &new_root, "--yes"], 0);
    people.on_mirror(&["keys", "take-root"], 4);
    let signed =
        people.anywhere(&["keys", "sign-root", &people.waiting(), "--key", &stick, "--yes"], 0);
    assert_eq!(signed["names-key"], false);
    people.on_mirror(&["keys", "take-root"], 0);
    people.mirror.add(2, 1, &[]);
    assert_eq!(run_json(&site, &["import", &people.export()], 0)["in-force"], 2);
}

#[test]
fn a_content_key_that_was_made_elsewhere_is_brought_before_the_seal() {
    let people = People::new();
    let (secret, public) = people.make("content", "Packing room");
    people.on_mirror(&["keys", "init", "--content-key", &public], 0);
    people.mirror.add(1, 1, &[]);
    let refused = said(people.mirror.data.root(), &["seal", "--site", "plant-7"], 1);
    holds(&refused, &["secret part of the key content-1.pem is not here"]);
    fs::copy(secret, people.mirror.data.keys().join("content-1.pem")).unwrap();
    people.on_mirror(&["seal", "--site", "plant-7"], 0);
}
