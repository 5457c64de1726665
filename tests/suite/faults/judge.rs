//! One try: a command with a fault, and what must hold afterwards.

use std::{
    fs,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::Output,
};

use tempfile::TempDir;

use super::{
    cases::{Case, arguments},
    look::{State, difference, left_over, visible, whole},
    preload::{Call, Mode, program, run_counted, run_failing, starred},
};
use crate::support::program::messages;

/// What a try must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// The exit code tells what happened.
    Exit,
    /// What it says is for people, names the place, and tells a full disk from a broken one.
    Message,
    /// `tidegate check` finds nothing, except an import that is not finished.
    Check,
    /// The state is the old one or the new one, as far as it is served.
    State,
    /// The same command again does it, and the end is that of an undisturbed run.
    Again,
    /// Nothing is left of the run that failed.
    Left,
}

/// A rule that was broken.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) rule: Rule,
    pub(super) mode: Mode,
    pub(super) call: Call,
    pub(super) what: String,
}

/// A command, its calls, and the states that it may leave.
pub(super) struct Trial {
    library: &'static Path,
    pub(super) case: Case,
    pub(super) calls: Vec<Call>,
    /// True states on the way, the old one and the new one among them.
    states: Vec<State>,
    done: State,
}

/// A copy of a folder in which a command is tried.
struct Folder(#[expect(dead_code, reason = "removes the folder when dropped")] TempDir, PathBuf);

impl Folder {
    fn copy(of: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        copy(of, &root);
        Self(folder, root)
    }
}

/// With the times: what is old for `prune` stays old.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), &to).unwrap();
            let modified = entry.metadata().unwrap().modified().unwrap();
            fs::File::options().write(true).open(&to).unwrap().set_modified(modified).unwrap();
        }
    }
}

/// What was said, in one line and without the folder of the try.
fn shown(said: &str, root: &Path) -> String {
    starred(&said.trim().replace('\n', " ").replace(&root.display().to_string(), "ROOT"))
}

impl Trial {
    /// Runs the command undisturbed, and counts its calls.
    pub(super) fn new(library: &'static Path, case: Case) -> Self {
        let start = Folder::copy(case.start.path());
        let mut states = vec![visible(&start.1)];
        for step in &case.steps {
            let folder = Folder::copy(case.start.path());
            let output = program(&folder.1, &arguments(step, &folder.1)).output().unwrap();
            assert!(output.status.success(), "{step:?}: {}", messages(&output));
            states.push(visible(&folder.1));
        }
        let twin = Folder::copy(case.start.path());
        let (output, calls) = run_counted(library, &twin.1, &case.args(&twin.1));
        assert!(output.status.success(), "{}: {}", case.name, messages(&output));
        assert_eq!(left_over(&twin.1), Vec::<String>::new(), "{}: undisturbed", case.name);
        states.push(visible(&twin.1));
        let done = whole(&twin.1);
        assert_ne!(whole(&start.1), done, "{} changes nothing", case.name);
        Self { library, case, calls, states, done }
    }

    /// Tries it with a fault at this call.
    pub(super) fn attempt(&self, mode: Mode, number: usize) -> Vec<Finding> {
        let folder = Folder::copy(self.case.start.path());
        let root = &folder.1;
        let args = self.case.args(root);
        let (output, calls) = run_failing(self.library, root, &args, mode, number);
        // With more than one thread the order may be another this time.
        let Some(call) = calls.iter().find(|call| call.number == number).cloned() else {
            assert!(output.status.success(), "{}: {}", self.case.name, messages(&output));
            return Vec::new();
        };
        let by_sqlite = calls[..number - 1].last().is_some_and(|before| before.is_on_database());
        let mut judge = Judge { mode, call, by_sqlite, found: Vec::new() };
        let looked = Folder::copy(root);
        judge.exit(&output, || whole(&looked.1) == self.done);
        if mode != Mode::Kill && !output.status.success() {
            judge.message(&messages(&output), root);
        }
        self.state(&looked.1, &mut judge);
        self.again(root, &args, &mut judge);
        judge.found
    }

