//! Backups of both sides, and what comes of them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bundle_format::digest::Sha256;
use tempfile::TempDir;
use tidegate::{
    data_dir::DataDir,
    fleet::{ALL_COMPUTERS, ApprovalAction, Fleet, Origin},
    transfer::{
        BackupOptions, BackupReport, Blame, RestoreReport, SealOptions, TransferError, backup,
        check, needs, restore, seal,
    },
    update::DocumentLimits,
};

use crate::support::{
    clock::now,
    program::{messages, tidegate},
    sides::{Mirror, Site, bytes, served, tree, update},
};

/// A folder for backups and what is restored from them.
struct Shelf(TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn backup(&self, data: &DataDir, with_content: bool) -> BackupReport {
        let options = BackupOptions { with_content, ..BackupOptions::default() };
        backup(data, &self.at("backup"), now(), &options, &()).unwrap()
    }

    fn restore(&self) -> Result<RestoreReport, TransferError> {
        restore(&self.at("backup"), &self.at("data"), now(), &())
    }

    fn data(&self) -> DataDir {
        DataDir::open(&self.at("data")).unwrap()
    }

    /// Nothing is on it but what is named.
    fn holds_only(&self, names: &[&str]) {
        let mut found: Vec<_> = fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        assert_eq!(found, names);
    }
}

fn filled_mirror() -> Mirror {
    let mirror = Mirror::new(7);
    for n in 1..5 {
        mirror.add(n, 1, &[bytes(u64::try_from(n).unwrap(), 3000)]);
    }
    let mut fleet = Fleet::open(&mirror.data.fleet()).unwrap();
    let install = ApprovalAction::Install;
    fleet.approve(update(1), ALL_COMPUTERS, install, None, Origin::Local, now()).unwrap();
    mirror
}

fn filled_site(mirror: &Mirror) -> Site {
    let site = Site::new("plant-7", &mirror.root);
    site.import(&mirror.export("plant-7").volumes).unwrap();
    site
}

/// The lists of what a backup holds, by `sha256sum -c` itself.
fn sums_hold(backup: &Path) {
    let checked = std::process::Command::new("sha256sum")
        .args(["-c", "--quiet", "--strict", "SHA256SUMS"])
        .current_dir(backup)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{}", messages(&checked));
}

#[test]
fn a_site_with_its_payloads_comes_back_as_it_was() {
    let (shelf, site) = (Shelf::new(), filled_site(&filled_mirror()));
    let before = site.served();
    let report = shelf.backup(&site.data, true);
    assert!(report.is_complete() && !report.with_keys, "{report:?}");
    sums_hold(&shelf.at("backup"));
    let restored = shelf.restore().unwrap();
    assert_eq!(restored.missing_payloads, 0);
    assert!(restored.is_complete(), "{restored:?}");
    assert_eq!(served(&shelf.at("data")), before);
    assert!(check(&shelf.data(), now(), false, &()).unwrap().is_good());
    assert_eq!(
        fs::read(shelf.data().trust_state()).unwrap(),
        fs::read(site.data.trust_state()).unwrap()
    );
    shelf.holds_only(&["backup", "data"]);
}

#[test]
fn payloads_that_are_not_in_the_backup_are_needs_and_come_again() {
    let mirror = filled_mirror();
    let (shelf, site) = (Shelf::new(), filled_site(&mirror));
    let before = site.served();
    shelf.backup(&site.data, false);
    assert!(!shelf.at("backup/content").exists());
    let restored = shelf.restore().unwrap();
    assert_eq!((restored.missing_payloads, restored.missing_bytes), (4, 12_000));
    let data = shelf.data();
    assert!(check(&data, now(), false, &()).unwrap().is_good());
    let lacking = needs(&data, now(), &DocumentLimits::default()).unwrap();
    assert_eq!((lacking.payloads.len(), lacking.segments.len()), (4, 0));
    let again = Site { folder: TempDir::new().unwrap(), data };
    again.import(&mirror.export_full("plant-7").volumes).unwrap();
    assert_eq!(again.served(), before);
}

