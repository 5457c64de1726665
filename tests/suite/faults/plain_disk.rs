//! A file system that is made for less than Linux: permissions cannot be set there, and folders cannot
//! be synced. That is no fault of a command; a disk that fails is, and so is a right that is missing.

use std::{path::Path, process::Output};

use tempfile::TempDir;

use super::{
    cases::{self, Case},
    preload::{library, program},
};
use crate::support::sides::copy_folder;

const EPERM: u32 = 1;
const EIO: u32 = 5;
const EACCES: u32 = 13;
const EINVAL: u32 = 22;
const ENOSPC: u32 = 28;

/// Runs a case on such a file system at `below` of its folder.
fn run(library: &Path, case: &Case, below: &str, faults: &[(&str, u32)]) -> (Output, TempDir) {
    let root = tempfile::tempdir().unwrap();
    copy_folder(case.start.path(), root.path());
    let place = root.path().canonicalize().unwrap();
    let below: std::path::PathBuf = place.join(below).components().collect();
    let mut command = program(&place, &case.args(&place));
    command.env("LD_PRELOAD", library).env("FAULTS_BELOW", below);
    for (name, errno) in faults {
        command.env(name, errno.to_string());
    }
    (command.output().unwrap(), root)
}

#[track_caller]
fn ends(case: &Case, output: &Output, code: i32, faults: &[(&str, u32)]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{} with {faults:?}: {said}", case.name);
}

#[test]
fn what_it_cannot_do_stops_nothing() {
    let Some(library) = library() else { return };
    for make in [cases::init, cases::keys_init, cases::export, cases::import] {
        let case = make();
        let faults = [("FAULTS_CHMOD", EPERM), ("FAULTS_FOLDER_SYNC", EINVAL)];
        let (output, _root) = run(library, &case, ".", &faults);
        ends(&case, &output, 0, &faults);
    }
}

#[test]
fn a_disk_that_fails_in_the_data_folder_and_a_missing_right_stop_a_command() {
    let Some(library) = library() else { return };
    for make in [cases::keys_init, cases::export, cases::import] {
        let case = make();
        for errno in [EIO, ENOSPC, EACCES] {
            let faults = [("FAULTS_FOLDER_SYNC", errno)];
            let (output, _root) = run(library, &case, "data", &faults);
            ends(&case, &output, 1, &faults);
        }
    }
    for make in [cases::keys_init, cases::import] {
        let case = make();
        let faults = [("FAULTS_CHMOD", EACCES)];
        let (output, _root) = run(library, &case, "data", &faults);
        ends(&case, &output, 1, &faults);
    }
}

#[test]
fn on_a_medium_others_may_say_who_sets_permissions_but_a_disk_that_fails_counts() {
    let Some(library) = library() else { return };
    let case = cases::export();
    let faults = [("FAULTS_CHMOD", EACCES), ("FAULTS_FOLDER_SYNC", EACCES)];
    let (output, root) = run(library, &case, "out", &faults);
    ends(&case, &output, 0, &faults);
    assert_eq!(std::fs::read_dir(root.path().join("out")).unwrap().count(), 1);
    let faults = [("FAULTS_FOLDER_SYNC", EIO)];
    let (output, _root) = run(library, &case, "out", &faults);
    ends(&case, &output, 1, &faults);
}
