//! Sealing is reproducible: a second mirror that was rebuilt from the bundle makes the same index, byte for
//! byte, so that a second person can make it again before countersigning.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use bundle_format::digest::PayloadHasher;

use crate::support::{
    program::{clean, text, utf8},
    sides::{bytes, document},
    two_sides::TwoSides,
};

/// When the second snapshot says to be sealed.
const CREATED: &str = "2100-01-01T00:00:00Z";

/// Runs a command in another time zone, with another umask, on one processor.
#[track_caller]
fn run_otherwise(data: &Path, args: &[&str]) {
    let script = "umask 000; exec taskset -c 0 \"$0\" \"$@\"";
    let mut command = Command::new("sh");
    clean(&mut command).args(["-c", script, env!("CARGO_BIN_EXE_tidegate"), "--data"]);
    command.arg(data).args(args).env("TZ", "Pacific/Kiritimati").env("LC_ALL", "tr_TR.UTF-8");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {said}");
}

/// The signed index of a snapshot, and its name.
fn index(data: &Path, snapshot: u64) -> (String, Vec<u8>) {
    let folder = data.join(format!("snapshots/{snapshot}/targets"));
    let mut entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let path = entries.find(|path| path.to_str().unwrap().ends_with(".index.json.zst")).unwrap();
    (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
}

fn segments(data: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(data.join("segments")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into()).collect();
    names.sort();
    names
}

#[cfg(target_os = "linux")]
#[test]
fn a_mirror_that_was_rebuilt_seals_the_same_index() {
    let sides = TwoSides::new();
    let payload = bytes(1, 20_000_000);
    let other_source = sides.root().join("other-source");
    fs::create_dir(&other_source).unwrap();
    for n in 1..=20 {
        sides.put(&format!("{n:02}.xml"), document(n, 1, &[]));
    }
    sides.sync(&[], 0);
    let exported = sides.export(&["--full"], 0);
    let rebuilt = sides.root().join("rebuilt");
    let root = sides.connected.data.join("keys/1.root.json");
    let volume = text(&exported, "/volumes/0");
    run_otherwise(&rebuilt, &["init", "--seed", volume, "--root", utf8(&root)]);
    assert_eq!(index(&rebuilt, 1), index(&sides.connected.data, 1));

    // What came since: new revisions, others of the same updates, and a payload; put there in another order.
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for n in 15..=40 {
        files.push((format!("new-{n}.xml"), document(n, 2, &[]).into_bytes()));
    }
    let mut hasher = PayloadHasher::new();
    hasher.update(&payload);
    files.push(("with-payload.xml".to_owned(), document(41, 1, &[hasher.finish()]).into_bytes()));
    files.push(("payload.cab".to_owned(), payload));
    for (name, content) in &files {
        sides.put(name, content);
    }
    for (name, content) in files.iter().rev() {
        fs::write(other_source.join(name), content).unwrap();
    }
    sides.sync(&[], 0);
    sides.connected.run(&["seal", "--created", CREATED]);
    run_otherwise(&rebuilt, &["sync", "--from", utf8(&other_source)]);
    run_otherwise(&rebuilt, &["keys", "init"]);
    run_otherwise(&rebuilt, &["seal", "--created", CREATED]);
    assert_eq!(segments(&rebuilt), segments(&sides.connected.data));
    assert_eq!(index(&rebuilt, 2), index(&sides.connected.data, 2));
}