/// What was imported after the backup can come again; what is older stays refused.
#[test]
fn the_next_import_takes_what_is_newer_than_the_backup() {
    let mirror = filled_mirror();
    let first = mirror.export_full("plant-7").volumes;
    let site = Site::new("plant-7", &mirror.root);
    site.import(&first).unwrap();
    mirror.add(5, 1, &[bytes(5, 3000)]);
    let second = mirror.export_full("plant-7").volumes;
    site.import(&second).unwrap();
    let shelf = Shelf::new();
    shelf.backup(&site.data, true);
    mirror.add(6, 1, &[bytes(6, 3000)]);
    let third = mirror.export_full("plant-7").volumes;
    site.import(&third).unwrap();
    assert_eq!(shelf.restore().unwrap().snapshot, Some(2));
    let again = Site { folder: TempDir::new().unwrap(), data: shelf.data() };
    let refused = again.import(&first).unwrap_err();
    assert_eq!(refused.blame(), Blame::Refused, "{refused}");
    assert_eq!(again.import(&third).unwrap().in_force, Some(3));
    assert_eq!(again.served(), site.served());
}

#[test]
fn a_mirror_comes_back_with_its_keys_and_goes_on() {
    let (shelf, mirror) = (Shelf::new(), filled_mirror());
    let site = filled_site(&mirror);
    let report = shelf.backup(&mirror.data, true);
    assert!(report.with_keys && report.snapshot == Some(1), "{report:?}");
    shelf.restore().unwrap();
    let data = shelf.data();
    assert_eq!(data.side(), mirror.data.side());
    let again = seal(&data, now(), &SealOptions::default(), &()).unwrap();
    assert_eq!((again.new, again.snapshot), (false, 1), "{:?}", again.reasons);
    let back = Mirror { folder: TempDir::new().unwrap(), root: mirror.root.clone(), data };
    back.add(9, 1, &[bytes(9, 3000)]);
    assert_eq!(site.import(&back.export("plant-7").volumes).unwrap().in_force, Some(2));
}

/// Others write to both databases all the time: what comes back fits together, and nothing is locked.
#[test]
fn it_is_of_one_moment_while_others_write() {
    let (shelf, mirror) = (Shelf::new(), filled_mirror());
    for n in 100..300 {
        mirror.add(n, 1, &[]);
    }
    let data = mirror.data.clone();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = 0;
            while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                written += 1;
                mirror.add(1000 + written, 1, &[]);
                let mut fleet = Fleet::open(&data.fleet()).unwrap();
                let (id, install) = (update(1000 + written), ApprovalAction::Install);
                fleet.approve(id, ALL_COMPUTERS, install, None, Origin::Local, now()).unwrap();
            }
            written
        });
        while mirror.catalog().counts().unwrap().revisions < 210 {
            std::thread::yield_now();
        }
        shelf.backup(&mirror.data, false);
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        writer.join().unwrap()
    });
    assert!(written > 5);
    let restored = shelf.restore().unwrap();
    assert!(restored.is_complete(), "{restored:?}");
    let database = rusqlite::Connection::open(shelf.data().fleet()).unwrap();
    let approved: Vec<Vec<u8>> = database
        .prepare("SELECT update_id FROM approval")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(approved.len() > 1);
    let catalog = rusqlite::Connection::open(shelf.data().catalog()).unwrap();
    for id in approved {
        let there: i64 = catalog
            .query_row("SELECT count(*) FROM revision WHERE update_id = ?1", [id], |row| row.get(0))
            .unwrap();
        assert_eq!(there, 1, "what is approved is in the catalogue");
    }
}

/// A way to damage a backup.
type Damage = fn(&Path);

