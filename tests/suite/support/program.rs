//! The built program: commands that end, and servers that run.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

/// The program on a data folder. What the environment says of its settings or of proxies does not
/// reach it, and there is nothing to read from.
pub(crate) fn tidegate(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    clean(&mut command).arg("--data").arg(data).stdin(Stdio::null());
    command
}

/// Keeps what the environment says of settings or proxies from a command.
pub(crate) fn clean(command: &mut Command) -> &mut Command {
    for name in ["DATA", "CONFIG", "PASSPHRASE", "PROXY", "KILL_AT", "LOG"] {
        command.env_remove(format!("TIDEGATE_{name}"));
    }
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_ascii_lowercase());
    }
    command
}

/// Runs a command on a data folder to its end.
pub(crate) fn run<S: AsRef<OsStr>>(data: &Path, args: &[S]) -> Output {
    tidegate(data).args(args).output().unwrap()
}

/// Runs a command that must end with this code; gives its data, or what it said if it has none.
#[track_caller]
pub(crate) fn run_json(data: &Path, args: &[&str], code: i32) -> Value {
    let output = run(data, &[&["--json"], args].concat());
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", messages(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| messages(&output).into())
}

/// What a command said on stderr.
pub(crate) fn messages(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

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

    /// Without `init`: for a data folder that is there, and for commands that need no side.
    pub(crate) fn at(root: &Path, name: &str) -> Self {
        let program = Self { data: root.join(name), config: root.join(format!("{name}.toml")) };
        fs::write(&program.config, "").unwrap();
        program
    }

    /// Runs a command that must do all it was asked to; gives its data.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Value {
        self.run_to(args, 0)
    }

    /// Runs a command that must end with this code; gives its data.
    #[track_caller]
    pub(crate) fn run_to(&self, args: &[&str], code: i32) -> Value {
        let output = self.command(args).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{args:?} in {}: {}\n{}\n{}",
            self.data.display(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            messages(&output)
        );
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    /// Starts `serve` on free ports and waits until it listens.
    #[track_caller]
    pub(crate) fn serve(&self, args: &[&str]) -> Server {
        self.serve_with(args, |_| ())
    }

    /// As [`Program::serve`], with changes to the command.
    #[track_caller]
    pub(crate) fn serve_with(&self, args: &[&str], change: impl FnOnce(&mut Command)) -> Server {
        self.start(&[&["serve", "--listen", "127.0.0.1:0"], args].concat(), change)
    }

    /// Starts `serve` where another server was.
    #[track_caller]
    pub(crate) fn serve_at(&self, address: &str) -> Server {
        self.start(&["serve", "--listen", address], |_| ())
    }

    #[track_caller]
    fn start(&self, args: &[&str], change: impl FnOnce(&mut Command)) -> Server {
        let mut command = self.command(args);
        command.stderr(Stdio::null());
        change(&mut command);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
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

    /// A command with this configuration that gives JSON.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = tidegate(&self.data);
        command.arg("--config").arg(&self.config).arg("--json").args(args);
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
    #[track_caller]
    pub(crate) fn said(&self, pointer: &str) -> &str {
        text(&self.said, pointer)
    }
}

#[cfg(unix)]
impl Server {
    /// Asks it to end, and waits until it has.
    #[track_caller]
    pub(crate) fn end(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text at a place in a command's data.
#[track_caller]
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("there is no text {pointer} in {value:#}"))
}

/// The number at a place in a command's data.
#[track_caller]
pub(crate) fn number(value: &Value, pointer: &str) -> u64 {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("there is no number {pointer} in {value:#}"))
}

/// A path as an argument.
pub(crate) fn utf8(path: &Path) -> &str {
    path.to_str().unwrap()
}
