//! The commands that are tried, and what each begins with.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use bundle_format::digest::{PayloadHasher, Sha256};
use tempfile::TempDir;
use tidegate::{
    content::ContentStore,
    data_dir::{DataDir, Side},
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin},
    transfer::make_receipt,
};
use uuid::Uuid;

use crate::support::{
    clock::now,
    sides::{Mirror, Site, bytes, copy_folder, document, update},
};

const CREATED: &str = "2026-02-03T04:05:06Z";

/// A command, and the folder that it begins with: `data`, `in` (what it reads) and `tmp` in it. What it
/// writes outside the data folder goes to `out`.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) start: TempDir,
    args: Vec<&'static str>,
    /// What it says, with exit code 1, when it was done already.
    pub(super) already: Option<&'static str>,
    /// Commands after which the state is a true one, too: a step of the command that stands for itself.
    pub(super) steps: Vec<Vec<&'static str>>,
    /// Whether it does many things, each of which stands for itself.
    pub(super) piecemeal: bool,
}

impl Case {
    fn new(name: &'static str, args: &[&'static str]) -> Self {
        let start = tempfile::tempdir().unwrap();
        for folder in ["in", "tmp"] {
            fs::create_dir(start.path().join(folder)).unwrap();
        }
        let args = args.to_vec();
        Self { name, start, args, already: None, steps: Vec::new(), piecemeal: false }
    }

    fn on(self, data: &DataDir) -> Self {
        copy_folder(data.root(), &self.start.path().join("data"));
        self
    }

    fn reading(self, file: &Path, name: &str) -> Self {
        fs::copy(file, self.input().join(name)).unwrap();
        self
    }

    fn input(&self) -> PathBuf {
        self.start.path().join("in")
    }

    /// The arguments for a try in this folder.
    pub(super) fn args(&self, root: &Path) -> Vec<String> {
        arguments(&self.args, root)
    }
}

/// `@in/x` is a path below the folder of the try.
pub(super) fn arguments(args: &[&str], root: &Path) -> Vec<String> {
    let put = |arg: &&str| match arg.strip_prefix('@') {
        Some(path) => root.join(path).display().to_string(),
        None => (*arg).to_owned(),
    };
    args.iter().map(put).collect()
}

fn fresh_mirror() -> (TempDir, DataDir) {
    let folder = tempfile::tempdir().unwrap();
    let side = Side::Connected { mirror_id: Uuid::from_u128(7) };
    let data = DataDir::init(&folder.path().join("data"), side).unwrap();
    (folder, data)
}

/// Updates with payloads, a group, approvals and a decline.
fn fill(mirror: &Mirror, updates: std::ops::Range<u64>) {
    for n in updates.clone() {
        mirror.add(u128::from(n), 1, &[bytes(n * 10, 3000), bytes(n * 10 + 1, 3000)]);
    }
    let first = u128::from(updates.start);
    let mut fleet = Fleet::open(&mirror.data.fleet()).unwrap();
    let name = format!("Group {}", fleet.groups().unwrap().len());
    let group = fleet.create_group(&name, None).unwrap().id;
    let install = ApprovalAction::Install;
    for group in [group, ALL_COMPUTERS] {
        fleet.approve(update(first), group, install, None, Origin::Local, now()).unwrap();
    }
    fleet.decline(update(first + 1), Origin::Local, now()).unwrap();
}

fn filled() -> Mirror {
    let mirror = Mirror::new(7);
    fill(&mirror, 1..4);
    mirror
}

pub(super) fn init() -> Case {
    let args = ["init", "--mirror-id", "00000000-0000-4000-8000-000000000007"];
    Case { already: Some("already"), ..Case::new("init", &args) }
}

pub(super) fn keys_init() -> Case {
    let case = Case::new("keys init", &["keys", "init"]).on(&fresh_mirror().1);
    Case { already: Some("there are keys already"), ..case }
}

pub(super) fn trust_add() -> Case {
    let mirror = Mirror::new(7);
    Case::new("trust add", &["trust", "add", "@in/root.json", "--yes"])
        .on(&Site::without_trust("plant-7").data)
        .reading(&mirror.root, "root.json")
}

pub(super) fn sync() -> Case {
    let case = Case::new("sync", &["sync", "--from", "@in"]).on(&fresh_mirror().1);
    for n in 1..5_u64 {
        let payload = bytes(n, 3000);
        let mut hasher = PayloadHasher::new();
        hasher.update(&payload);
        let xml = document(u128::from(n), 1, &[hasher.finish()]);
        fs::write(case.input().join(format!("{n}.xml")), xml).unwrap();
        fs::write(case.input().join(format!("{n}.cab")), payload).unwrap();
    }
    // The documents are one step, each payload is another.
    Case { piecemeal: true, ..case }
}

