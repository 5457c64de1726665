//! A Tidegate downstream of another server: autonomous, as a replica, and what it reports.

mod chain;
mod decisions;
mod downstream;
mod fake;
mod reporting;

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Output},
    thread,
    time::Duration,
};

use jiff::Timestamp;
use tempfile::TempDir;
use tidegate::{
    agent::{Probe, ProbeOptions, ProbeReport},
    catalog::{Catalog, RevisionFilter},
    content::ContentStore,
    data_dir::{DataDir, Side},
    fleet::{ApprovalAction, Fleet, Origin, ReplicaReport},
    server::{ServeOptions, Server},
    update::UpdateId,
    upstream::{
        ConnectionOptions, ReplicaError, Source, SyncOptions, SyncReport, UpstreamOptions,
        replicate, sync,
    },
};
use tokio::sync::oneshot;
use uuid::Uuid;

/// A data folder that takes in from sources.
struct Tidegate {
    data: DataDir,
    _folder: TempDir,
}

impl Tidegate {
    fn new(mirror: u128) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let side = Side::Connected { mirror_id: Uuid::from_u128(mirror) };
        let data = DataDir::init(&folder.path().join("data"), side).unwrap();
        let mut catalog = Catalog::open(&data.catalog()).unwrap();
        let mut writer = catalog.write().unwrap();
        writer.set_mirror_id(Uuid::from_u128(mirror)).unwrap();
        writer.commit().unwrap();
        Self { data, _folder: folder }
    }

    fn catalog(&self) -> Catalog {
        Catalog::open(&self.data.catalog()).unwrap()
    }

    fn fleet(&self) -> Fleet {
        Fleet::open(&self.data.fleet()).unwrap()
    }

    /// Takes in from a folder or an address.
    fn sync(&self, from: &str) -> SyncReport {
        let content = ContentStore::open(&self.data.content()).unwrap();
        let source = Source::detect(from).unwrap();
        let report =
            sync(&source, &mut self.catalog(), &content, &sync_options(), &mut |_| {}).unwrap();
        assert!(report.problems.is_empty(), "{report:?}");
        report
    }

    /// Synchronizes as a replica.
    fn replicate(&self, url: &str) -> Result<ReplicaReport, ReplicaError> {
        self.sync(url);
        let Source::Server(base) = Source::detect(url).unwrap() else { panic!("{url}") };
        replicate(&base, &self.catalog(), &mut self.fleet(), &sync_options())
    }

    /// Runs the program on it.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        for name in
            ["TIDEGATE_DATA", "TIDEGATE_CONFIG", "TIDEGATE_PROXY", "HTTP_PROXY", "http_proxy"]
        {
            command.env_remove(name);
        }
        command.arg("--data").arg(self.data.root()).args(args);
        command
    }

    /// `sync --from` a server with the program, as scripts do.
    fn synced(&self, url: &str, args: &[&str]) -> serde_json::Value {
        let all = [&["--json", "sync", "--from", url, "--allow-http", "--proxy", "none"], args];
        let output = self.command(&all.concat()).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What is decided, in words: groups, approvals, declines, licences.
    fn decided(&self) -> Vec<String> {
        let fleet = self.fleet();
        let groups = fleet.groups().unwrap();
        let groups = groups.iter().map(|g| format!("group {} {} in {:?}", g.id, g.name, g.parent));
        let approvals = fleet.approvals().unwrap();
        let approvals = approvals.iter().map(|a| {
            let (update, group, action) = (a.update, a.group, a.action);
            format!("approval {update} {group} {action:?} {:?}", a.deadline)
        });
        let declined = fleet.declined().unwrap();
        let eulas = fleet.accepted_eulas().unwrap();
        groups
            .chain(approvals)
            .chain(declined.iter().map(|update| format!("declined {update}")))
            .chain(eulas.iter().map(|eula| format!("accepted {eula}")))
            .collect()
    }

    /// What can be approved, in the order of ids.
    fn deployable(&self) -> Vec<UpdateId> {
        let filter = RevisionFilter { deployable: true, newest: true, ..RevisionFilter::default() };
        let mut found = Vec::new();
        self.catalog().find(&filter, &mut |revision| found.push(revision.identity.id)).unwrap();
        found.sort_unstable();
        found
    }

    fn install(&self, update: UpdateId, group: Uuid) {
        let (install, now) = (ApprovalAction::Install, Timestamp::now());
        self.fleet().approve(update, group, install, None, Origin::Local, now).unwrap();
    }

    fn serve(&self) -> Running {
        Running::new(self.data.clone())
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn sync_options() -> SyncOptions {
    let connection = ConnectionOptions {
        allow_http: true,
        proxy: Some("none".to_owned()),
        first_pause: Duration::from_millis(1),
        attempts: 3,
        ..ConnectionOptions::default()
    };
    SyncOptions {
        upstream: UpstreamOptions { connection, ..UpstreamOptions::default() },
        ..SyncOptions::new(Timestamp::now())
    }
}

/// A server in a thread of its own; ends when dropped.
struct Running {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    fn new(data: DataDir) -> Self {
        let mut options = ServeOptions::new(SocketAddr::from(([127, 0, 0, 1], 0)));
        options.poll = Duration::from_millis(10);
        options.grace = Duration::from_millis(200);
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, starts) = std::sync::mpsc::channel();
        let thread = thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            runtime.worker_threads(2).enable_all().build().unwrap().block_on(async {
                let server = Server::bind(data, options).await.unwrap();
                started.send(server.local_addr()).unwrap();
                server
                    .run(async {
                        let _ = stopped.await;
                    })
                    .await;
            });
        });
        let address = starts.recv().expect("the server did not start");
        Self { url: format!("http://{address}"), stop: Some(stop), thread: Some(thread) }
    }

    fn probe(&self, options: ProbeOptions) -> ProbeReport {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut probe = Probe::new(&self.url, options).unwrap();
        let report = runtime.block_on(probe.run(&mut |_| {})).unwrap();
        assert!(report.is_clean(), "{:#?}", report.findings);
        report
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !thread::panicking()
        {
            panic!("the server panicked");
        }
    }
}

/// What an agent was offered: update, title, bytes.
fn offered(report: &ProbeReport) -> Vec<(String, String, u64)> {
    let mut offers: Vec<_> = report
        .offered
        .iter()
        .map(|offer| (offer.id.to_string(), offer.title.clone(), offer.bytes))
        .collect();
    offers.sort();
    offers
}

/// A folder with our sample documents, and one with their payloads.
fn samples() -> (TempDir, TempDir) {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/demo/samples");
    let copy = |from: &Path| {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_file() && !name.ends_with(".rs") {
                fs::copy(entry.path(), folder.path().join(name)).unwrap();
            }
        }
        folder
    };
    (copy(&samples), copy(&samples.join("payloads")))
}
