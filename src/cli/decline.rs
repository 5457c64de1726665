//! `tidegate decline`

use tidegate::ops::decline::{self, DeclineOutcome};

use super::{Context, Outcome, approve::Which, output::count};

/// Decline updates: they are offered to nobody, and their approvals go.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// Take the declines back
    #[arg(long)]
    undo: bool,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let selection = self.which.selection()?;
        let outcome = decline::decline(&context.ops(), &selection, self.undo)?;
        context.out.data(&outcome, || {
            let updates = |changed: &[_]| count(changed.len() as u64, "update");
            match &outcome {
                DeclineOutcome::Declined(changed) => format!("{} declined.", updates(changed)),
                DeclineOutcome::NoLongerDeclined(changed) => {
                    format!("{} no longer declined.", updates(changed))
                }
            }
        })?;
        Ok(Outcome::Done)
    }
}