pub(super) fn publish() -> Case {
    let args = ["publish", "@in/tool.exe", "--title", "Tool", "--product", "Contoso/Tools"];
    let case = Case::new("publish", &args).on(&filled().data);
    fs::write(case.input().join("tool.exe"), [b"MZ".as_slice(), &bytes(1, 200_000)].concat())
        .unwrap();
    case
}

pub(super) fn approve() -> Case {
    Case::new("approve", &["approve", "--all", "--group", "Group 2"]).on(&filled().data)
}

pub(super) fn groups_add() -> Case {
    let case = Case::new("groups add", &["groups", "add", "Lab"]).on(&filled().data);
    Case { already: Some("there is a group"), ..case }
}

pub(super) fn seal() -> Case {
    Case::new("seal", &["seal", "--site", "plant-7", "--created", CREATED]).on(&filled().data)
}

pub(super) fn export() -> Case {
    let mirror = filled();
    mirror.export("plant-7");
    fill(&mirror, 4..6);
    let args = ["export", "--full", "--site", "plant-7", "--created", CREATED, "--out", "@out"];
    let case = Case::new("export", &args).on(&mirror.data);
    Case { steps: vec![vec!["seal", "--created", CREATED]], ..case }
}

pub(super) fn import() -> Case {
    let mirror = filled();
    let volume = mirror.export("plant-7").volumes.remove(0);
    Case::new("import", &["import", "@in/bundle.tar"])
        .on(&Site::new("plant-7", &mirror.root).data)
        .reading(&volume, "bundle.tar")
}

pub(super) fn import_delta() -> Case {
    let mirror = filled();
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    mirror.withdraw(3, 1);
    fill(&mirror, 4..7);
    let volume = mirror.export("plant-7").volumes.remove(0);
    Case::new("import delta", &["import", "@in/bundle.tar"])
        .on(&site.data)
        .reading(&volume, "bundle.tar")
}

pub(super) fn receipt() -> Case {
    let (_mirror, site) = carried();
    Case::new("receipt", &["receipt", "--out", "@in/receipt"]).on(&site.data)
}

pub(super) fn receipt_add() -> Case {
    let (mirror, site) = carried();
    let (_, file) = make_receipt(&site.data, (1, Sha256::hash(b"line")), now()).unwrap();
    let path = mirror.folder.path().join("receipt");
    fs::write(&path, file).unwrap();
    Case::new("receipt add", &["receipt", "add", "@in/receipt", "--yes"])
        .on(&mirror.data)
        .reading(&path, "receipt")
}

/// A mirror, and a site that serves what it has sealed.
fn carried() -> (Mirror, Site) {
    let mirror = filled();
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    (mirror, site)
}

pub(super) fn prune() -> Case {
    let mirror = Mirror::new(7);
    for n in 1..=4_u64 {
        mirror.add(u128::from(n), 1, &[bytes(n, 2000)]);
        mirror.export_compacting("plant-7", 2);
    }
    // A payload without a row, from long ago.
    let source = mirror.folder.path().join("source");
    fs::write(&source, bytes(99, 2000)).unwrap();
    let content = ContentStore::open(&mirror.data.content()).unwrap();
    let digests = content.add_file(&source, &mut |_| {}).unwrap();
    let case = Case::new("prune", &["prune", "--payloads"]).on(&mirror.data);
    let path = case.start.path().join("data/content");
    let hex = digests.sha256.to_string();
    let long_ago = SystemTime::now() - Duration::from_hours(72);
    let file = fs::File::options().write(true).open(path.join(&hex[..2]).join(&hex)).unwrap();
    file.set_modified(long_ago).unwrap();
    Case { piecemeal: true, ..case }
}

pub(super) fn backup() -> Case {
    let args = ["backup", "--content", "--out", "@out/backup"];
    let case = Case::new("backup", &args).on(&filled().data);
    Case { already: Some("there is something in"), ..case }
}

pub(super) fn restore() -> Case {
    let mirror = filled();
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    let case = Case::new("restore", &["restore", "@in/backup"]);
    let options = tidegate::transfer::BackupOptions::default();
    tidegate::transfer::backup(&site.data, &case.input().join("backup"), now(), &options, &())
        .unwrap();
    Case { already: Some("there is something in"), ..case }
}
