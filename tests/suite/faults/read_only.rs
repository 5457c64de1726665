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

/// Commands that show what they would do, on a connected side with this update.
fn dry_runs(update: &str) -> Vec<Vec<&str>> {
    vec![
        vec!["prune", "--dry-run"],
        vec!["prune", "--payloads", "--dry-run"],
        vec!["withdraw", update, "--dry-run"],
        vec!["approve", "--all", "--group", "Pilots", "--dry-run"],
        vec!["approve", "--list"],
        vec!["rules", "run", "--dry-run"],
        vec!["computers", "remove", "--not-seen", "30d", "--dry-run"],
        vec!["servers", "remove", "--not-seen", "30d", "--dry-run"],
        #[cfg(feature = "upstream")]
        vec!["download", "--plan", "--all"],
        vec!["policy"],
    ]
}

/// The only update that is no category.
fn published(root: &Path) -> String {
    let output = run(None, root, &["--json", "updates"]);
    let updates: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let list = updates.as_array().or_else(|| updates["updates"].as_array()).unwrap();
    let ours = list.iter().find(|update| update["title"] == "Tools").unwrap();
    ours["identity"]["id"].as_str().or(ours["id"].as_str()).unwrap().to_owned()
}

#[test]
fn looking_needs_no_writing() {
    let Some(library) = library() else { return };
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("tmp")).unwrap();
    let installer = root.path().join("tools.exe");
    fs::write(&installer, b"MZ").unwrap();
    let installer = installer.to_str().unwrap();
    let publish = ["publish", installer, "--title", "Tools", "--product", "Contoso/Tools"];
    let publish = [&publish[..], &["--applies-if", "always"]].concat();
    for args in
        [&["init"][..], &publish, &["groups", "add", "Pilots"], &["keys", "init"], &["seal"]]
    {
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
    let update = published(root.path());
    for args in dry_runs(&update) {
        let args = args.as_slice();
        let now = run(None, root.path(), args);
        assert!(now.status.success(), "{args:?}: {}", said(&now));
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
