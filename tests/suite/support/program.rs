//! The built program in a data folder of its own: commands that end, and servers that run.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// One side: a data folder and its configuration.
pub(crate) struct Program {
    pub(crate) data: PathBuf,
    config: PathBuf,
}

impl Program {
    /// `init` with these arguments.
    pub(crate) fn init(root: &Path, name: &str, args: &[&str], config: &str) -> Self {
        let program = Self::at(root, name);
        fs::write(&program.config, config).unwrap();
        program.run(&[&["init"], args].concat());
        program
    }

    /// Without `init`: for commands that need no side.
    pub(crate) fn at(root: &Path, name: &str) -> Self {
        let program = Self { data: root.join(name), config: root.join(format!("{name}.toml")) };
        fs::write(&program.config, "").unwrap();
        program
    }

    /// Runs a command that must do all it was asked to; gives its data.
    pub(crate) fn run(&self, args: &[&str]) -> Value {
        let output = self.command(args).output().unwrap();
        assert!(
            output.status.success(),
            "{args:?} in {}: {}\n{}\n{}",
            self.data.display(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// Starts `serve` and waits until it listens.
    pub(crate) fn serve(&self, args: &[&str]) -> Server {
        let args = [&["serve", "--listen", "127.0.0.1:0"], args].concat();
        let mut child = self.command(&args).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut json = String::new();
        for line in BufReader::new(stdout).lines() {
            json.push_str(&line.unwrap());
            if let Ok(said) = serde_json::from_str::<Value>(&json) {
                return Server { child, said };
            }
        }
        panic!("the server of {} ended: {:?}", self.data.display(), child.wait());
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.env_remove("TIDEGATE_DATA").env_remove("TIDEGATE_CONFIG").env("NO_PROXY", "*");
        command.arg("--data").arg(&self.data).arg("--config").arg(&self.config);
        command.arg("--json").args(args).stdin(Stdio::null());
        command
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    said: Value,
}

impl Server {
    /// What it said of itself at this place.
    pub(crate) fn said(&self, pointer: &str) -> &str {
        text(&self.said, pointer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text at a place in a command's data.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("there is no text {pointer} in {value:#}"))
}

/// The number at a place in a command's data.
pub(crate) fn number(value: &Value, pointer: &str) -> u64 {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("there is no number {pointer} in {value:#}"))
}
