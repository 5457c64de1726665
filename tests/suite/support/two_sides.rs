//! A connected and an isolated side as the program makes them, and a folder to synchronize from.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    program::{Program, text, utf8},
    sides::update,
};

/// Both sides and a source; the isolated side trusts the other one.
pub(crate) struct TwoSides {
    folder: TempDir,
    pub(crate) connected: Program,
    pub(crate) isolated: Program,
}

impl TwoSides {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("source")).unwrap();
        let connected = Program::init(root, "connected", &[], "");
        connected.run(&["keys", "init"]);
        let isolated = Program::init(root, "isolated", &["--site", "plant-7"], "");
        let key = connected.data.join("keys/1.root.json");
        isolated.run(&["trust", "add", utf8(&key), "--yes"]);
        Self { folder, connected, isolated }
    }

    /// The folder that everything is in.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The folder to synchronize from.
    pub(crate) fn source(&self) -> PathBuf {
        self.root().join("source")
    }

    /// Puts a file into the source.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.source().join(name), content).unwrap();
    }

    /// Synchronizes; it must end with this code.
    #[track_caller]
    pub(crate) fn sync(&self, args: &[&str], code: i32) -> Value {
        let source = self.source();
        self.connected.run_to(&[&["sync", "--from", utf8(&source)], args].concat(), code)
    }

    /// Exports; it must end with this code.
    #[track_caller]
    pub(crate) fn export(&self, args: &[&str], code: i32) -> Value {
        let out = self.root().join("out");
        let export = ["export", "--site", "plant-7", "--out", utf8(&out)];
        self.connected.run_to(&[&export, args].concat(), code)
    }

    /// Imports what an export made.
    #[track_caller]
    pub(crate) fn import(&self, exported: &Value) -> Value {
        let volumes = exported["volumes"].as_array().unwrap().iter();
        let volumes: Vec<&str> = volumes.map(|volume| volume.as_str().unwrap()).collect();
        self.isolated.run(&[&["import"], volumes.as_slice()].concat())
    }

    /// Exports and imports; gives what the export said.
    #[track_caller]
    pub(crate) fn carry(&self, code: i32) -> Value {
        let exported = self.export(&[], code);
        self.import(&exported);
        exported
    }
}

/// Numbers below ten of the updates ([`update`]) that a side lists.
#[track_caller]
pub(crate) fn listed(side: &Program) -> Vec<u128> {
    let listed = side.run(&["updates"]);
    let ids: Vec<&str> =
        listed.as_array().unwrap().iter().map(|one| text(one, "/identity/id")).collect();
    (0..10).filter(|n| ids.contains(&update(*n).to_string().as_str())).collect()
}
