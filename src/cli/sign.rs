//! `tidegate sign`

use std::path::PathBuf;

use serde_json::json;
use tidegate::transfer;

use super::{Context, Outcome, output::count, passphrase::Passphrase};

/// Add a countersignature to the newest snapshot. Shows first what is signed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Key file of the person who signs
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
    /// Only show what would be signed
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let data = context.data_dir()?;
        let before = transfer::inspect_for_signing(&data)?;
        let index = &before.index;
        context.out.note(&format!(
            "Snapshot {} of mirror {}, sealed {}, for {}: {}.",
            index.snapshot,
            index.mirror_id,
            index.created,
            index.sites.join(", "),
            count(index.segments.len() as u64, "segment"),
        ));
        let after = if self.dry_run {
            before
        } else {
            transfer::countersign(&data, &self.key, self.passphrase.read()?.as_deref())?
        };
        let (there, needed) = after.signatures;
        context.out.data(
            &json!({ "snapshot": after.index.snapshot, "signatures": there, "needed": needed }),
            || format!("It has {there} of {needed} signatures."),
        )?;
        Ok(Outcome::Done)
    }
}
