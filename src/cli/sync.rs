//! `tidegate sync`

use std::path::PathBuf;

use jiff::Timestamp;
use tidegate::{
    catalog::{Catalog, Numbering},
    content::ContentStore,
    data_dir::Side,
    fleet::Fleet,
    upstream::{
        self, CategoryKind, Hardware, Source, SyncOptions, SyncProgress, SyncReport, SyncSelection,
        UpstreamOptions,
    },
};

use super::{
    Context, Outcome,
    connection::Connection,
    download,
    downstream::{self, Downstream},
    output::{self, count, human_bytes},
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
        let data = context.data_dir()?;
        let Side::Connected { mirror_id } = *data.side() else {
            anyhow::bail!(
                "{} is an isolated side: it takes in bundles (`tidegate import`), not sources",
                data.root().display()
            );
        };
        if let Some(list) = self.list {
            return list.show(context, &Catalog::open(&data.catalog())?);
        }
        let source = Source::detect(&self.from.unwrap_or_default())?;
        let _one_at_a_time = data.begin_sync()?;
        let mut fleet = Fleet::open(&data.fleet())?;
        let is_replica = self.downstream.settle(&source, &mut fleet)?;
        let mut catalog = Catalog::open(&data.catalog())?;
        if catalog.mirror_id()?.is_none() {
            let mut writer = catalog.write()?;
            writer.set_mirror_id(mirror_id)?;
            writer.commit()?;
        }
        let content = ContentStore::open(&data.content())?;
        content.sweep()?;
        let options = SyncOptions {
            limits: context.config.document_limits(),
            numbering: Numbering::Assign,
            upstream: self.server.options(context)?,
            ..SyncOptions::new(Timestamp::now())
        };
        let mut documents = context.out.things("documents", 0);
        let mut payloads: Option<output::Progress> = None;
        let mut read = 0;
        let report =
            upstream::sync(&source, &mut catalog, &content, &options, &mut |said| match said {
                SyncProgress::Documents { done, total } => {
                    documents.set_total(total.unwrap_or(0));
                    documents.set(done);
                }
                SyncProgress::Payload { .. } => {}
                SyncProgress::Bytes(bytes) => {
                    read += bytes;
                    payloads.get_or_insert_with(|| context.out.bytes("payloads", 0)).set(read);
                }
            })?;
        documents.finish();
        if let Some(bar) = payloads {
            bar.finish();
        }
        for note in &report.notes {
            context.out.note(note);
        }
        for problem in &report.problems {
            context.out.warn(&format!("{}: {}", problem.at, problem.what));
        }
        let replicated = if is_replica && !options.upstream.selection.categories_only {
            downstream::replicate(context, &source, &catalog, &mut fleet, &options)?
        } else {
            None
        };
        // On a replica only the upstream decides, whichever source was synchronized.
        let decides = fleet.replica_of()?.is_none();
        let run_rules = self.run_rules || (context.config.rules.after_sync && decides);
        let ruled = if run_rules { Some(rules::after_sync(&catalog, &mut fleet)?) } else { None };
        let fetched = if self.payloads {
            let connection = options.upstream.connection.clone();
            Some(download::after_sync(context, &data, &mut catalog, connection)?)
        } else {
            None
        };
        let reported = self.downstream.report(context, &source, &catalog, &mut fleet, &options)?;
        let mut told = serde_json::to_value(&report)?;
        if let (Some(told), Some(done)) = (told.as_object_mut(), &replicated) {
            told.insert("replica".to_owned(), serde_json::to_value(done)?);
        }
        if let (Some(told), Some(done)) = (told.as_object_mut(), &ruled) {
            told.insert("rules".to_owned(), serde_json::to_value(done)?);
        }
        if let (Some(told), Some(done)) = (told.as_object_mut(), &fetched) {
            told.insert("download".to_owned(), serde_json::to_value(done)?);
        }
        if let (Some(told), Some(done)) = (told.as_object_mut(), &reported) {
            told.insert("report".to_owned(), serde_json::to_value(done)?);
        }
        context.out.data(&told, || {
            let reported = reported.as_ref().map(downstream::reported).unwrap_or_default();
            let replicated = replicated.as_ref().map(downstream::text).unwrap_or_default();
            let ruled = ruled.as_ref().map(rules::text).unwrap_or_default();
            let fetched = fetched.as_ref().map(download::text).unwrap_or_default();
            [text(&report), replicated, ruled, fetched, reported].concat()
        })?;
        let whole = report.problems.is_empty()
            && ruled.is_none_or(|ruled| ruled.is_complete())
            && fetched.is_none_or(|fetched| fetched.is_complete());
        Ok(if whole { Outcome::Done } else { Outcome::Partial })
    }
}

impl List {
    fn show(self, context: &Context, catalog: &Catalog) -> anyhow::Result<Outcome> {
        let kind = match self {
            Self::Products => CategoryKind::Product,
            Self::Classifications => CategoryKind::Classification,
        };
        let found = upstream::choices(catalog, kind)?;
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
                    format!("{} {mark} {indent}{}\n", category.id, category.title)
                })
                .collect()
        })?;
        Ok(Outcome::Done)
    }
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
    if !report.problems.is_empty() {
        let problems = count(report.problems.len() as u64, "thing");
        text.push_str(&format!("{problems} could not be taken in; see above.\n"));
    }
    text
}
