//! `tidegate sync`

use std::path::PathBuf;

use tidegate::{
    ops::{
        choices,
        sync::{self, Role, RunRules, SyncOptions, SyncOutcome},
    },
    upstream::{CategoryKind, FileSelection, Hardware, SyncReport, SyncSelection, UpstreamOptions},
};

use super::{
    Context, Outcome,
    connection::Connection,
    download,
    downstream::{self, Downstream},
    output::{count, human_bytes, titled},
    rules,
};

/// Take in updates from a source: what is here already changes nothing.
///
/// From a server, products, classifications and languages are as the last time if they are not given,
/// and everything the first time.
#[derive(Debug, clap::Args)]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    list: Option<List>,
    /// `microsoft-update`, a WSUS (https://host:8531), a package of `wsusutil export` (.cab), or a folder of update
    /// documents and payload files
    #[arg(long, value_name = "SOURCE", required = true)]
    from: Option<String>,
    /// Run the approval rules afterwards (`tidegate rules`), as with `after-sync` in `[rules]`
    #[arg(long)]
    run_rules: bool,
    /// Download the files that approved updates need afterwards, as `tidegate download` does
    #[arg(long)]
    payloads: bool,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    downstream: Downstream,
}

/// What can be chosen.
#[derive(Debug, Clone, Copy, clap::Subcommand)]
enum List {
    /// List the products that can be chosen, under their families; `*` marks what is synchronized
    Products,
    /// List the classifications that can be chosen; `*` marks what is synchronized
    Classifications,
}

/// For servers only.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "For servers")]
struct Server {
    /// Titles or ids, separated by commas; a product family or a company stands for its products;
    /// `all` for all
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    products: Option<Vec<String>>,
    /// Titles or ids, separated by commas; `all` for all
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    classifications: Option<Vec<String>>,
    /// Short names, as `en,de,pt-br`; `all` for all
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    languages: Option<Vec<String>>,
    /// Only what can be chosen: products, classifications and detectoids
    #[arg(long)]
    categories_only: bool,
    /// Drivers for the hardware in this file, from servers that look for them (Microsoft Update): a
    /// hardware id of a device, or the GUID of a computer, in each line; an empty file for none
    #[arg(long, value_name = "FILE")]
    driver_ids: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

impl Server {
    fn options(self, context: &Context) -> anyhow::Result<UpstreamOptions> {
        Ok(UpstreamOptions {
            selection: SyncSelection {
                products: self.products,
                classifications: self.classifications,
                languages: self.languages,
                hardware: self.driver_ids.as_deref().map(Hardware::read).transpose()?,
                categories_only: self.categories_only,
            },
            connection: self.connection.options(context)?,
        })
    }
}

impl Args {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        if let Some(list) = self.list {
            return list.show(context);
        }
        let outcome = sync::sync(&context.ops(), self.options(context)?)?;
        context.out.data(&outcome, || full_text(&outcome))?;
        Ok(Outcome::complete(outcome.is_complete()))
    }

    fn options(self, context: &Context) -> anyhow::Result<SyncOptions> {
        let upstream = self.server.options(context)?;
        let rules = match (self.run_rules, context.config.rules.after_sync) {
            (true, _) => RunRules::Always,
            (false, true) => RunRules::UnlessReplica,
            (false, false) => RunRules::Never,
        };
        let download = if self.payloads {
            let connection = upstream.connection.clone();
            Some(download::configured(context, FileSelection::Approved, connection)?)
        } else {
            None
        };
        let Downstream { replica, autonomous, no_report } = self.downstream;
        let role = match (replica, autonomous) {
            (true, _) => Role::Replica,
            (false, true) => Role::Autonomous,
            (false, false) => Role::Unchanged,
        };
        let from = self.from.unwrap_or_default();
        Ok(SyncOptions { from, upstream, role, rules, download, report: !no_report })
    }
}

impl List {
    fn show(self, context: &Context) -> anyhow::Result<Outcome> {
        let kind = match self {
            Self::Products => CategoryKind::Product,
            Self::Classifications => CategoryKind::Classification,
        };
        let found = choices::choices(&context.ops(), kind)?;
        if found.is_empty() {
            context.out.note(
                "There is nothing to choose from yet: run `tidegate sync --categories-only --from URL` first.",
            );
        }
        context.out.data(&found, || {
            found
                .iter()
                .map(|category| {
                    let mark = if category.chosen { '*' } else { ' ' };
                    let indent = "  ".repeat(category.depth);
                    format!("{} {mark} {indent}{}\n", category.id, titled(&category.title))
                })
                .collect()
        })?;
        Ok(Outcome::Done)
    }
}

/// What was done, step by step.
fn full_text(outcome: &SyncOutcome) -> String {
    let replica = outcome.replica.as_ref().map(downstream::text).unwrap_or_default();
    let rules = outcome.rules.as_ref().map(rules::text).unwrap_or_default();
    let download = outcome.download.as_ref().map(download::text).unwrap_or_default();
    let reported = outcome.reported.as_ref().map(downstream::reported).unwrap_or_default();
    [text(&outcome.synced), replica, rules, download, reported].concat()
}

fn text(report: &SyncReport) -> String {
    let mut text = if report.changed {
        format!(
            "Took in {} and {} ({}).\n",
            count(report.new_revisions, "revision"),
            count(report.payloads_added, "payload"),
            human_bytes(report.payload_bytes),
        )
    } else {
        "Nothing has changed.\n".to_owned()
    };
    text.push_str(&format!("{} known already", count(report.known, "revision")));
    if report.other_bytes > 0 {
        text.push_str(&format!(
            ", {} known with other bytes (the first stay)",
            count(report.other_bytes, "revision")
        ));
    }
    text.push_str(".\n");
    if report.keys + report.driver_sets > 0 {
        text.push_str(&format!(
            "{} and {}.\n",
            count(report.keys, "decryption key"),
            count(report.driver_sets, "driver set")
        ));
    }
    if let Some(first) = report.unresolved.first() {
        text.push_str(&format!(
            "{} that others need are not to be had from this source, such as {} for {}; what needs them is not offered. --json lists all.\n",
            count(report.unresolved.len() as u64, "update"),
            first.update,
            first.needed_by
        ));
    }
    if !report.left_out.is_empty() {
        let revisions = count(report.left_out.len() as u64, "revision");
        text.push_str(&format!("{revisions} left out of snapshots; see above.\n"));
    }
    if !report.problems.is_empty() {
        let problems = count(report.problems.len() as u64, "thing");
        text.push_str(&format!("{problems} could not be taken in; see above.\n"));
    }
    text
}
