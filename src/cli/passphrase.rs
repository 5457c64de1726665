//! Where a passphrase comes from: a file, the environment, or a terminal; never the command line, which
//! other users can see.

use std::{
    fs,
    io::{self, BufRead as _, IsTerminal as _},
    path::PathBuf,
};

use anyhow::Context as _;
use tidegate::ops::{self, keys};

use super::Context;

/// The passphrase of the key files.
#[derive(Debug, clap::Args)]
pub(super) struct Passphrase {
    /// File whose first line is the passphrase of the key files (or set TIDEGATE_PASSPHRASE); without
    /// either it is asked on a terminal
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Passphrase {
    /// The passphrase that opens these key files: asked for only if one of them has one.
    pub(super) fn open(
        &self,
        context: &Context,
        files: impl FnOnce() -> ops::Result<Vec<PathBuf>>,
    ) -> anyhow::Result<Option<String>> {
        let given = self.given()?;
        if given.is_some() || !io::stdin().is_terminal() {
            return Ok(given);
        }
        match keys::encrypted(&files()?)? {
            Some(path) => {
                read_hidden(context, &format!("Passphrase of {}:", path.display())).map(Some)
            }
            None => Ok(None),
        }
    }

    /// The passphrase for key files that are made now; `None` with a word about it.
    pub(super) fn new_one(&self, context: &Context) -> anyhow::Result<Option<String>> {
        let mut passphrase = self.given()?;
        if passphrase.is_none() && io::stdin().is_terminal() {
            let first = read_hidden(context, "Passphrase for the new key files (empty: none):")?;
            if !first.is_empty() {
                let again = read_hidden(context, "Once more:")?;
                anyhow::ensure!(first == again, "the two passphrases differ: nothing was made");
                passphrase = Some(first);
            }
        }
        if passphrase.is_none() {
            context.out.note("The key files have no passphrase: whoever reads them can sign. See --passphrase-file.");
        }
        Ok(passphrase)
    }

    fn given(&self) -> anyhow::Result<Option<String>> {
        let Some(path) = &self.passphrase_file else {
            return Ok(std::env::var("TIDEGATE_PASSPHRASE").ok().filter(|p| !p.is_empty()));
        };
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the passphrase file {}", path.display()))?;
        let line = text.lines().next().unwrap_or_default();
        anyhow::ensure!(!line.is_empty(), "the passphrase file {} is empty", path.display());
        Ok(Some(line.to_owned()))
    }
}

/// A line that is typed and not shown.
fn read_hidden(context: &Context, question: &str) -> anyhow::Result<String> {
    context.out.note(question);
    let _hidden =
        hidden::Hidden::new().context("cannot hide what is typed: give --passphrase-file")?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("cannot read the passphrase")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(unix)]
mod hidden {
    use std::io;

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    /// The terminal shows nothing of what is typed until this is dropped.
    pub(super) struct Hidden(Termios);

    impl Hidden {
        pub(super) fn new() -> io::Result<Self> {
            let before = tcgetattr(io::stdin())?;
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            silent.local_modes.insert(LocalModes::ECHONL);
            tcsetattr(io::stdin(), OptionalActions::Now, &silent)?;
            Ok(Self(before))
        }
    }

    impl Drop for Hidden {
        fn drop(&mut self) {
            // Nothing can be done about a terminal that has gone.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
        }
    }
}

#[cfg(not(unix))]
mod hidden {
    /// Not known how here.
    pub(super) struct Hidden;

    impl Hidden {
        pub(super) fn new() -> std::io::Result<Self> {
            Err(std::io::ErrorKind::Unsupported.into())
        }
    }
}