#[test]
fn a_damaged_backup_is_refused_and_leaves_nothing() {
    let cases: [(&str, Damage); 9] = [
        ("a byte of the trust state", |b| flip(&b.join("trust/state"))),
        ("a byte of a database", |b| flip(&b.join("fleet.sqlite"))),
        ("a byte of the note", |b| flip(&b.join("BACKUP.json"))),
        ("a file is gone", |b| fs::remove_file(b.join("fleet.sqlite")).unwrap()),
        ("a file too many", |b| fs::write(b.join("keys.pem"), b"x").unwrap()),
        ("a list that is cut", |b| {
            let list = fs::read_to_string(b.join("SHA256SUMS")).unwrap();
            let (rest, last) = list.trim_end().rsplit_once('\n').unwrap();
            fs::write(b.join("SHA256SUMS"), format!("{rest}\n")).unwrap();
            fs::remove_file(b.join(last.rsplit_once("  ").unwrap().1)).unwrap();
        }),
        ("a name that leads out", |b| {
            let list = fs::read_to_string(b.join("SHA256SUMS")).unwrap();
            fs::write(b.join("SHA256SUMS"), list.replace("  fleet", "  ../fleet")).unwrap();
        }),
        ("a link", |b| {
            fs::remove_file(b.join("trust/state")).unwrap();
            std::os::unix::fs::symlink("/etc/hostname", b.join("trust/state")).unwrap();
        }),
        ("another form", |b| {
            let note = fs::read_to_string(b.join("BACKUP.json")).unwrap();
            let other = note.replace("\"format\": 1", "\"format\": 2");
            assert_ne!(note, other);
            fs::write(b.join("BACKUP.json"), other).unwrap();
        }),
    ];
    let site = filled_site(&filled_mirror());
    for (what, damage) in cases {
        let shelf = Shelf::new();
        shelf.backup(&site.data, false);
        damage(&shelf.at("backup"));
        let refused = shelf.restore().unwrap_err();
        let expected = if what == "another form" { Blame::Machine } else { Blame::Refused };
        assert_eq!(refused.blame(), expected, "{what}: {refused}");
        shelf.holds_only(&["backup"]);
    }
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// A payload that has rotted keeps nothing else out of the backup, and is named twice.
#[test]
fn a_damaged_payload_is_left_out_and_told() {
    let (shelf, site) = (Shelf::new(), filled_site(&filled_mirror()));
    let payload = tree(&site.data.content()).into_keys().find(|name| name.len() > 64).unwrap();
    let path = site.data.content().join(&payload);
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes(77, 3000)).unwrap();
    let fifo = site.data.root().join("strange");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let report = shelf.backup(&site.data, true);
    assert!(!report.is_complete());
    assert!(report.unreadable[0].contains(&payload), "{report:?}");
    assert!(report.unreadable[1].contains("no plain file"), "{report:?}");
    let restored = shelf.restore().unwrap();
    assert_eq!((restored.missing_payloads, restored.unreadable.len()), (1, 2), "{restored:?}");
}

#[test]
fn neither_goes_where_something_is() {
    let (shelf, site) = (Shelf::new(), filled_site(&filled_mirror()));
    let options = BackupOptions::default();
    let to = |out: &Path| backup(&site.data, out, now(), &options, &()).unwrap_err().to_string();
    assert!(to(&site.data.root().join("backup")).contains("within the data folder"));
    fs::create_dir(shelf.at("backup")).unwrap();
    fs::write(shelf.at("backup/letter.txt"), b"x").unwrap();
    assert!(to(&shelf.at("backup")).contains("there is something in"));
    fs::remove_file(shelf.at("backup/letter.txt")).unwrap();
    // A medium on which a system keeps something of its own.
    fs::create_dir(shelf.at("backup/lost+found")).unwrap();
    shelf.backup(&site.data, false);
    fs::create_dir_all(shelf.at("data/lost+found")).unwrap();
    shelf.restore().unwrap();
    let again = shelf.restore().unwrap_err().to_string();
    assert!(again.contains("there is something in"), "{again}");
    let none = restore(&shelf.at("data"), &shelf.at("other"), now(), &()).unwrap_err().to_string();
    assert!(none.contains("is no backup"), "{none}");
    shelf.holds_only(&["backup", "data"]);
}

#[test]
#[cfg(unix)]
fn both_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    fn modes(folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
            if path.is_dir() {
                modes(&path);
            }
        }
    }
    let (shelf, mirror) = (Shelf::new(), filled_mirror());
    let run = |data: &Path, args: &[&str]| {
        let output = tidegate(data).args(args).output().unwrap();
        assert!(output.status.success(), "{}", messages(&output));
        messages(&output)
    };
    let out = shelf.at("backup");
    let said = run(mirror.data.root(), &["backup", "--out", out.to_str().unwrap()]);
    assert!(said.contains("signing keys"), "{said}");
    let said = run(&shelf.at("data"), &["restore", out.to_str().unwrap()]);
    assert!(said.contains("do not seal here"), "{said}");
    modes(shelf.0.path());
}

