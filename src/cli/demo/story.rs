//! Tells the story: runs our own program, shows each command, keeps what it said.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::cli::output::Output;

pub(super) struct Story {
    out: Output,
    exe: PathBuf,
    root: PathBuf,
    began: Instant,
    steps: Vec<Value>,
}

impl Story {
    pub(super) fn new(out: Output, root: &Path) -> anyhow::Result<Self> {
        let exe = std::env::current_exe().context("cannot find our own program")?;
        Ok(Self { out, exe, root: root.to_owned(), began: Instant::now(), steps: Vec::new() })
    }

    pub(super) fn chapter(&self, title: &str) {
        self.out.note(&format!("\n== {title}"));
    }

    pub(super) fn tell(&self, line: &str) {
        self.out.note(&format!("   {line}"));
    }

    /// Runs a command that must succeed (or be done in part); returns its data.
    pub(super) fn run(&mut self, data: &Path, args: &[&str]) -> anyhow::Result<Value> {
        let output = self.call(data, args)?;
        let shown = shown(args);
        ensure!(
            matches!(output.status.code(), Some(0 | 4)),
            "`tidegate {shown}` ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("`tidegate --json {shown}` printed no JSON"))
    }

    /// Runs a command that verification must refuse; returns what it said.
    pub(super) fn refused(&mut self, data: &Path, args: &[&str]) -> anyhow::Result<String> {
        let output = self.call(data, args)?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        ensure!(
            output.status.code() == Some(3),
            "`tidegate {}` should have been refused (exit code 3) and ended with {}: {said}",
            shown(args),
            output.status
        );
        let last = said.lines().last().unwrap_or_default();
        let root = format!("{}/", self.root.display());
        Ok(last.trim_start_matches("error: ").replace(&root, ""))
    }

    fn call(&mut self, data: &Path, args: &[&str]) -> anyhow::Result<std::process::Output> {
        self.show(data, args);
        let began = Instant::now();
        let output = self.command(data, args).output().context("cannot start our own program")?;
        let step = json!({
            "command": shown(args),
            "exit": output.status.code(),
            "seconds": began.elapsed().as_secs_f64(),
        });
        self.steps.push(step);
        Ok(output)
    }

    fn command(&self, data: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(&self.exe);
        // What the user has configured for the real thing must not reach into the story.
        command.env_remove("TIDEGATE_CONFIG").env_remove("TIDEGATE_DATA");
        command.arg("--data").arg(data).arg("--json").args(args).stdin(Stdio::null());
        command
    }

    /// Shows a command as one would type it in the story's folder.
    fn show(&self, data: &Path, args: &[&str]) {
        let line = format!("$  tidegate --data {} {}", data.display(), shown(args));
        let root = format!("{}/", self.root.display());
        self.out.note(&line.replace(&root, ""));
    }

    /// Starts the server on a free port and waits until it listens.
    pub(super) fn serve(&mut self, data: &Path) -> anyhow::Result<Server> {
        let args = ["serve", "--listen", "127.0.0.1:0"];
        self.show(data, &args);
        let mut child = self
            .command(data, &args)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the server")?;
        let stdout = child.stdout.take().context("the server has no output")?;
        let mut server = Server { child, url: String::new() };
        let mut json = String::new();
        for line in BufReader::new(stdout).lines() {
            json.push_str(&line?);
            if let Ok(said) = serde_json::from_str::<Value>(&json) {
                text(&said, "/url")?.clone_into(&mut server.url);
                return Ok(server);
            }
        }
        let status = server.child.wait()?;
        bail!("the server ended before it listened: {status}")
    }

    /// The last words.
    pub(super) fn end(&self, well: bool) -> anyhow::Result<()> {
        if well {
            self.out.note(&format!(
                "\nThe whole way took {:.0} s. Next: README.md walks it by hand, `tidegate help` lists the commands.",
                self.began.elapsed().as_secs_f64()
            ));
        }
        self.out.data(&json!({ "ok": well, "steps": self.steps }), String::new)
    }
}

/// A running server; stopped when dropped.
pub(super) struct Server {
    child: Child,
    url: String,
}

impl Server {
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "the server ended by itself");
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Already ended is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is at a place in a command's data; null if nothing.
pub(super) fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// The text at a place in a command's data.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> anyhow::Result<&'a str> {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .with_context(|| format!("there is no {pointer} in {value}"))
}

/// A command line as one would type it.
fn shown(args: &[&str]) -> String {
    args.iter()
        .map(|arg| if arg.contains(' ') { format!("\"{arg}\"") } else { (*arg).to_owned() })
        .collect::<Vec<_>>()
        .join(" ")
}
