//! `tidegate import`

use std::path::PathBuf;

use tidegate::ops::import::{self, ImportRequest};

use super::{
    Context, Outcome,
    import_text::outcome_text,
    watch::{self, WatchArgs},
};
use crate::config::OnArrival;

/// Check a bundle and take it in. Killed anywhere, it can be run again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Volumes, or folders of them; `-` for volumes on the standard input, one behind the other
    #[arg(value_name = "BUNDLE", required_unless_present = "watch")]
    bundles: Vec<PathBuf>,
    /// Check everything and show what would change
    #[arg(long)]
    dry_run: bool,
    /// Refuse expired signatures instead of warning
    #[arg(long)]
    refuse_expired: bool,
    /// Let approvals and declines that come with the bundle wait for `tidegate policy accept`
    #[arg(long, conflicts_with = "apply_policy")]
    hold_policy: bool,
    /// Let them take effect at once, whatever the configuration says
    #[arg(long)]
    apply_policy: bool,
    /// Fill gaps from the bundle of this snapshot, although its keys were replaced since; it never
    /// takes effect itself. Only for a disc that was sealed before the keys were replaced
    #[arg(long, value_name = "SNAPSHOT")]
    replaced_keys: Option<u64>,
    #[command(flatten)]
    watch: WatchArgs,
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let config = &context.config.import;
        let request = ImportRequest {
            bundles: self.bundles,
            dry_run: self.dry_run,
            replaced_keys: self.replaced_keys,
            refuse_expired: self.refuse_expired || config.refuse_expired,
            hold_policy: self.hold_policy
                || (config.policy == OnArrival::Hold && !self.apply_policy),
        };
        if let Some(folder) = self.watch.watch {
            return watch::run(context, folder, self.watch.every, request);
        }
        let outcome = import::import(&context.ops(), &request)?;
        context.out.data(&outcome, || outcome_text(&outcome))?;
        Ok(Outcome::complete(outcome.is_complete()))
    }
}