/// Killed at every step, and run again: the new folder is there whole or not at all, and nothing is left.
#[test]
#[cfg(unix)]
fn killed_at_every_step() {
    use std::os::unix::process::ExitStatusExt as _;
    let site = filled_site(&filled_mirror());
    let whole = Shelf::new();
    whole.backup(&site.data, true);
    let sums = |at: &Path| -> Vec<Sha256> {
        tree(at).into_iter().filter(|(name, _)| is_fixed(name)).map(|(_, sum)| sum).collect()
    };
    let killed_until_done =
        |data: &dyn Fn(&Shelf) -> PathBuf, args: &dyn Fn(&Shelf) -> Vec<String>, made: &str| {
            for at in 1.. {
                let shelf = Shelf::new();
                let mut command = tidegate(&data(&shelf));
                command.args(args(&shelf)).env("TIDEGATE_KILL_AT", at.to_string());
                let status = command.output().unwrap().status;
                let was_killed = matches!(status.signal(), Some(6 | 9));
                assert!(was_killed || status.success(), "{made} at {at}: {status}");
                if was_killed && !shelf.at(made).exists() {
                    let again = tidegate(&data(&shelf)).args(args(&shelf)).output().unwrap();
                    assert!(again.status.success(), "{made} at {at}: {}", messages(&again));
                }
                shelf.holds_only(&[made]);
                if made == "backup" {
                    assert_eq!(sums(&shelf.at(made)), sums(&whole.at("backup")), "{at}");
                    restore(&shelf.at(made), &shelf.at("data"), now(), &()).unwrap();
                } else {
                    assert_eq!(served(&shelf.at(made)), site.served(), "{at}");
                }
                if !was_killed {
                    return at - 1;
                }
            }
            0
        };
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    let root = site.data.root().to_owned();
    let points = killed_until_done(
        &|_| root.clone(),
        &|shelf| {
            ["backup", "--content", "--out"]
                .map(str::to_owned)
                .into_iter()
                .chain([text(shelf.at("backup"))])
                .collect()
        },
        "backup",
    );
    assert!(points > 10, "only {points} points were tried");
    let points = killed_until_done(
        &|shelf| shelf.at("data"),
        &|_| vec!["restore".to_owned(), text(whole.at("backup"))],
        "data",
    );
    assert!(points > 10, "only {points} points were tried");
}

/// What two backups of the same have alike: not the date, and not the counters of SQLite.
fn is_fixed(name: &str) -> bool {
    !["BACKUP.json", "SHA256SUMS", "README.txt", "sync.lock"].contains(&name)
        && !name.ends_with(".sqlite")
}

/// The drill: the machine is lost, its backup is restored on another one, and agents go on.
#[test]
#[cfg(all(unix, feature = "probe", feature = "upstream"))]
fn agents_go_on_without_a_new_scan() {
    use crate::support::{
        program::{Program, number, utf8},
        two_sides::TwoSides,
    };
    let sides = TwoSides::new();
    let installer = sides.root().join("tool.exe");
    fs::write(&installer, bytes(3, 50_000)).unwrap();
    let publish = ["publish", utf8(&installer), "--title", "Tool", "--product", "Contoso/Tools"];
    sides.connected.run(&[&publish[..], &["--applies-if", "always"]].concat());
    sides.connected.run(&["approve", "--all", "--group", "All Computers"]);
    sides.carry(0);

    let agent = Program::at(sides.root(), "agent");
    let state = sides.root().join("agent-state.json");
    let scan = |url: &str| agent.run(&["probe", url, "--silent", "--state", utf8(&state)]);
    let remembered =
        || -> serde_json::Value { serde_json::from_slice(&fs::read(&state).unwrap()).unwrap() };
    let server = sides.isolated.serve(&[]);
    let (url, address) = (server.said("/url").to_owned(), server.said("/address").to_owned());
    let first = scan(&url);
    assert_eq!(first["offered"].as_array().unwrap().len(), 1, "{first:#}");
    let second = scan(&url);
    let known = remembered();
    assert!(number(&second, "/calls") < number(&first, "/calls"), "the second one goes on");

    // While it serves.
    let begun = Instant::now();
    let out = sides.root().join("backup");
    sides.isolated.run(&["backup", "--content", "--out", utf8(&out)]);
    drop(server);
    fs::remove_dir_all(&sides.isolated.data).unwrap();
    let new = Program::at(sides.root(), "new");
    new.run(&["restore", utf8(&out)]);
    let server = new.serve_at(&address);
    println!("the drill took {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(600));

    let third = scan(&url);
    assert_eq!(third["calls"], second["calls"], "no new handshake: {third:#}");
    assert_eq!(third["updates-seen"], second["updates-seen"], "{third:#}");
    assert_eq!(third["offered"], second["offered"], "{third:#}");
    for same in ["config", "cache", "registered", "client_id"] {
        assert_eq!(remembered()[same], known[same], "{same}");
    }
    assert!(!known["cache"].as_object().unwrap().is_empty());
    drop(server);
}
