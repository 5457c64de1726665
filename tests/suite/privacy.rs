//! What the program makes is for its owner alone, whatever the umask of the shell.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command};

use crate::support::program::clean;

/// Files and folders below `folder` that other users may do something with.
fn exposed(folder: &Path, found: &mut Vec<String>) {
    let mode = fs::metadata(folder).unwrap().permissions().mode();
    if mode & 0o077 != 0 {
        found.push(format!("{} {:o}", folder.display(), mode & 0o777));
    }
    if folder.is_dir() {
        for entry in fs::read_dir(folder).unwrap() {
            exposed(&entry.unwrap().path(), found);
        }
    }
}

#[track_caller]
fn run_open(data: &Path, args: &str) -> String {
    let script = format!(
        "umask 0; exec '{}' --data '{}' {args}",
        env!("CARGO_BIN_EXE_tidegate"),
        data.display()
    );
    let output = clean(Command::new("sh").args(["-c", &script])).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args}: {said}");
    said
}

#[test]
fn a_data_folder_is_for_its_owner_alone() {
    let temp = tempfile::tempdir().unwrap();
    for (name, init) in [("connected", "init"), ("isolated", "init --site plant-7")] {
        let data = temp.path().join(name);
        run_open(&data, init);
        if name == "connected" {
            run_open(&data, "keys init");
            run_open(&data, "seal");
        }
        run_open(&data, "groups add Pilots");
        let mut found = Vec::new();
        exposed(&data, &mut found);
        assert_eq!(found, <[String; 0]>::default());
    }
}

/// As version 0.1 made it.
#[test]
fn a_looser_data_folder_is_corrected() {
    let temp = tempfile::tempdir().unwrap();
    let data = temp.path().join("data");
    run_open(&data, "init");
    run_open(&data, "groups add Pilots");
    for (path, mode) in [
        (data.clone(), 0o755),
        (data.join("fleet.sqlite"), 0o644),
        (data.join("tidegate.json"), 0o644),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    run_open(&data, "status");
    let mut found = Vec::new();
    exposed(&data, &mut found);
    assert_eq!(found, <[String; 0]>::default());
}
