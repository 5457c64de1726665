//! The use cases as a library: the same work, the same JSON and the same sentences as the program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Mutex,
};

use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate::{
    approval::rules::{Criteria, Glob},
    error_chain,
    fleet::ApprovalAction,
    ops::{
        Concern, Context, Observer, OpsError, Unit, approve, can_sync, check, computers, decline,
        download, export, groups, import, init, keys, policy, prune, rules, seal, servers, sign,
        status, sync, trust, updates, verify,
    },
    transfer::{ExportOptions, PolicyChoice, SealOptions},
    upstream::{DownloadOptions, FileSelection},
};

use super::support::sides::copy_folder;

const SITE: &str = "plant-7";
const EVERYONE: &str = "All Computers";

/// The program with these arguments on a data folder.
fn run(data: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    for name in ["TIDEGATE_DATA", "TIDEGATE_CONFIG", "TIDEGATE_PASSPHRASE", "TIDEGATE_PROXY"] {
        command.env_remove(name);
    }
    command.arg("--data").arg(data).arg("--json").args(args).output().unwrap()
}

/// What the program prints.
fn program(data: &Path, args: &[&str]) -> Value {
    let output = run(data, args);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{args:?}: {e}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The outcome is what the program prints on the same data folder.
#[track_caller]
fn same(outcome: &impl Serialize, data: &Path, args: &[&str]) {
    assert_eq!(serde_json::to_value(outcome).unwrap(), program(data, args), "{args:?}");
}

/// The outcome has the members, numbers and answers of what the program prints; texts may differ,
/// because there are dates, digests, folders and random ids among them.
#[track_caller]
fn alike(outcome: &impl Serialize, data: &Path, args: &[&str]) {
    let outcome = serde_json::to_value(outcome).unwrap();
    assert_eq!(shape(&outcome), shape(&program(data, args)), "{args:?}");
}

fn shape(value: &Value) -> Value {
    match value {
        Value::String(_) => json!("text"),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), shape(value))).collect()
        }
        other => other.clone(),
    }
}

/// The operation fails with the sentence that the program says.
#[track_caller]
fn refused<T>(
    result: Result<T, OpsError>,
    concern: Concern,
    data: &Path,
    code: i32,
    args: &[&str],
) {
    let Err(error) = result else { panic!("{args:?} was not refused") };
    assert_eq!(error.concern(), concern, "{error:?}");
    let output = run(data, args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(
        said.lines().last(),
        Some(format!("error: {}", error_chain::chain(&error)).as_str())
    );
}

/// Remembers what it is told.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Observer for Log {
    fn phase(&self, name: &str, unit: Unit, _total: Option<u64>) {
        self.0.lock().unwrap().push(format!("{name} in {unit:?}"));
    }

    fn warn(&self, text: &str) {
        self.0.lock().unwrap().push(format!("warning: {text}"));
    }
}

/// A folder with the documents and files of the demo.
fn samples(folder: &Path) -> String {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/demo/samples");
    let to = folder.join("samples");
    copy_folder(&samples, &to);
    fs::remove_file(to.join("mod.rs")).unwrap();
    to.display().to_string()
}

/// A data folder, and a copy of how it was, on which the program does the same.
struct Side {
    folder: TempDir,
    copies: u32,
}

impl Side {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), copies: 0 }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn context(&self) -> Context<'static> {
        Context::new(self.data(), &())
    }

    fn copy(&mut self) -> PathBuf {
        self.copies += 1;
        let to = self.folder.path().join(format!("copy-{}", self.copies));
        copy_folder(&self.data(), &to);
        to
    }
}

/// A connected side with the samples and one rule, through the library.
fn connected() -> (Side, PathBuf, String) {
    let mut side = Side::new();
    let context = side.context();
    let made = init::init(&context, init::NewSide::Connected { mirror_id: None }).unwrap();
    alike(&made, &side.folder.path().join("other"), &["init"]);
    let copy = side.copy();
    let made = keys::init(&context, keys::NewKeys::default()).unwrap();
    alike(&made, &copy, &["keys", "init"]);

    let (copy, log, from) = (side.copy(), Log::default(), samples(side.folder.path()));
    let watched = Context::new(side.data(), &log);
    let synced = sync::sync(&watched, sync::SyncOptions::new(&from)).unwrap();
    assert!(synced.is_complete() && synced.synced.changed, "{synced:?}");
    assert_eq!(log.lines().first().unwrap(), "documents in Items");
    alike(&synced, &copy, &["sync", "--from", &from]);
    let (root, fingerprint) = (made.root, made.fingerprint);
    (side, root, fingerprint)
}

fn approve_all(group: &str) -> approve::ApproveRequest {
    approve::ApproveRequest {
        selection: approve::UpdateSelection::All { superseded: false },
        group: group.to_owned(),
        action: ApprovalAction::Install,
        deadline: None,
        accept_eulas: true,
        dry_run: false,
    }
}