    fn state(&self, root: &Path, judge: &mut Judge) {
        if root.join("data/tidegate.json").exists() {
            let output = program(root, &["check".to_owned()]).output().unwrap();
            if !output.status.success() {
                let said =
                    String::from_utf8_lossy(&output.stdout).into_owned() + &messages(&output);
                // Not served, named with what to do, and finished by the same command again.
                let unfinished = "have not taken effect yet, and it is not served";
                if said.contains(unfinished) && said.contains("1 problem found") {
                    return;
                }
                judge.broken(Rule::Check, shown(&said, root));
            }
        }
        let state = visible(root);
        if !self.case.piecemeal && !self.states.contains(&state) {
            let old = difference(self.states.first().unwrap(), &state);
            let new = difference(self.states.last().unwrap(), &state);
            judge.broken(
                Rule::State,
                format!("\n    from the old one:{old}\n    from the new one:{new}"),
            );
        }
    }

    fn again(&self, root: &Path, args: &[String], judge: &mut Judge) {
        let output = program(root, args).output().unwrap();
        let said = messages(&output);
        let already = self.case.already.is_some_and(|already| said.contains(already));
        let refused = output.status.code() == Some(1) && already;
        if !output.status.success() && !refused {
            judge.broken(Rule::Again, format!("{}: {}", output.status, shown(&said, root)));
        }
        let state = whole(root);
        if state != self.done {
            judge.broken(Rule::Again, format!("another end:{}", difference(&self.done, &state)));
        }
        let left = left_over(root);
        if !left.is_empty() {
            judge.broken(Rule::Left, left.join(", "));
        }
    }
}

/// Folders that SQLite syncs; a restore syncs its own once more.
const SYNCED_BY_SQLITE: [&str; 2] = ["data", ".tidegate-restore-*"];

struct Judge {
    mode: Mode,
    call: Call,
    /// Whether the call before was on a database.
    by_sqlite: bool,
    found: Vec<Finding>,
}

impl Judge {
    fn broken(&mut self, rule: Rule, what: impl Into<String>) {
        let (mode, call) = (self.mode, self.call.clone());
        self.found.push(Finding { rule, mode, call, what: what.into() });
    }

    fn exit(&mut self, output: &Output, complete: impl FnOnce() -> bool) {
        let status = output.status;
        match (self.mode, status.code()) {
            (Mode::Kill, None) if status.signal() == Some(9) => {}
            // What was done stands, and somebody hears that its trace is missing.
            (Mode::Eio | Mode::Full | Mode::Short, Some(0))
                if messages(output).contains("this is not in the journal, because") =>
            {
                if !complete() {
                    self.broken(Rule::Exit, "0, and it is not done");
                }
            }
            (Mode::Eio | Mode::Full | Mode::Short, Some(0)) => {
                if !complete() {
                    self.broken(Rule::Exit, "0, and it is not done");
                }
                // SQLite loses nothing when a checkpoint fails, and lets the sync of a folder fail.
                let sqlite = self.call.is_on_database()
                    || self.by_sqlite && SYNCED_BY_SQLITE.contains(&&*self.call.path);
                if self.call.name.contains("sync") && !sqlite {
                    self.broken(Rule::Exit, "0, and it is not sure to stay");
                }
            }
            (Mode::Eio | Mode::Full | Mode::Short, Some(1 | 4)) => {}
            _ => self.broken(Rule::Exit, format!("{status}: {}", messages(output).trim())),
        }
    }

    fn message(&mut self, said: &str, root: &Path) {
        let told = shown(said, root);
        let lower = told.to_lowercase();
        let debug = ["panicked", "Os {", "SqliteFailure", "Custom {", "Error {", "kind:"];
        if let Some(form) = debug.iter().find(|form| told.contains(**form)) {
            self.broken(Rule::Message, format!("says {form:?}: {told}"));
        }
        if !told.contains("ROOT/") {
            self.broken(Rule::Message, format!("names no path: {told}"));
        }
        let full = self.mode != Mode::Eio;
        if full && !lower.contains("space") && !lower.contains("disk is full") {
            self.broken(Rule::Message, format!("nothing of space: {told}"));
        }
        if !full && (lower.contains("space") || lower.contains("is full")) {
            self.broken(Rule::Message, format!("speaks of space: {told}"));
        }
    }
}
