//! `tidegate trust`

use std::{
    io::{self, BufRead as _, IsTerminal as _},
    path::PathBuf,
};

use clap::Subcommand;
use tidegate::ops::trust::{self, TrustAdded};

use super::{Context, Outcome, exit};

/// The root that bundles are checked against.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Trust a root from now on; shows its fingerprint to compare by voice
    Add {
        /// The root file that was carried here
        root: PathBuf,
        /// The fingerprint that the connected side told, as words or hexadecimal
        #[arg(long, value_name = "WORDS")]
        fingerprint: Option<String>,
        /// The fingerprint has been compared: do not ask
        #[arg(long, conflicts_with = "fingerprint")]
        yes: bool,
    },
    /// Show the fingerprint of a root file; trusts nothing
    Show {
        /// A root file
        root: PathBuf,
    },
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        match self.command {
            Command::Show { root } => {
                let summary = trust::inspect(&root)?;
                context.out.data(&summary, || {
                    format!("{}\n{}", summary.fingerprint, summary.fingerprint_hex)
                })?;
            }
            Command::Add { root, fingerprint, yes } => {
                let summary = trust::preview(&context.ops(), &root)?;
                if fingerprint.is_none() && !yes {
                    context.out.note(&format!(
                        "Fingerprint: {}\n             {}",
                        summary.fingerprint, summary.fingerprint_hex
                    ));
                    ask(context)?;
                }
                let added = trust::add(&context.ops(), &root, fingerprint.as_deref())?;
                context.out.data(&added, || match added.trust {
                    TrustAdded::Added => format!("Trusted from now on: {}", summary.fingerprint),
                    TrustAdded::Already => format!("Trusted already: {}", summary.fingerprint),
                })?;
            }
        }
        Ok(Outcome::Done)
    }
}

/// Nothing is trusted without somebody who has compared.
fn ask(context: &Context) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() {
        return Err(exit::usage(
            "compare the fingerprint with what the connected side tells, then give it with --fingerprint, or --yes",
        ));
    }
    context.out.note("Does the connected side tell the same words? Type yes:");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    anyhow::ensure!(answer.trim().eq_ignore_ascii_case("yes"), "nothing was trusted");
    Ok(())
}
