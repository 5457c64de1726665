//! `tidegate receipt`

use std::{
    io::{self, BufRead as _, IsTerminal as _},
    path::PathBuf,
};

use clap::Subcommand;
use tidegate::ops::receipt::{self, KeyCheck, ReceiptOutcome, ReceiptSummary};

use super::{Context, Outcome, exit};

/// Isolated: say, signed, which snapshot is served here; connected: record what a site says.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    /// Isolated: write the receipt to this file, to be carried to the connected side
    #[arg(long, value_name = "FILE", required = true)]
    out: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Connected: record the receipt of a site. The first one shows a fingerprint to compare by voice
    Add {
        /// The receipt that was carried here
        receipt: PathBuf,
        /// The fingerprint that the site told, as words or hexadecimal
        #[arg(long, value_name = "WORDS")]
        fingerprint: Option<String>,
        /// The fingerprint has been compared: do not ask
        #[arg(long, conflicts_with = "fingerprint")]
        yes: bool,
        /// The site was set up anew and has another key now
        #[arg(long, requires = "fingerprint")]
        replaces_key: bool,
    },
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        if let Some(Command::Add { receipt, fingerprint, yes, replaces_key }) = self.command {
            let ops = context.ops();
            let told = receipt::preview(&ops, &receipt)?;
            let compared = yes;
            let mut check = KeyCheck { fingerprint, compared, replaces: replaces_key };
            if !told.key_is_known && check.fingerprint.is_none() && !yes {
                check.compared = ask(context, &told)?;
            }
            let added = receipt::add(&ops, &receipt, &check)?;
            context.out.data(&added, || recorded(&added))?;
        } else if let Some(out) = self.out {
            let made = receipt::make(&context.ops(), &out)?;
            context.out.data(&made, || {
                format!(
                    "Snapshot {} is served here, says {}. The connected side records it with `tidegate receipt add FILE`.\nFingerprint of the key of this site, to tell by voice the first time: {}\n",
                    made.receipt.snapshot,
                    out.display(),
                    made.fingerprint
                )
            })?;
        }
        Ok(Outcome::Done)
    }
}

fn recorded(outcome: &ReceiptOutcome) -> String {
    let ReceiptOutcome { summary: ReceiptSummary { receipt, fingerprint, .. }, added } = outcome;
    let mut text = String::new();
    if added.key_pinned {
        text.push_str(&format!("The key of {} from now on: {fingerprint}\n", receipt.site));
    }
    let already = if added.new { "" } else { " (known already)" };
    text.push_str(&format!(
        "{} served snapshot {} at {}{already}. Acknowledged: snapshot {}.\n",
        receipt.site, receipt.snapshot, receipt.created, added.acknowledged.snapshot
    ));
    text
}

/// No key is taken for that of a site without somebody who has compared.
fn ask(context: &Context, told: &ReceiptSummary) -> anyhow::Result<bool> {
    context.out.note(&format!(
        "Fingerprint of the key that this receipt is signed with, which was not seen of {} before: {}\n             {}",
        told.receipt.site, told.fingerprint, told.fingerprint_hex
    ));
    if !io::stdin().is_terminal() {
        return Err(exit::usage(
            "compare the fingerprint with what the site tells, then give it with --fingerprint, or --yes",
        ));
    }
    context.out.note("Does the site tell the same words? Type yes:");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    anyhow::ensure!(answer.trim().eq_ignore_ascii_case("yes"), "nothing was recorded");
    Ok(true)
}
