//! `tests/faults/faults.c`, compiled once and preloaded into the program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use crate::support::program::tidegate;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It fails with EIO; later ones do not.
    Eio,
    /// The disk is full from it on.
    Full,
    /// It writes a part, and then the disk is full.
    Short,
    /// SIGKILL before it.
    Kill,
}

impl Mode {
    pub(super) const ALL: [Self; 4] = [Self::Eio, Self::Full, Self::Short, Self::Kill];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Eio => "eio",
            Self::Full => "enospc",
            Self::Short => "short",
            Self::Kill => "kill",
        }
    }

    /// Whether this call can meet it.
    pub(super) fn fits(self, call: &Call) -> bool {
        match self {
            Self::Eio | Self::Kill => true,
            Self::Full => call.needs_space,
            Self::Short => call.name.contains("write"),
        }
    }
}

/// One call on the file system, as the library told it.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) number: usize,
    pub(super) name: String,
    pub(super) needs_space: bool,
    /// Below the folder of the try; what is random in the names of temporary files is a star.
    pub(super) path: String,
}

impl Call {
    /// Whether SQLite made it, on a database or its log.
    pub(super) fn is_on_database(&self) -> bool {
        self.path.contains(".sqlite")
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.path)
    }
}

/// The library; `None` where it cannot be had, which was said then.
pub(crate) fn library() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    LIBRARY.get_or_init(compile).as_deref()
}

fn compile() -> Option<PathBuf> {
    let made = if cfg!(all(
        target_os = "linux",
        target_env = "gnu",
        any(target_arch = "x86_64", target_arch = "aarch64")
    )) {
        try_compile()
    } else {
        Err("this is no Linux with glibc on x86_64 or aarch64".to_owned())
    };
    match made {
        Ok(library) => Some(library),
        Err(why) => {
            let said = format!("NOT TESTED: faults of the file system. {why}");
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{said}");
            eprintln!("\n!!! {said}\n");
            None
        }
    }
}

fn try_compile() -> Result<PathBuf, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/faults.c");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    // Two runs of the tests at once do not see each other's half-written library.
    let own = folder.join(format!("faults-{}.so", std::process::id()));
    let library = folder.join("faults.so");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&own).arg(source);
    let output = cc.output().map_err(|e| format!("`cc` cannot be started: {e}"))?;
    if !output.status.success() {
        return Err(format!("`cc` failed: {}", String::from_utf8_lossy(&output.stderr)));
    }
    fs::rename(&own, &library).map_err(|e| e.to_string())?;
    let probe = tempfile::tempdir().unwrap();
    let (output, calls) = run_counted(&library, probe.path(), &["init".to_owned()]);
    if !output.status.success() || calls.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the preloaded library sees nothing here: {said}"));
    }
    Ok(library)
}

/// The program on `root/data`, with temporary files in `root/tmp`.
pub(super) fn program(root: &Path, args: &[String]) -> Command {
    let mut command = tidegate(&root.join("data"));
    command.env("TMPDIR", root.join("tmp")).args(args);
    command
}

/// Runs a command to its end, and tells its calls.
pub(super) fn run_counted(library: &Path, root: &Path, args: &[String]) -> (Output, Vec<Call>) {
    run(library, root, args, "eio", 0)
}

/// Runs a command with a fault at a call.
pub(super) fn run_failing(
    library: &Path,
    root: &Path,
    args: &[String],
    mode: Mode,
    at: usize,
) -> (Output, Vec<Call>) {
    run(library, root, args, mode.name(), at)
}

fn run(library: &Path, root: &Path, args: &[String], mode: &str, at: usize) -> (Output, Vec<Call>) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let output = program(root, args)
        .env("LD_PRELOAD", library)
        .env("FAULTS_BELOW", root)
        .env("FAULTS_AT", at.to_string())
        .env("FAULTS_MODE", mode)
        .env("FAULTS_LOG", log.path())
        .output()
        .unwrap();
    let told = fs::read_to_string(log.path()).unwrap();
    (output, told.lines().map(read_call).collect())
}

fn read_call(line: &str) -> Call {
    let mut words = line.splitn(5, ' ');
    let mut next = || words.next().unwrap_or_else(|| panic!("the library told {line:?}"));
    let (number, name, space, _, path) = (next(), next(), next(), next(), next());
    Call {
        number: number.parse().unwrap(),
        name: name.to_owned(),
        needs_space: space == "space",
        path: starred(path),
    }
}

/// A text with a star for what is random in the names of temporary files.
pub(super) fn starred(text: &str) -> String {
    const BEGINS: [&str; 10] = [
        ".tmp",
        "tmp.",
        ".unfinished-",
        ".tidegate-seed-",
        ".tidegate-init-",
        ".tidegate-backup-",
        ".tidegate-restore-",
        ".tidegate-",
        "keys.",
        "tidegate-trust-",
    ];
    const RANDOM: usize = 6;
    let mut out = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let random = BEGINS.iter().find(|begin| {
            let name = rest.strip_prefix(**begin).and_then(|rest| rest.get(..RANDOM));
            name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric()))
        });
        let taken = random.map_or(next.len_utf8(), |begin| begin.len() + RANDOM);
        match random {
            Some(begin) => out += &format!("{begin}*"),
            None => out.push(next),
        }
        rest = &rest[taken..];
    }
    out
}

#[test]
fn what_is_random_in_names_is_starred() {
    let text = "keys.aB3dE9/keys.json: No space; x/.tmpabcdef/tmp.12345Z .tidegate-seed-abcdef";
    let stars = "keys.*/keys.json: No space; x/.tmp*/tmp.* .tidegate-seed-*";
    assert_eq!(starred(text), stars);
}
