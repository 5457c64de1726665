//! A folder that is watched: files that grow, move, vanish, and are refused.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tidegate::ops::{
    Context,
    import::ImportRequest,
    watch::{Watch, WatchEvent},
};

use crate::support::sides::{Mirror, Site, bytes};

/// A site, and a folder that it watches.
struct Watched {
    mirror: Mirror,
    site: Site,
    folder: TempDir,
    watch: Watch,
}

impl Watched {
    fn new() -> Self {
        let mirror = Mirror::new(7);
        let site = Site::new("plant-7", &mirror.root);
        let folder = tempfile::tempdir().unwrap();
        let watch = Watch::new(folder.path().to_owned(), ImportRequest::default());
        Self { mirror, site, folder, watch }
    }

    /// A new volume, with an update more than the one before.
    fn volume(&self, n: u64) -> Vec<u8> {
        self.mirror.add(u128::from(n), 1, &[bytes(n, 30_000)]);
        fs::read(&self.mirror.export("plant-7").volumes[0]).unwrap()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, volume: &[u8]) {
        fs::write(self.at(name), volume).unwrap();
    }

    /// One look; what it tells, as `imported a.tar`.
    fn look(&mut self) -> Vec<String> {
        let context = Context::new(self.site.data.root(), &());
        let mut told = Vec::new();
        let mut each = |event: WatchEvent| {
            let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
            told.push(match event {
                WatchEvent::Imported { path, .. } => format!("imported {}", name(&path)),
                WatchEvent::Refused { path, .. } => format!("refused {}", name(&path)),
                WatchEvent::Failed { path, .. } => format!("failed {}", name(&path)),
                WatchEvent::NotWhole { path } => format!("not whole {}", name(&path)),
            });
            Ok(())
        };
        self.watch.look(&context, &mut || false, &mut each).unwrap();
        told
    }

    /// Looks until two looks tell nothing.
    fn looks(&mut self) -> Vec<String> {
        let (mut told, mut silent) = (Vec::new(), 0);
        while silent < 2 {
            let more = self.look();
            silent = if more.is_empty() { silent + 1 } else { 0 };
            told.extend(more);
        }
        told
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn each_volume_is_taken_in_once() {
    let mut watched = Watched::new();
    let (first, second) = (watched.volume(1), watched.volume(2));
    watched.put("a.tar", &first);
    assert_eq!(watched.look(), NOTHING, "it may still be being copied");
    assert_eq!(watched.look(), ["imported a.tar"]);
    watched.put("b.tar", &second);
    assert_eq!(watched.looks(), ["imported b.tar"]);
    // Renamed: it is the same file.
    fs::rename(watched.at("a.tar"), watched.at("c.tar")).unwrap();
    assert_eq!(watched.looks(), NOTHING);
    assert_eq!(watched.site.served(), {
        let twin = Site::new("plant-7", &watched.mirror.root);
        for name in ["c.tar", "b.tar"] {
            twin.import(&[watched.at(name)]).unwrap();
        }
        twin.served()
    });
}

/// A writer that takes its time: nothing of it counts before it is whole, and nothing is called refused.
#[test]
fn a_slow_copy_is_waited_for() {
    let mut watched = Watched::new();
    let volume = watched.volume(1);
    let mut file = fs::File::create(watched.at("a.tar")).unwrap();
    let mut told = Vec::new();
    for part in volume.chunks(volume.len() / 7) {
        file.write_all(part).unwrap();
        told.push(watched.look());
        if told.len() % 3 == 0 {
            // It rests, and goes on.
            told.push(watched.looks());
        }
    }
    assert!(told.concat().iter().all(|told| told == "not whole a.tar"), "{told:?}");
    assert!(told.concat().len() <= 3, "each rest is told once: {told:?}");
    assert_eq!(watched.looks(), ["imported a.tar"]);
    assert_eq!(watched.looks(), NOTHING);
}

#[test]
fn what_is_copied_under_another_name_counts_when_it_is_renamed() {
    let mut watched = Watched::new();
    let volume = watched.volume(1);
    for name in ["a.tar.partial", ".a.tar", "._a.tar", "a.tar.filepart", "letter.txt"] {
        watched.put(name, &volume);
    }
    fs::create_dir(watched.at("folder.tar")).unwrap();
    assert_eq!(watched.looks(), NOTHING);
    fs::rename(watched.at("a.tar.partial"), watched.at("a.tar")).unwrap();
    assert_eq!(watched.looks(), ["imported a.tar"]);
}

/// It stays where it is, is told once, and keeps no other one out; another file of this name is a new one.
#[test]
fn a_refused_volume_is_told_once() {
    let mut watched = Watched::new();
    let (first, mut bad) = (watched.volume(1), watched.volume(2));
    let good = bad.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    watched.put("b.tar", &bad);
    watched.put("c.tar", b"no volume at all, but of some length: ".repeat(40).as_slice());
    watched.put("d.tar", &first);
    assert_eq!(watched.looks(), ["refused b.tar", "refused c.tar", "imported d.tar"]);
    assert!(watched.at("b.tar").exists());
    fs::remove_file(watched.at("b.tar")).unwrap();
    watched.put("b.tar", &good);
    assert_eq!(watched.looks(), ["imported b.tar"]);
}

#[test]
fn what_is_taken_away_is_forgotten() {
    let mut watched = Watched::new();
    let volume = watched.volume(1);
    watched.put("a.tar", &volume);
    assert_eq!(watched.look(), NOTHING);
    fs::remove_file(watched.at("a.tar")).unwrap();
    assert_eq!(watched.looks(), NOTHING);
    let gone = watched.folder.path().join("gone");
    watched.watch = Watch::new(gone.clone(), ImportRequest::default());
    assert_eq!(watched.looks(), ["failed gone"], "a medium that is not there is told once");
    fs::create_dir(&gone).unwrap();
    fs::write(gone.join("a.tar"), &volume).unwrap();
    assert_eq!(watched.looks(), ["imported a.tar"]);
}

/// Another import is at work: it is told once and tried again.
#[test]
fn what_fails_here_is_tried_again() {
    let mut watched = Watched::new();
    let volume = watched.volume(1);
    watched.put("a.tar", &volume);
    let path = watched.site.data.trust_state().with_file_name("lock");
    let lock = fs::File::options().write(true).open(path).unwrap();
    lock.lock().unwrap();
    assert_eq!(watched.looks(), ["failed a.tar"]);
    lock.unlock().unwrap();
    assert_eq!(watched.looks(), ["imported a.tar"]);
}

/// The program: two bundles of a day come by themselves, and it ends when it is told to.
#[test]
#[cfg(unix)]
fn the_program_runs_unattended_and_ends_when_told() {
    use std::{
        io::{BufRead as _, BufReader},
        process::{Command, Stdio},
    };

    use crate::support::program::{tidegate, utf8};
    let watched = Watched::new();
    let mut child = tidegate(watched.site.data.root())
        .args(["import", "--every", "1", "--watch", utf8(watched.folder.path())])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for n in 1..=2 {
        watched.put(&format!("{n}.tar"), &watched.volume(n));
        let in_force = format!("Snapshot {n} is in force");
        assert!(lines.any(|line| line.unwrap().contains(&in_force)));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    assert!(!watched.site.data.incoming().exists());
}