#[test]
fn a_mirror_is_filled_and_decided_on() {
    let (mut side, ..) = connected();
    let (context, data) = (side.context(), side.data());
    let new = rules::NewRule {
        name: "everything".to_owned(),
        criteria: Criteria { titles: vec![Glob::new("*".to_owned())], ..Criteria::default() },
        groups: vec![EVERYONE.to_owned()],
        action: ApprovalAction::Detect,
        deadline: None,
        enabled: true,
        replace: false,
    };
    let copy = side.copy();
    let added = rules::add(&context, new).unwrap();
    let add = ["rules", "add", "everything", "--title", "*", "-g", EVERYONE, "--action", "detect"];
    alike(&added, &copy, &add);

    // With rules and files this time: all that follows a synchronization has its place in the JSON.
    let (copy, from) = (side.copy(), side.folder.path().join("samples").display().to_string());
    let with_all = sync::SyncOptions {
        rules: sync::RunRules::UnlessReplica,
        download: Some(DownloadOptions {
            reserve: 0,
            ..DownloadOptions::new(FileSelection::Approved)
        }),
        ..sync::SyncOptions::new(&from)
    };
    let synced = sync::sync(&context, with_all).unwrap();
    assert!(synced.rules.is_some() && synced.download.is_some() && synced.replica.is_none());
    let config = side.folder.path().join("tidegate.toml");
    fs::write(&config, "[rules]\nafter-sync = true\n[download]\nreserve = \"0\"\n").unwrap();
    let config = config.display().to_string();
    let args = ["--config", &config, "sync", "--from", &from, "--payloads"];
    let mut outcome = serde_json::to_value(&synced).unwrap();
    let mut printed = program(&copy, &args);
    for value in [&mut outcome, &mut printed] {
        // The file system is not ours alone.
        value["download"]["forecast"]["free"] = json!("text");
    }
    assert_eq!(shape(&outcome), shape(&printed));

    same(&rules::list(&context).unwrap(), &data, &["rules"]);
    same(&rules::show(&context, "Everything").unwrap(), &data, &["rules", "show", "everything"]);
    let off = rules::switch(&context, "everything", false).unwrap();
    same(&off, &data, &["rules", "disable", "everything"]);
    let order = rules::order(&context, &["everything".to_owned()]).unwrap();
    same(&order, &data, &["rules", "order", "everything"]);
    let nothing = rules::run(&context, rules::RunOptions::default()).unwrap();
    same(&nothing, &data, &["rules", "run"]);
    let copy = side.copy();
    same(
        &rules::remove(&context, "everything").unwrap(),
        &copy,
        &["rules", "remove", "everything"],
    );

    let pilot = groups::add(&context, "Pilot", None).unwrap();
    same(&groups::list(&context).unwrap(), &data, &["groups"]);
    let (copy, request) = (side.copy(), approve_all("pilot"));
    let approved = approve::approve(&context, &request).unwrap();
    assert!(approved.is_complete() && approved.group == pilot);
    same(&approved, &copy, &["approve", "--all", "--accept-eula", "--group", "Pilot"]);
    same(&approve::list(&context).unwrap(), &data, &["approve", "--list"]);
    let update = approved.updates[0].update;
    let ids = approve::UpdateSelection::Ids(vec![update]);
    let copy = side.copy();
    let removed = approve::unapprove(&context, &ids, "Pilot").unwrap();
    same(&removed, &copy, &["approve", &update.to_string(), "-g", "Pilot", "--remove"]);
    for undo in [false, true] {
        let copy = side.copy();
        let outcome = decline::decline(&context, &ids, undo).unwrap();
        let id = update.to_string();
        let args = if undo { vec!["decline", &id, "--undo"] } else { vec!["decline", &id] };
        same(&outcome, &copy, &args);
    }
    let copy = side.copy();
    same(&groups::remove(&context, "Pilot").unwrap(), &copy, &["groups", "remove", "Pilot"]);

    same(&status::status(&context).unwrap(), &data, &["status"]);
    let all = updates::list(&context, updates::UpdatesQuery::default()).unwrap();
    assert!(all.len() >= 3);
    same(&all, &data, &["updates"]);
    let id = update.to_string();
    same(&updates::show(&context, update).unwrap(), &data, &["updates", &id]);
    let document = updates::document(&context, update).unwrap();
    same(&document, &data, &["updates", &id, "--document"]);
    same(&computers::list(&context).unwrap(), &data, &["computers"]);
    same(&servers::list(&context).unwrap(), &data, &["servers"]);
    let options = DownloadOptions { reserve: 0, ..DownloadOptions::new(FileSelection::All) };
    let plan = download::plan(&context, &options).unwrap();
    let mut printed = program(&data, &["download", "--plan", "--all", "--reserve", "0"]);
    printed["free"] = json!(plan.forecast.free);
    assert_eq!(serde_json::to_value(&plan).unwrap(), printed);
    let looked = can_sync::can_sync(&context, &can_sync::CanSyncOptions::default()).unwrap();
    same(&looked, &data, &["check", "--can-sync"]);
}

