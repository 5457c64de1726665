//! `tidegate decline`

use jiff::Timestamp;
use serde_json::json;
use tidegate::{approval, catalog::Catalog, fleet::Fleet};

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
        let data = context.data_dir()?;
        let catalog = Catalog::open(&data.catalog())?;
        let mut fleet = Fleet::open(&data.fleet())?;
        let selection = self.which.selection()?;
        let changed =
            approval::decline(&catalog, &mut fleet, &selection, self.undo, Timestamp::now())?;
        let key = if self.undo { "no-longer-declined" } else { "declined" };
        context.out.data(&json!({ key: changed }), || {
            let updates = count(changed.len() as u64, "update");
            if self.undo {
                format!("{updates} no longer declined.")
            } else {
                format!("{updates} declined.")
            }
        })?;
        Ok(Outcome::Done)
    }
}
