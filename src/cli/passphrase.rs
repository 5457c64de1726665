//! Where a passphrase comes from: never the command line, which other users can see.

use std::{fs, path::PathBuf};

use anyhow::Context as _;

/// The passphrase of the key files.
#[derive(Debug, clap::Args)]
pub(super) struct Passphrase {
    /// File whose first line is the passphrase of the key files (or set TIDEGATE_PASSPHRASE)
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Passphrase {
    pub(super) fn read(&self) -> anyhow::Result<Option<String>> {
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
