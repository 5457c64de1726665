//! `tidegate sign`

use std::path::PathBuf;

use tidegate::ops::sign;

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
        let ops = context.ops();
        let before = sign::inspect(&ops)?;
        context.out.note(&format!(
            "Snapshot {} of mirror {}, sealed {}, for {}: {}.",
            before.snapshot,
            before.mirror_id,
            before.created,
            before.sites.join(", "),
            count(before.segments, "segment"),
        ));
        let after = if self.dry_run {
            before
        } else {
            {
                let passphrase = self.passphrase.open(context, || Ok(vec![self.key.clone()]))?;
                sign::countersign(&ops, &self.key, passphrase.as_deref())?
            }
        };
        context.out.data(&after, || {
            format!("It has {} of {} signatures.", after.signatures, after.needed)
        })?;
        Ok(Outcome::Done)
    }
}
