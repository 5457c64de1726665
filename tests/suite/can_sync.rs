//! `serve` with TLS, `sync --from microsoft-update`, `probe --roots` and `check --can-sync`, through
//! the built binary: our own server stands for Microsoft's.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    support::pki::{Authority, Pair as Files, Wish},
    support::upstream_fake::{Pair, Uss},
};

use crate::support::program::{self, Program, Server, utf8};

fn command(data: &Path, args: &[&str]) -> Command {
    let mut command = program::tidegate(data);
    command.arg("--json").args(args);
    command
}

/// Exit code, data and messages.
fn run(data: &Path, args: &[&str]) -> (i32, Value, String) {
    let output = command(data, args).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().unwrap(), value, stderr)
}

#[track_caller]
fn good(data: &Path, args: &[&str]) -> Value {
    let (code, value, stderr) = run(data, args);
    assert_eq!(code, 0, "{args:?}: {stderr}");
    value
}

/// State and text of one check.
#[track_caller]
fn check<'a>(value: &'a Value, of: &str, check: &str) -> (&'a str, &'a str) {
    let all = value["checks"].as_array().unwrap();
    let found = all.iter().find(|found| found["of"] == of && found["check"] == check);
    let found = found.unwrap_or_else(|| panic!("no {check} of {of} in {value}"));
    (found["state"].as_str().unwrap(), found["what"].as_str().unwrap())
}

/// `serve` with TLS in a process of its own.
struct Serving {
    url: String,
    tls_url: String,
    data: PathBuf,
    _server: Server,
    _folder: TempDir,
}

impl Serving {
    fn new(files: &Files) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::init(folder.path(), "upstream", &["--site", "microsoft"], "");
        let (certificate, key) = (utf8(&files.certificate), utf8(&files.key));
        let any = "127.0.0.1:0";
        let tls = ["--tls-listen", any, "--tls-cert", certificate, "--tls-key", key];
        let server = program.serve(&tls);
        let url = |key: &str| server.said(key).to_owned();
        let (url, tls_url) = (url("/url"), url("/tls-url"));
        Self { url, tls_url, data: program.data, _server: server, _folder: folder }
    }
}

fn connected() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("connected");
    good(&data, &["init"]);
    (folder, data)
}