#[test]
fn a_bundle_crosses() {
    let (mut side, root, fingerprint) = connected();
    let (context, data) = (side.context(), side.data());
    approve::approve(&context, &approve_all(EVERYONE)).unwrap();
    // The keys are of today.
    let options = SealOptions {
        add_site: Some(SITE.to_owned()),
        clock_is_right: true,
        ..SealOptions::default()
    };
    let copy = side.copy();
    let created = Some("2026-02-03T04:05:06Z".parse().unwrap());
    let sealed = seal::seal(&context, created, &options).unwrap();
    assert!(sealed.done.new);
    let seal = ["seal", "--site", SITE, "--clock-is-right", "--created", "2026-02-03T04:05:06Z"];
    same(&sealed, &copy, &seal);
    let key = root.with_file_name("nobody.key").display().to_string();
    let inspected = sign::inspect(&context, &sign::SignRequest::default()).unwrap();
    same(&inspected, &data, &["sign", "--key", &key, "--dry-run"]);
    let out = side.folder.path().join("out");
    let request = export::ExportRequest {
        site: Some(SITE.to_owned()),
        new_site: false,
        out: out.clone(),
        created: None,
        options: ExportOptions::default(),
    };
    let copy = side.copy();
    let exported = export::export(&context, &request).unwrap();
    let other = side.folder.path().join("other-out").display().to_string();
    alike(&exported, &copy, &["export", "--site", SITE, "--out", &other]);

    let mut site = Side::new();
    let isolated = site.context();
    let made = init::init(&isolated, init::NewSide::Isolated { site: SITE.to_owned() }).unwrap();
    alike(&made, &site.folder.path().join("other"), &["init", "--site", SITE]);
    let root_text = root.display().to_string();
    same(&trust::preview(&isolated, &root).unwrap(), &data, &["trust", "show", &root_text]);
    let copy = site.copy();
    let trusted = trust::add(&isolated, &root, Some(&fingerprint)).unwrap();
    same(&trusted, &copy, &["trust", "add", &root_text, "--fingerprint", &fingerprint]);

    let bundles = exported.done.volumes;
    let volume = bundles[0].display().to_string();
    let request = verify::VerifyRequest {
        bundles: bundles.clone(),
        root: None,
        refuse_expired: false,
        transcript: None,
    };
    let verified = verify::verify(&isolated, &request).unwrap();
    assert!(verified.is_complete());
    same(&verified, &site.data(), &["verify", &volume]);
    let copy = site.copy();
    let request =
        import::ImportRequest { bundles, hold_policy: true, ..import::ImportRequest::default() };
    let log = Log::default();
    let watched = Context::new(site.data(), &log);
    let imported = import::import(&watched, &request).unwrap();
    assert!(imported.changed && imported.is_complete() && imported.report.policy_held);
    assert!(log.lines().iter().any(|line| line.ends_with("in Bytes")));
    alike(&imported, &copy, &["import", &volume, "--hold-policy"]);
    let again = import::import(&isolated, &request).unwrap();
    assert!(!again.changed);
    same(&again, &site.data(), &["import", &volume, "--hold-policy"]);

    same(&policy::show(&isolated).unwrap(), &site.data(), &["policy"]);
    same(&policy::diff(&isolated, &[]).unwrap(), &site.data(), &["policy", "diff"]);
    let copy = site.copy();
    let accepted = policy::accept(&isolated, &PolicyChoice::default()).unwrap();
    same(&accepted, &copy, &["policy", "accept"]);
    assert!(!accepted.held);
    let listed = approve::list(&isolated).unwrap();
    assert!(!listed.is_empty());
    same(&listed, &site.data(), &["approve", "--list"]);
    let update = listed[0].approval.update;
    let id = update.to_string();
    let copy = site.copy();
    let forbidden = policy::forbid_approval(&isolated, update, EVERYONE).unwrap();
    let args = ["policy", "override", &id, "-g", EVERYONE, "--keep-unapproved"];
    same(&forbidden, &copy, &args);
    let copy = site.copy();
    let released = policy::release(&isolated, update, None).unwrap();
    same(&released, &copy, &["policy", "release", &id]);
    let copy = site.copy();
    let approved = approve::approve(&isolated, &approve_all(EVERYONE)).unwrap();
    same(&approved, &copy, &["approve", "--all", "--accept-eula", "--group", EVERYONE]);

    same(&status::status(&isolated).unwrap(), &site.data(), &["status"]);
    same(
        &check::check(&isolated, check::CheckRequest::default()).unwrap(),
        &site.data(),
        &["check"],
    );
    let request = prune::PruneRequest { dry_run: true, payloads: true, unneeded: true };
    let pruned = prune::prune(&isolated, request).unwrap();
    same(&pruned, &site.data(), &["prune", "--dry-run", "--payloads"]);
}

