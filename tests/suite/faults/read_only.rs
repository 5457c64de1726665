//! A data folder on a file system that was remounted read-only: what only looks works, and the rest
//! names the cause.

use std::{fs, path::Path, process::Output};

use super::preload::{library, program};

fn run(library: Option<&Path>, root: &Path, args: &[&str]) -> Output {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let mut command = program(root, &args);
    if let Some(library) = library {
        command
            .env("LD_PRELOAD", library)
            .env("FAULTS_BELOW", root.join("data"))
            .env("FAULTS_READ_ONLY", "1");
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn looking_needs_no_writing() {
    let Some(library) = library() else { return };
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("tmp")).unwrap();
    for args in [&["init"][..], &["groups", "add", "Pilots"], &["keys", "init"], &["seal"]] {
        let output = run(None, root.path(), args);
        assert!(output.status.success(), "{args:?}: {}", said(&output));
    }
    for args in [
        &["status"][..],
        &["updates"],
        &["check"],
        &["computers"],
        &["groups", "list"],
        &["servers"],
        &["rules", "list"],
    ] {
        let now = run(None, root.path(), args);
        let looked = run(Some(library), root.path(), args);
        assert_eq!(looked.status.code(), now.status.code(), "{args:?}: {}", said(&looked));
        assert_eq!(looked.stdout, now.stdout, "{args:?}");
    }
    for args in [&["groups", "add", "Others"][..], &["keys", "rotate", "--policy"], &["seal"]] {
        let output = run(Some(library), root.path(), args);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(said(&output).to_lowercase().contains("read-only"), "{args:?}: {}", said(&output));
    }
}