#[test]
fn a_server_with_tls_is_asked_how_it_is_and_then_synchronized_from() {
    let authority = Authority::new("Plant");
    let serving = Serving::new(&authority.sign(&Wish::default()));
    assert!(serving.url.starts_with("http://127.0.0.1:"), "{}", serving.url);
    assert!(serving.tls_url.starts_with("https://127.0.0.1:"), "{}", serving.tls_url);
    let (_folder, data) = connected();
    assert_eq!(good(&data, &["check", "--can-sync"])["checks"], Value::Array(Vec::new()));

    let root = authority.root();
    let root = root.to_str().unwrap();
    let from = ["--from", &serving.tls_url, "--roots", root];
    let of = format!("{}/", serving.tls_url);
    let ask = [&["check", "--can-sync"], &from[..]].concat();
    let value = good(&data, &ask);
    assert_eq!(value["can-sync"], true);
    assert_eq!(check(&value, &of, "answers").0, "ok");
    let (state, what) = check(&value, &of, "certificate");
    assert!(state == "ok" && what.contains("until 2999-01-01T00:00:00Z"), "{what}");
    assert_eq!(check(&value, &of, "clock").0, "ok");
    assert_eq!(check(&value, &of, "protocol").0, "ok");
    assert_eq!(check(&value, &of, "synchronized").0, "warn");

    good(&data, &[&["sync"], &from[..]].concat());
    // Now it is known by itself.
    let value = good(&data, &["check", "--can-sync", "--roots", root]);
    let (state, what) = check(&value, &of, "synchronized");
    assert!(state == "ok" && what.contains("just now"), "{what}");

    let others = Authority::new("Other");
    let other = others.root();
    let (code, value, stderr) =
        run(&data, &["check", "--can-sync", "--roots", other.to_str().unwrap()]);
    assert_eq!((code, &value["can-sync"]), (1, &Value::Bool(false)));
    assert_eq!(check(&value, &of, "answers").0, "fail");
    let (state, what) = check(&value, &of, "certificate");
    assert!(state == "fail" && what.contains("signed by nobody whom"), "{what}");
    assert!(stderr.contains("2 things in the way"), "{stderr}");

    // The serving side: nobody yet, then an agent over TLS.
    let value = good(&serving.data, &["check", "--can-sync"]);
    assert_eq!(check(&value, "agents", "contact").0, "warn");
    let (state, what) = check(&value, "downstreams", "contact");
    assert!(state == "ok" && what.contains("came last, just now"), "{what}");
    good(&data, &["probe", &serving.tls_url, "--roots", root, "--computer", "pc-7"]);
    let (code, _, stderr) =
        run(&data, &["probe", &serving.tls_url, "--roots", other.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("an agent would not connect") && stderr.contains("signed by nobody whom"),
        "{stderr}"
    );
    let value = good(&serving.data, &["check", "--can-sync"]);
    let (state, what) = check(&value, "agents", "contact");
    assert!(state == "ok" && what.contains("pc-7 came last, just now"), "{what}");
}

#[test]
fn microsoft_update_may_be_another_server_with_other_pins_but_never_without() {
    let authority = Authority::new("Microsoft");
    let serving = Serving::new(&authority.sign(&Wish::default()));
    let (folder, data) = connected();
    let config = folder.path().join("tidegate.toml");
    let configure = |fingerprint: &str| {
        let text = format!(
            "[microsoft-update]\nurl = {:?}\nfingerprints = [{fingerprint:?}]\n",
            serving.tls_url
        );
        fs::write(&config, text).unwrap();
    };
    configure(&authority.fingerprint());
    let sync = ["--config", config.to_str().unwrap(), "sync", "--from", "microsoft-update"];

    let (code, _, stderr) = run(&data, &sync);
    assert_eq!(code, 1);
    assert!(stderr.contains("microsoft-roots.pem") && stderr.contains("you have to bring"));
    fs::copy(authority.root(), data.join("microsoft-roots.pem")).unwrap();
    good(&data, &sync);

    configure(&Authority::new("Others").fingerprint());
    let (code, _, stderr) = run(&data, &sync);
    assert_eq!(code, 1);
    assert!(stderr.contains("not pinned") && stderr.contains(&authority.fingerprint()), "{stderr}");

    configure("84:7D");
    let (code, _, stderr) = run(&data, &sync);
    assert_eq!(code, 2);
    assert!(stderr.contains("64 hexadecimal digits"), "{stderr}");
}

/// What the system trusts is enough for a WSUS, and nothing for Microsoft Update.
#[test]
#[cfg(target_os = "linux")]
fn roots_of_the_system_do_not_count_for_microsoft_update() {
    let (system, microsoft) = (Authority::new("System"), Authority::new("Microsoft"));
    let serving = Serving::new(&system.sign(&Wish::default()));
    let (folder, data) = connected();
    let config = folder.path().join("tidegate.toml");
    let sync = |from: &str| {
        let mut command = command(&data, &["--config", config.to_str().unwrap(), "sync"]);
        let output =
            command.args(["--from", from]).env("SSL_CERT_FILE", system.root()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    fs::write(&config, "").unwrap();
    let (code, stderr) = sync(&serving.tls_url);
    assert_eq!(code, Some(0), "{stderr}");

    fs::copy(microsoft.root(), data.join("microsoft-roots.pem")).unwrap();
    let text = format!(
        "[microsoft-update]\nurl = {:?}\nfingerprints = [{:?}]\n",
        serving.tls_url,
        microsoft.fingerprint()
    );
    fs::write(&config, text).unwrap();
    for from in ["microsoft-update", &serving.tls_url] {
        let (code, stderr) = sync(from);
        assert_eq!(code, Some(1), "{from}");
        assert!(stderr.contains("does not lead to a pinned root of Microsoft"), "{stderr}");
    }
}

#[test]
fn a_clock_that_is_off_by_days_stands_in_the_way() {
    let fake = Pair::new(Uss { anchor: "1,2026".into(), limit: 4, ..Uss::default() });
    let (_folder, data) = connected();
    let of = format!("{}/", fake.mock.url);
    let ask = ["check", "--can-sync", "--allow-http", "--proxy", "none", "--from", &fake.mock.url];

    fake.bend(|_, _, reply| reply.with("Date", "Thu, 01 Jan 2015 00:00:00 GMT"));
    let (code, value, _) = run(&data, &ask);
    assert_eq!(code, 1);
    assert_eq!(check(&value, &of, "answers").0, "ok");
    assert_eq!(check(&value, &of, "certificate").0, "warn");
    let (state, what) = check(&value, &of, "clock");
    assert!(state == "fail" && what.contains("days ahead of the server's"), "{what}");

    fake.straight();
    let (code, value, _) = run(&data, &ask);
    assert_eq!((code, &value["can-sync"]), (0, &Value::Bool(true)));

    // By name only; and what is no server is not asked.
    let (code, value, _) = run(&data, &["check", "--can-sync", "--from", &fake.mock.url]);
    assert_eq!(code, 1);
    assert!(check(&value, &of, "answers").1.contains("--allow-http"));
    assert_eq!(run(&data, &["check", "--can-sync", "--from", "."]).0, 2);
    assert_eq!(run(&data, &["check", "--from", "https://wsus.example"]).0, 2);
}

#[test]
#[cfg(unix)]
fn credentials_that_others_can_read_are_pointed_out_and_never_shown() {
    use std::os::unix::fs::PermissionsExt as _;
    let (folder, data) = connected();
    let config = folder.path().join("tidegate.toml");
    fs::write(&config, "[connection]\nproxy = \"http://anna:geheim@127.0.0.1:1\"\n").unwrap();
    let path = config.to_str().unwrap();
    let sync = ["--config", path, "-vv", "sync", "--from", "https://wsus.invalid"];
    for (mode, told) in [(0o644, true), (0o600, false)] {
        fs::set_permissions(&config, fs::Permissions::from_mode(mode)).unwrap();
        let (_, _, stderr) = run(&data, &[&sync[..3], &["status"]].concat());
        assert_eq!(stderr.contains("chmod 600"), told, "{stderr}");
        assert!(!stderr.contains("geheim"), "{stderr}");
    }
    // Nor is one that cannot be used.
    fs::write(&config, "[connection]\nproxy = \"ftp://anna:geheim@127.0.0.1:1\"\n").unwrap();
    let (code, _, stderr) = run(&data, &sync);
    assert_eq!(code, 1);
    assert!(stderr.contains("ftp://…@127.0.0.1:1") && !stderr.contains("geheim"), "{stderr}");
}

#[test]
fn tls_without_a_key_or_no_port_at_all_is_a_mistake() {
    let authority = Authority::new("Plant");
    let files = authority.sign(&Wish::default());
    let (_folder, data) = connected();
    let certificate = files.certificate.to_str().unwrap();
    for args in [
        &["serve", "--tls-cert", certificate][..],
        &["serve", "--tls-listen", "127.0.0.1:0"],
        &["serve", "--listen", "none"],
        &["serve", "--listen", "nowhere"],
    ] {
        let mut child =
            command(&data, args).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let code = child.wait().unwrap().code();
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(code, Some(2), "{args:?}: {stderr}");
    }
}
