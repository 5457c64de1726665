//! A Tidegate downstream of another server: autonomous, as a replica, and what it reports.

mod chain;
mod decisions;
mod downstream;
mod fake;
mod reporting;

use std::{process::Command, time::Duration};

use jiff::Timestamp;
use tempfile::TempDir;
use tidegate::{
    agent::{Probe, ProbeOptions, ProbeReport},
    catalog::{Catalog, RevisionFilter},
    content::ContentStore,
    data_dir::{DataDir, Side},
    fleet::{ApprovalAction, Fleet, Origin, ReplicaReport},
    update::UpdateId,
    upstream::{ReplicaError, Source, SyncOptions, SyncReport, UpstreamOptions, replicate, sync},
};
use uuid::Uuid;

use crate::support::{program, server::Running, upstream_fake::connection};

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
        let mut command = program::tidegate(self.data.root());
        command.args(args);
        command
    }

    /// `sync --from` a server with the program, as scripts do.
    fn synced(&self, url: &str, args: &[&str]) -> serde_json::Value {
        let all = [&["--json", "sync", "--from", url, "--allow-http", "--proxy", "none"], args];
        let output = self.command(&all.concat()).output().unwrap();
        assert!(output.status.success(), "{}", program::messages(&output));
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
        Running::on(&self.data, |options| options.grace = Duration::from_millis(200))
    }
}

fn sync_options() -> SyncOptions {
    SyncOptions {
        upstream: UpstreamOptions { connection: connection(), ..UpstreamOptions::default() },
        ..SyncOptions::new(Timestamp::now())
    }
}

/// A clean probe of a server.
fn probe(server: &Running, options: ProbeOptions) -> ProbeReport {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut probe = Probe::new(&server.url, options).unwrap();
    let report = runtime.block_on(probe.run(&mut |_| {})).unwrap();
    assert!(report.is_clean(), "{:#?}", report.findings);
    report
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