#[test]
fn refusals_are_those_of_the_program() {
    let side = Side::new();
    let (context, data) = (side.context(), side.data());
    refused(status::status(&context), Concern::Machine, &data, 1, &["status"]);
    let bad = init::NewSide::Isolated { site: "Not A Site".to_owned() };
    let args = ["init", "--site", "Not A Site"];
    refused(init::init(&context, bad), Concern::Caller, &data, 2, &args);
    init::init(&context, init::NewSide::Isolated { site: SITE.to_owned() }).unwrap();

    let synced = sync::sync(&context, sync::SyncOptions::new("."));
    refused(synced, Concern::Machine, &data, 1, &["sync", "--from", "."]);
    let options = DownloadOptions::new(FileSelection::All);
    let downloaded = download::download(&context, &options);
    refused(downloaded, Concern::Machine, &data, 1, &["download", "--all"]);
    refused(rules::list(&context), Concern::Machine, &data, 1, &["rules"]);
    let nobody = computers::show(&context, "nobody", 20);
    refused(nobody, Concern::Machine, &data, 1, &["computers", "show", "nobody"]);
    let nowhere = servers::show(&context, "nowhere");
    refused(nowhere, Concern::Machine, &data, 1, &["servers", "show", "nowhere"]);
    let nothing = keys::KeyRotation::default();
    let rotated = keys::rotate(&context, nothing, None);
    refused(rotated, Concern::Caller, &data, 2, &["keys", "rotate"]);
    let from = Some("https://wsus.example".to_owned());
    let options = can_sync::CanSyncOptions { from, ..can_sync::CanSyncOptions::default() };
    let args = ["check", "--can-sync", "--from", "https://wsus.example"];
    refused(can_sync::can_sync(&context, &options), Concern::Caller, &data, 2, &args);

    let rubbish = side.folder.path().join("rubbish.tar");
    fs::write(&rubbish, vec![7; 10_000]).unwrap();
    let request = import::ImportRequest {
        bundles: vec![rubbish.clone()],
        ..import::ImportRequest::default()
    };
    let args = ["import", rubbish.to_str().unwrap()];
    refused(import::import(&context, &request), Concern::Bundle, &data, 3, &args);
}

/// Both ends of the wire, without a process.
#[cfg(feature = "probe")]
#[test]
fn a_server_and_an_agent_meet() {
    use tidegate::ops::{probe, serve};

    let (side, ..) = connected();
    approve::approve(&side.context(), &approve_all(EVERYONE)).unwrap();
    let data = side.data();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (ready, listening) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        let options = serve::ServeOptions::new("127.0.0.1:0".parse().unwrap());
        let context = Context::new(data, &());
        let ready = |serving: &serve::Serving| {
            ready.send(serving.clone()).unwrap();
            Ok::<(), Box<OpsError>>(())
        };
        serve::serve(&context, options, ready, async {
            let _ = stopped.await;
        })
    });
    let serving = listening.recv().unwrap();
    let value = serde_json::to_value(&serving).unwrap();
    assert_eq!(value, json!({ "url": serving.url, "address": serving.address }));
    let options = probe::ProbeOptions::default();
    let outcome = probe::probe(&serving.url, options, &()).unwrap();
    assert!(outcome.failure.is_none() && outcome.report.is_clean(), "{:?}", outcome.report);
    let printed = serde_json::to_value(&outcome).unwrap();
    assert_eq!(printed, serde_json::to_value(&outcome.report).unwrap());

    let context = side.context();
    let listed = computers::list(&context).unwrap();
    assert_eq!(listed.len(), 1);
    same(&listed, &side.data(), &["computers"]);
    let name = listed[0].computer.dns_name.clone();
    let shown = computers::show(&context, &name, 20).unwrap();
    same(&shown, &side.data(), &["computers", "show", &name]);
    groups::add(&context, "Pilot", None).unwrap();
    let assigned = computers::assign(&context, &name, vec!["Pilot".to_owned()]).unwrap();
    same(&assigned, &side.data(), &["computers", "assign", &name, "Pilot"]);
    stop.send(()).unwrap();
    server.join().unwrap().unwrap();
    let choice = tidegate::ops::removal::RemovalChoice::Named(&name);
    let removed = computers::remove(&context, &choice, true).unwrap();
    let removed = serde_json::to_value(&removed).unwrap();
    assert_eq!((&removed["done"], &removed["removed"][0]["name"]), (&json!(true), &json!(name)));
}
